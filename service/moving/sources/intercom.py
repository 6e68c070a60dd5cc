"""Intercom: the CSV of its people lists, and contacts as its REST API lists them.

Read in: Intercom's API reference, "Contacts", and its help pages on exporting and importing users. An
``external_id`` (``user_id`` in the CSV and in older releases of the API) is the ID that the app gave, and
``id`` is Intercom's own. Leads and visitors have an ``external_id`` too, which Intercom made up: the role
tells.
"""

from service.moving.sources.source import Ours, Source
from service.moving.sources.talk import Talk
from service.rules.records import Who

_ROLES = {
    "lead": Who.LEAD,
    "visitor": Who.LEAD,
    "contact_lead": Who.LEAD,
    "admin": Who.AGENT,
    "team": Who.AGENT,
    "bot": Who.AGENT,
}

INTERCOM = Source(
    "intercom",
    {
        "external_id": Ours.USER_ID,
        "user_id": Ours.USER_ID,
        "email": Ours.EMAIL,
        "name": Ours.NAME,
        "phone": Ours.PHONE,
        "signed_up_at": Ours.CREATED,
        "signed_up": Ours.CREATED,
        "created_at": Ours.CREATED,
        "first_seen": Ours.CREATED,
    },
    who={"role": _ROLES, "type": _ROLES, "user_type": _ROLES},
    proves={},
    within=("custom_attributes.", "custom_data."),
    left=frozenset({
        *("id", "workspace_id", "app_id", "avatar", "avatar.", "owner_id", "role", "type", "user_type"),
        *("updated_at", "last_seen_at", "last_seen", "last_request_at", "last_replied_at", "last_contacted"),
        *("last_contacted_at", "last_email_opened_at", "last_email_clicked_at", "last_heard_from"),
        *("last_opened_email", "last_clicked_on_link_in_email", "session_count", "web_sessions"),
        *("tags.", "notes.", "companies.", "social_profiles.", "location.", "opted_in_subscription_types."),
        *("opted_out_subscription_types.", "segments.", "location_data.", "formatted_phone"),
        *("user_agent_data", "browser", "browser_version", "os", "marked_email_as_spam"),
    }),
    lists=("data", "contacts", "users", "conversations"),
    talk=Talk(
        id="id",
        owner="contacts.contacts",
        owner_id=("contacts.contacts.id",),
        subject=("title", "source.subject"),
        status="state",
        resolved=frozenset({"closed"}),
        created=("created_at",),
        lists=("source", "conversation_parts.conversation_parts"),
        body=("body",),
        is_html=True,
        side=("author.type",),
        words={
            **dict.fromkeys(("user", "lead", "contact", "visitor"), True),
            **dict.fromkeys(("admin", "bot", "team", "operator", "workflow"), False),
        },
        agent=("author.name",),
        hidden={"part_type": frozenset({"note", "note_and_reopen"})},
    ),
    signs=("user_id", "user_type"),
)  # fmt: skip
