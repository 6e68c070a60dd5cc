"""Any CSV, or JSON with an object a line, whose writer vouches for all of it, emails too."""

from service.moving.sources.source import Ours, Source

PLAIN = Source(
    "csv",
    {
        **dict.fromkeys(("user_id", "external_id", "identifier", "app_user_id", "customer_id"), Ours.USER_ID),
        **dict.fromkeys(("email", "e-mail", "mail", "email_address", "e-mail_address"), Ours.EMAIL),
        **dict.fromkeys(("name", "full_name", "display_name"), Ours.NAME),
        **dict.fromkeys(("first_name", "given_name"), Ours.FIRST_NAME),
        **dict.fromkeys(("last_name", "family_name", "surname"), Ours.LAST_NAME),
        **dict.fromkeys(("phone", "phone_number", "telephone", "mobile"), Ours.PHONE),
        **dict.fromkeys(("created_at", "created", "signed_up", "signed_up_at"), Ours.CREATED),
    },
    within=("custom_attributes.", "attributes."),
    lists=("users", "data"),
)
