"""Helpshift: profiles as its User Hub's bulk API exports them.

Read in: Helpshift's page on the User Hub bulk APIs (``get_core_profiles`` and ``get_app_profiles``).
Of ``identities`` one with a ``uid`` is the ID that the app gave, another an email. An email alone was typed
in by somebody.
"""

from service.moving.sources.source import Ours, Source

HELPSHIFT = Source(
    "helpshift",
    {
        "identities.uid": Ours.USER_ID,
        "uid": Ours.USER_ID,
        "identities.email": Ours.EMAIL,
        "email": Ours.EMAIL,
        "full_name": Ours.NAME,
        "name": Ours.NAME,
        "identities.phone": Ours.PHONE,
        "phone": Ours.PHONE,
        "created_at": Ours.CREATED,
    },
    proves={},
    within=("custom_user_fields.", "cufs."),
    left=frozenset({
        *("id", "core_profile_id", "app_profile_id", "app_id", "updated_at", "last_seen_at", "identities."),
        *("last_city", "last_country", "platform_type", "device_id", "domain", "push_token", "tags"),
    }),
    lists=("profiles", "payload", "data"),
    signs=("uid",),
)  # fmt: skip
