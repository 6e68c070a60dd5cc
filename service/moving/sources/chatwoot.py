"""Chatwoot: the CSV of its contacts export, and contacts as its application API lists them.

Read in: Chatwoot's API reference, "List Contacts" and "Create Contact Export", the job that writes the CSV,
and the view that shows a conversation. An ``identifier`` is the ID that the app gave; ``id`` is Chatwoot's
own. Emails come from whoever wrote, or filled in a form, so they prove nothing. Nor does an ``identifier``,
where no HMAC of it was asked for: of a conversation ``hmac_verified`` tells whether there was one.
Attributes that it works out itself, as the city of an address of the network, are left behind.
"""

from service.moving.sources.source import Ours, Source
from service.moving.sources.talk import Talk
from service.rules.records import Who

CHATWOOT = Source(
    "chatwoot",
    {
        "identifier": Ours.USER_ID,
        "email": Ours.EMAIL,
        "name": Ours.NAME,
        "phone_number": Ours.PHONE,
        "created_at": Ours.CREATED,
    },
    who={"blocked": {"true": Who.GONE, "t": Who.GONE}},
    proves={},
    within=("custom_attributes.",),
    left=frozenset({
        *("id", "account_id", "thumbnail", "avatar_url", "availability_status", "contact_type"),
        *("last_activity_at", "updated_at", "middle_name", "last_name", "additional_attributes"),
        *("additional_attributes.", "contact_inboxes.", "company_id", "location", "country_code"),
        *("blocked", "custom_attributes", "labels"),
    }),
    lists=("payload",),
    talk=Talk(
        id="id",
        owner="meta.sender",
        owner_id=("meta.sender.id",),
        subject=("additional_attributes.mail_subject",),
        status="status",
        resolved=frozenset({"resolved"}),
        created=("created_at",),
        lists=("messages",),
        body=("content",),
        is_html=False,
        side=("message_type",),
        words={"0": True, "incoming": True, "1": False, "outgoing": False, "3": False, "template": False},
        agent=("sender.name",),
        hidden={"private": frozenset({"true"}), "message_type": frozenset({"2", "activity"})},
        proven="meta.hmac_verified",
    ),
    signs=("identifier", "phone_number"),
)  # fmt: skip
