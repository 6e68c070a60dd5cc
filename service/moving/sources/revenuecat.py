"""RevenueCat: the CSV of its scheduled data exports and of its lists of customers, and a customer as each
release of its API shows one.

Read in: RevenueCat's documentation, "Scheduled Data Exports", "Customer Lists" and its API reference. Of
several IDs of a customer the one seen last is taken that is no ``$RCAnonymousID:``; no other is linked to it,
since there whoever knows an ID is believed, and two people who share a store account would be one. For the
same reason its ``$email`` is an attribute, as it is where its clients call. A transaction's columns are no
person's.
"""

from service.moving.sources.source import Ours, Source

REVENUECAT = Source(
    "revenuecat",
    {
        "rc_last_seen_app_user_id_alias": Ours.USER_ID,
        "last_seen_app_user_id": Ours.USER_ID,
        "app_user_id": Ours.USER_ID,
        "id": Ours.USER_ID,
        "rc_original_app_user_id": Ours.USER_ID,
        "original_app_user_id": Ours.USER_ID,
        "subscriber.original_app_user_id": Ours.USER_ID,
        "first_seen_time": Ours.CREATED,
        "first_seen_at": Ours.CREATED,
        "first_seen": Ours.CREATED,
        "subscriber.first_seen": Ours.CREATED,
    },
    proves={},
    within=("subscriber.subscriber_attributes.", "subscriber_attributes.", "custom_attributes."),
    left=frozenset({
        *("object", "project_id", "last_seen_at", "last_seen", "request_date", "request_date_ms"),
        *("subscriber.", "active_entitlements.", "experiment.", "attributes."),
        *("country", "country_source", "product_identifier", "product_display_name", "product_duration"),
        *("start_time", "end_time", "grace_period_end_time", "effective_end_time", "auto_resume_time"),
        *("store", "is_auto_renewable", "is_trial_period", "is_in_intro_offer_period", "is_sandbox"),
        *("price_in_usd", "price", "takehome_percentage", "tax_percentage", "commission_percentage"),
        *("store_transaction_id", "original_store_transaction_id", "refunded_at", "currency", "offer"),
        *("unsubscribe_detected_at", "billing_issues_detected_at", "purchased_currency", "offer_type"),
        *("price_in_purchased_currency", "entitlement_identifiers", "renewal_number", "is_trial_conversion"),
        *("presented_offering", "presented_offering_id", "ownership_type", "reserved_subscriber_attributes"),
        *("custom_subscriber_attributes", "platform", "last_seen_platform", "platform_version", "updated_at"),
        *("experiment_id", "experiment_variant", "experiments", "placement_identifier"),
    }),
    lists=("items", "customers"),
    signs=("rc_original_app_user_id",),
)  # fmt: skip
