"""What an app's settings are called on a page, what each does in a sentence, and how a form says them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.model.apps import App


@dataclass(frozen=True)
class Setting:
    """A setting: its name in the code and in the API, its title, what it is about, and what each of its
    choices does; one without choices is a number of days."""

    field: str
    name: str
    title: str
    about: str
    choices: Mapping[str, str]

    def value(self, app: App) -> str:
        """Return what it is set to."""
        return str(getattr(app.settings, self.field))

    def says(self, value: str) -> str:
        """Return what a value does."""
        return self.choices.get(value, f"{value} day{'' if value == '1' else 's'}")


SETTINGS = (
    Setting(
        "identity_verification",
        "identityVerification",
        "Proof of identity",
        "Whether a page with a publishable key has to prove who its user is.",
        {
            "required": "A user ID or an email needs a proof that your backend made.",
            "off": "Without a proof anybody may say that they are anybody. Whoever does is kept apart from"
            " those who proved it, and sees only what they began on their own device.",
        },
    ),
    Setting(
        "anonymous_on_login",
        "anonymousOnLogin",
        "Anonymous users",
        "What becomes of a device’s anonymous user, and of their conversations, when somebody logs in there.",
        {
            "keep": "They stay on the device, unseen, and are back after the logout.",
            "clear": "No end user sees them again; agents do.",
            "merge": "They become those of the user who logs in.",
            "merge-once": "They become those of the user who logs in, unless that user took in an anonymous"
            " one before: then they stay.",
        },
    ),
    Setting(
        "conversation_scope",
        "conversationScope",
        "Conversations",
        "On which devices users see their conversations.",
        {
            "user": "On each device they see all of their own.",
            "device": "What they began they see only on the device where they did; what an agent began, on"
            " each.",
        },
    ),
    Setting(
        "session_days",
        "sessionDays",
        "Longest session",
        "How long a session lasts from its login at most, in days, 1 to 365. With fewer, those that are older"
        " end at once.",
        {},
    ),
    Setting(
        "idle_days",
        "idleDays",
        "Longest rest",
        "How long a session lasts from its last use, in days, 1 to 365. With fewer, those that rested longer"
        " end at once.",
        {},
    ),
    Setting(
        "restore_behavior",
        "restoreBehavior",
        "Restored purchases",
        "What happens when somebody restores what was bought under a store account of another user.",
        {
            "alias": "The two become one user.",
            "transfer": "The store account and its purchases go to whoever restores them; both users stay.",
            "keep": "It is refused.",
        },
    ),
    Setting(
        "client_purchases",
        "clientPurchases",
        "Purchases from devices",
        "Whether a device may tell of purchases, and restore them.",
        {
            "off": "Only the backend does.",
            "on": "A session does too, with a proof that your backend made.",
        },
    ),
    Setting(
        "revenuecat",
        "revenuecat",
        "RevenueCat’s clients",
        "Whether clients that were made for RevenueCat may call.",
        {
            "off": "They find nothing here.",
            "on": "They may, and whoever knows an ID is believed, apart from those who proved theirs.",
        },
    ),
)


@dataclass(frozen=True)
class Difference:
    """Something that would change: what it is called, and what it does now and then."""

    title: str
    now: str
    then: str


def differences(before: App, after: App) -> list[Difference]:
    """Return what differs between an app as it is and as it would be."""
    found = [Difference("Name", before.name, after.name)] if before.name != after.name else []
    for setting in SETTINGS:
        now, then = setting.value(before), setting.value(after)
        if now != then:
            found.append(Difference(setting.title, setting.says(now), setting.says(then)))
    return found


def as_members(typed: Mapping[str, str]) -> dict[str, Any]:
    """Return what a form says of settings as the API has it; what is blank is not said."""
    return {name: _number(value) for name, value in typed.items() if value}


def _number(text: str) -> str | int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
