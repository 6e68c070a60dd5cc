"""Zendesk: the CSV and the JSON of its users, a user a line, and users as its API lists them.

Read in: Zendesk's help page on exporting data to a JSON, CSV or XML file, and its API reference, "Users". An
``external_id`` is the ID that the app gave, and ``id`` is Zendesk's own. Agents and admins stand among the
end users. ``verified`` is whether Zendesk has seen that an email is theirs. What agents noted of somebody is
left behind, as a user may be shown their attributes.
"""

from service.moving.sources.source import Ours, Source
from service.moving.sources.talk import Talk
from service.rules.records import Who

ZENDESK = Source(
    "zendesk",
    {
        "external_id": Ours.USER_ID,
        "email": Ours.EMAIL,
        "name": Ours.NAME,
        "phone": Ours.PHONE,
        "created_at": Ours.CREATED,
    },
    who={
        "role": {
            "agent": Who.AGENT,
            "admin": Who.AGENT,
            "light agent": Who.AGENT,
            "owner": Who.AGENT,
            "administrator": Who.AGENT,
        },
        "suspended": {"true": Who.GONE},
        "active": {"false": Who.GONE},
    },
    proves={"verified": frozenset({"true"})},
    within=("user_fields.",),
    left=frozenset({
        *("id", "url", "updated_at", "last_login_at", "two_factor_auth_enabled", "active", "verified"),
        *("shared", "shared_agent", "shared_phone_number", "role", "role_type", "custom_role_id"),
        *("moderator", "ticket_restriction", "only_private_comments", "restricted_agent"),
        *("suspended", "signature", "default_group_id", "report_csv", "photo", "photo.", "iana_time_zone"),
        *("notes", "details"),
        *("tags", "chat_only", "permanently_deleted", "alias", "locale_id", "organization", "organization."),
        *("groups.", "identities.", "remote_photo_url", "last_active", "user_fields", "abilities."),
    }),
    lists=("users", "results", "tickets"),
    talk=Talk(
        id="id",
        owner="requester",
        owner_id=("requester_id", "requester.id"),
        subject=("subject", "raw_subject"),
        status="status",
        resolved=frozenset({"solved", "closed"}),
        created=("created_at",),
        lists=("comments",),
        body=("plain_body", "body"),
        is_html=False,
        side=("author_id",),
        agent=("author.name",),
        hidden={"public": frozenset({"false"})},
    ),
    signs=("external_id", "role"),
)  # fmt: skip
