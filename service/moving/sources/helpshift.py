"""Helpshift: profiles as its User Hub's bulk API exports them, and issues as its REST API lists them.

Read in: Helpshift's page on the User Hub bulk APIs (``get_core_profiles`` and ``get_app_profiles``), its page
on using its APIs in various scenarios (``GET /issues``), and the example of an export in its repository
``helpshift-api``. Of ``identities`` one with a ``uid`` is the ID that the app gave, another an email. An
email alone was typed in by somebody; what stands beside it, as ``verified``, Helpshift keeps as it was sent.

An issue names its user by the ID of their profile, ``hs_user_id``, or else as the author of a message whose
``origin`` is ``end-user``; agents and automations write from ``helpshift``. What agents note stands in
``notes``, and not among the messages. A state is ``new``, ``new-for-agent``, ``agent-replied`` and the like,
until an issue is ``resolved`` or ``rejected``.
"""

from service.moving.sources.source import Ours, Source
from service.moving.sources.talk import Talk

HELPSHIFT = Source(
    "helpshift",
    {
        "identities.uid": Ours.USER_ID,
        "uid": Ours.USER_ID,
        "user_id": Ours.USER_ID,
        "identities.email": Ours.EMAIL,
        "email": Ours.EMAIL,
        "emails": Ours.EMAIL,
        "full_name": Ours.NAME,
        "names.full_name": Ours.NAME,
        "name": Ours.NAME,
        "names.display_name": Ours.NAME,
        "names.first_name": Ours.FIRST_NAME,
        "names.last_name": Ours.LAST_NAME,
        "identities.phone": Ours.PHONE,
        "identities.phone_number": Ours.PHONE,
        "phone": Ours.PHONE,
        "created_at": Ours.CREATED,
    },
    proves={},
    within=("custom_user_fields.", "custom_fields.", "cufs."),
    left=frozenset({
        *("id", "core_profile_id", "app_profile_id", "profile_id", "pid", "app_id", "updated_at"),
        *("last_seen_at", "last_active_date", "identities.", "full_privacy_enabled", "accepted_t_and_c"),
        *("last_city", "last_country", "platform_type", "device_id", "domain", "push_token", "tags"),
    }),
    lists=("profiles", "payload", "data", "issues"),
    own_ids=frozenset({"id", "pid", "profile_id", "app_profile_id"}),
    talk=Talk(
        id="id",
        owner="",
        owner_id=("hs_user_id",),
        subject=("title",),
        status="state_data.state",
        resolved=frozenset({"resolved", "rejected"}),
        created=("created_at",),
        lists=("messages",),
        body=("body",),
        is_html=True,
        side=("origin", "author.id"),
        words={"end-user": True, "helpshift": False},
        agent=("author.name",),
        author="author",
    ),
    signs=("uid",),
)  # fmt: skip
