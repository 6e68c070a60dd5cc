"""All sources, by their names."""

from service.moving.sources.chatwoot import CHATWOOT
from service.moving.sources.helpshift import HELPSHIFT
from service.moving.sources.intercom import INTERCOM
from service.moving.sources.plain import PLAIN
from service.moving.sources.revenuecat import REVENUECAT
from service.moving.sources.source import Source
from service.moving.sources.zendesk import ZENDESK

SOURCES: dict[str, Source] = {
    source.name: source for source in (CHATWOOT, INTERCOM, ZENDESK, HELPSHIFT, REVENUECAT, PLAIN)
}
