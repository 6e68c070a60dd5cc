"""What a user ID, an email, a name, a device ID, a key is, and its comparison key.

This module knows no HTTP, no schema library and no store: text goes in, and either text that may be
stored comes out, or ``Malformed``. docs/identifiers.md lists what is taken.
"""

import base64
import hashlib
import re
import secrets
import string
import unicodedata
import uuid
from collections.abc import Iterable
from functools import lru_cache

import email_validator
import idna
import uuid_utils

from service import texts

MAX_USER_ID = 750
MAX_NAME = 255
MAX_SEARCH = 255
MAX_SUBSCRIBER_ID = 100
MAX_STORE_TEXT = 1000
MAX_EMAIL = 254
MAX_LOCAL_PART = 64

NO_EMAIL = "This is not an email address that mail can be sent to."

DEVICE_PREFIX = "$anon:"
CLIENT_MADE_PREFIX = "$RCAnonymousID:"
ANONYMOUS_PREFIXES = (DEVICE_PREFIX, CLIENT_MADE_PREFIX)

# What broken clients send when they have no user ID. Casefolded, as they are compared.
PLACEHOLDERS = frozenset({
    "null", "(null)", "<nil>", "nil", "none", "undefined", "nan", "true", "false", "0", "-1",
    "{}", "[]", "[object object]", "anonymous", "anon", "guest", "unknown", "unidentified",
    "no_user", "n/a", "00000000-0000-0000-0000-000000000000",
})  # fmt: skip

# What platforms show to every app in place of a device's own ID: the MAC address since Android 6, and the
# ANDROID_ID of phones whose maker forgot to draw one.
SHARED_DEVICE_IDS = frozenset({"02:00:00:00:00:00", "9774d56d682e549c"})

# Unicode categories: control, format, surrogate.
_FORBIDDEN_IN_USER_IDS = frozenset({"Cc", "Cf", "Cs"})
_JOINERS = frozenset("\u200c\u200d")
# A control character is a space in a name, and half of a surrogate pair is what a reader shows in its place.
_SHOWN_IN_NAMES = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ") | dict.fromkeys(
    range(0xD800, 0xE000), "\ufffd"
)
_FORBIDDEN_IN_TEXT = re.compile(r"[\x00\ud800-\udfff]")

# UTS 46, which maps international domains, drops these invisible characters instead of refusing them
# (email-validator 2.4 refuses the others), and a text with one would read as somebody else's address.
_DROPPED_FROM_DOMAINS = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

# With these, whether an address is one depends on its domain alone.
_PLAIN_LOCAL_PART = re.compile(r"\.*[A-Za-z0-9_+-][A-Za-z0-9_+.-]*")
_DOTS = re.compile(r"\.{2,}")

_LETTERS_LOWERED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_DEVICE_ID = re.compile(r"[!-~]{16,255}")
# Zeros, or placeholders run together.
_NO_DEVICE_ID = re.compile(
    rf"[^0-9a-z]*(?:(?:0+|{'|'.join(sorted(filter(str.isalpha, PLACEHOLDERS)))})(?:[^0-9a-z]+|$))+"
)
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
_CLIENT_MADE = re.compile(r"\$RCAnonymousID:[0-9a-f]{32}")
_HEX = re.compile(r"[0-9a-f]{32}")
# A session's token also says its device.
_CREDENTIAL = re.compile(r"(sk|pk|st)_([0-9a-f]{32})_[A-Za-z0-9_-]{43}(?:\.[A-Za-z0-9_-]{43})?")
_OPERATOR = re.compile(r"so_[A-Za-z0-9_-]{43}")
_SIGN_IN = re.compile(r"si_([0-9a-f]{32})_[A-Za-z0-9_-]{43}")

# Names such as `.test` and `.local` have a dot, which is all that docs/identifiers.md asks of a domain, and
# an intranet may use them. `validate_email` has an option for `.test` alone; for the rest the library's
# documentation says to change this list, which it calls a part of its API.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


class Malformed(ValueError):
    """Say that a text is not what it was given as, by a ``code`` and a sentence without the text."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def user_id(text: str) -> str:
    """Return a user ID that an app may give to a person, unchanged: 1 to 750 code points.

    Raises ``Malformed``: ``empty``, ``too-long``, ``white-space``, ``forbidden-character``,
    ``placeholder``, ``reserved``.
    """
    existing_user_id(text)
    if is_anonymous(text):
        raise Malformed("reserved", "A user ID does not begin like those of anonymous users.")
    return text


def existing_user_id(text: str) -> str:
    """Return a user ID to look up, unchanged: as ``user_id``, and an anonymous one too.

    Raises ``Malformed`` as ``user_id`` does, except ``reserved``.
    """
    if not text:
        raise Malformed("empty", "A user ID has at least one character.")
    if len(text) > MAX_USER_ID:
        raise Malformed("too-long", f"A user ID has at most {MAX_USER_ID} characters.")
    if text[0].isspace() or text[-1].isspace():
        raise Malformed("white-space", "A user ID neither begins nor ends with white space.")
    is_plain = text.isascii() and text.isprintable()
    if not is_plain and any(_is_forbidden_in_user_ids(text, position) for position in range(len(text))):
        raise Malformed(
            "forbidden-character",
            "A user ID holds no control, format or surrogate characters and no non-characters.",
        )
    if text.casefold() in PLACEHOLDERS:
        raise Malformed("placeholder", "This is what broken clients send in place of a user ID.")
    return text


def _is_forbidden_in_user_ids(text: str, position: int) -> bool:
    character = text[position]
    if character in _JOINERS:
        return not _joins(text, position)
    point = ord(character)
    is_non_character = 0xFDD0 <= point <= 0xFDEF or point & 0xFFFE == 0xFFFE
    return is_non_character or unicodedata.category(character) in _FORBIDDEN_IN_USER_IDS


def _joins(text: str, position: int) -> bool:
    """Return whether a joiner stands where the letters around it need one (RFC 5892, CONTEXTJ)."""
    try:
        return idna.valid_contextj(text, position)
    except ValueError:
        # A character beside it is none that Unicode names.
        return False


def user_id_digest(text: str) -> str:
    """Return the SHA-256 of a user ID's UTF-8 in hex: what its uniqueness is decided on."""
    return digest(text)


def is_anonymous(user_id: str | None) -> bool:
    """Return whether a user ID is one that is made for anonymous users."""
    return user_id is not None and user_id.startswith(ANONYMOUS_PREFIXES)


def is_of_a_device(user_id: str | None) -> bool:
    """Return whether a user ID is one that Usher made for a device's anonymous user."""
    return user_id is not None and user_id.startswith(DEVICE_PREFIX)


def primary_of(user_ids: Iterable[str]) -> str | None:
    """Choose a user's primary user ID among theirs, oldest first: the first that is not anonymous."""
    ids = list(user_ids)
    return next((id for id in ids if not is_anonymous(id)), None)


def new_anonymous_user_id() -> str:
    """Make a user ID for an anonymous user: ``$anon:<uuid>``."""
    return f"{DEVICE_PREFIX}{uuid.uuid4()}"


def email(text: str) -> str | None:
    """Return an email as it is stored, or ``None`` where nothing can be seen.

    White space, zero-width and direction marks at the ends are dropped and the domain is put in lower-case
    ASCII; the part before the @ keeps its letters, of any script, in NFC (RFC 6531), and its dots, wherever
    they stand, as mail is delivered to such addresses. At most 254 bytes, as sent and as stored, and 64
    before the @.

    Raises ``Malformed``: ``invalid-email``, ``too-long``.
    """
    text = texts.strip(text)
    if not text:
        return None
    _require_at_most(MAX_EMAIL, text, "")
    # email-validator lowers the letters of `Support@` and its like, so this part is taken from the text.
    # It has no @ of its own, as quoted ones are refused.
    local_part, _, domain = text.partition("@")
    local_part = _composed(local_part)
    _require_at_most(MAX_LOCAL_PART, local_part, " before the @")
    if _PLAIN_LOCAL_PART.fullmatch(local_part) and domain.isascii():
        domain = _known_domain(domain)
    else:
        domain = _ascii_domain(f"{_DOTS.sub('.', local_part).strip('.')}@{domain}")
    stored = f"{local_part}@{domain}"
    _require_at_most(MAX_EMAIL, stored, "")
    return stored


def _require_at_most(longest: int, text: str, where: str) -> None:
    # Most texts are so short that their bytes need no counting.
    if len(text) * 4 > longest and len(text.encode("utf-8", "surrogatepass")) > longest:
        raise Malformed("too-long", f"An email has at most {longest} bytes{where}.")


def _composed(local_part: str) -> str:
    """Return a local part in NFC. Raises ``Malformed`` for letters that NFC makes ASCII, such as the Kelvin
    sign: the text would become somebody else's address."""
    if local_part.isascii():
        return local_part
    letters = (letter for letter in local_part if not letter.isascii())
    if any(unicodedata.normalize("NFC", letter).isascii() for letter in letters):
        raise Malformed("invalid-email", NO_EMAIL)
    return unicodedata.normalize("NFC", local_part)


@lru_cache(maxsize=1000)
def _known_domain(domain: str) -> str:
    """Return an ASCII domain as ``_ascii_domain`` does; at once if it was asked for lately, as most emails
    are of a few domains."""
    return _ascii_domain(f"x@{domain}")


def _ascii_domain(address: str) -> str:
    """Return the domain of a valid address in ASCII form."""
    if _DROPPED_FROM_DOMAINS.search(address):
        raise Malformed("invalid-email", "An email holds no invisible characters.")
    try:
        return email_validator.validate_email(
            address,
            allow_smtputf8=True,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            check_deliverability=False,
        ).ascii_domain
    except ValueError:
        # The base of email-validator's errors and of the codecs' below it. Not chained: the words of
        # those hold parts of the address, and a traceback may be logged.
        raise Malformed("invalid-email", NO_EMAIL) from None


def email_key(email: str) -> str:
    """Return what a stored email is compared by: its ASCII letters lowered."""
    # `str.lower` would make the ASCII `k` of the Kelvin sign; this leaves everything else alone.
    return email.lower() if email.isascii() else email.translate(_LETTERS_LOWERED)


def name(text: str) -> str | None:
    """Return what is shown of a person's name, or ``None`` where nothing can be seen.

    Control characters are spaces, and it is cut to 255 code points, between characters as people see them.
    """
    shown = texts.cut(text.translate(_SHOWN_IN_NAMES), MAX_NAME)
    return None if texts.is_blank(shown) else shown


def text(value: str, longest: int) -> str:
    """Return free text, such as a message's body, unchanged: 1 to ``longest`` code points.

    Raises ``Malformed``: ``empty``, also where nothing can be seen, ``too-long``, ``forbidden-character``
    (NUL and surrogates, which no store keeps).
    """
    if len(value) > longest:
        raise Malformed("too-long", f"This text has at most {longest} characters.")
    if texts.is_blank(value):
        raise Malformed("empty", "This text has at least one character that can be seen.")
    if _FORBIDDEN_IN_TEXT.search(value):
        raise Malformed("forbidden-character", "This text holds no NUL and no surrogate characters.")
    return value


def optional_text(value: str, longest: int) -> str | None:
    """Return free text as ``text`` does, or ``None`` where nothing can be seen."""
    return None if texts.is_blank(value) else text(value, longest)


def store_text(value: str) -> str:
    """Return what an app store calls something, unchanged. Raises ``Malformed`` as ``text`` does."""
    return text(value, MAX_STORE_TEXT)


def json_string(value: object) -> str:
    """Return a value of JSON that is a string, unchanged. Raises ``Malformed``: ``not-a-string``."""
    if not isinstance(value, str):
        raise Malformed("not-a-string", "This is a JSON string.")
    return value


def device_id(text: str) -> str:
    """Return a device ID unchanged: 16 to 255 visible ASCII characters.

    Raises ``Malformed``: ``invalid-device-id``, and ``placeholder`` for what many devices send.
    """
    if not _DEVICE_ID.fullmatch(text):
        raise Malformed("invalid-device-id", "A device ID has 16 to 255 visible ASCII characters.")
    if _is_shared_by_devices(text.casefold()):
        raise Malformed("placeholder", "This is what broken clients send in place of a device ID.")
    return text


def _is_shared_by_devices(text: str) -> bool:
    """Return whether a device ID stands for none, as whoever sends it would be one device: zeros, which an
    advertising ID is where tracking is off, or placeholders run together."""
    return text in SHARED_DEVICE_IDS or _NO_DEVICE_ID.fullmatch(text) is not None


def new_device_id(secret: str | None = None) -> str:
    """Make a device ID: ``dev_`` and 256 random bits, a bearer secret; or this ``secret`` of as many."""
    return f"dev_{secret or secrets.token_urlsafe(32)}"


def idempotency_key(text: str) -> str:
    """Return an idempotency key unchanged: 1 to 255 visible ASCII characters.

    Raises ``Malformed``: ``invalid-idempotency-key``.
    """
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise Malformed("invalid-idempotency-key", "It has 1 to 255 visible ASCII characters.")
    return text


def new_id(kind: str) -> str:
    """Make an ID of a record: the kind (``app``, ``key``, ``usr``, …), ``_``, and a UUIDv7 in hex."""
    return f"{kind}_{uuid_utils.uuid7().hex}"


def is_id(kind: str, text: str) -> bool:
    """Return whether a text has the form that ``new_id`` gives to IDs of a kind."""
    prefix = f"{kind}_"
    return text.startswith(prefix) and _HEX.fullmatch(text, len(prefix)) is not None


def new_credential(prefix: str, app: str) -> str:
    """Make a key or token (``sk``, ``pk``, ``st``, ``ik``, ``si``) with its app and 256 random bits."""
    return f"{prefix}_{app.removeprefix('app_')}_{secrets.token_urlsafe(32)}"


def new_token(app: str, device: str) -> str:
    """Make the token of a session on a device, by its digest, which the token says too: so that finding the
    session takes no index of tokens, which each login would have to change."""
    return token_on(new_credential("st", app), device)


def token_on(credential: str, device: str) -> str:
    """Return a credential as the token of a session on a device, by its digest."""
    return f"{credential}.{base64.urlsafe_b64encode(bytes.fromhex(device)).decode().rstrip('=')}"


def device_of_token(text: str) -> str | None:
    """Return the digest of the device that a well-formed token says; None if it is one of the first releases,
    which say none."""
    _, _, told = text.partition(".")
    return base64.urlsafe_b64decode(f"{told}=").hex() if told else None


def read_credential(text: str) -> tuple[str, str] | None:
    """Return the prefix (``sk``, ``pk``, ``st``) and the app's ID of a well-formed credential."""
    found = _CREDENTIAL.fullmatch(text)
    return (found[1], f"app_{found[2]}") if found else None


def read_console_session(text: str) -> str | None:
    """Return the app's ID of a well-formed console session (``si``), which opens the console and no call."""
    found = _SIGN_IN.fullmatch(text)
    return f"app_{found[1]}" if found else None


def new_operator_session() -> str:
    """Make what an operator's browser holds: ``so_`` and 256 random bits."""
    return f"so_{secrets.token_urlsafe(32)}"


def is_operator_session(text: str) -> bool:
    """Return whether a text has the form of what an operator's browser holds."""
    return _OPERATOR.fullmatch(text) is not None


def digest(secret: str) -> str:
    """Return the SHA-256 of a text's UTF-8 in hex: how secrets are stored. Takes any text."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def subscriber_id(text: str) -> str:
    """Return an ID as RevenueCat's clients may give one, unchanged: at most 100 code points, no slash, and an
    anonymous one as they make them or as ours are.

    Raises ``Malformed`` as ``user_id`` does.
    """
    if len(text) > MAX_SUBSCRIBER_ID:
        raise Malformed("too-long", f"An app user ID has at most {MAX_SUBSCRIBER_ID} characters.")
    if "/" in text:
        raise Malformed("forbidden-character", "An app user ID holds no slash.")
    if text.startswith(CLIENT_MADE_PREFIX) and not is_client_made(text):
        raise Malformed("reserved", "No client makes such an ID for an anonymous user.")
    return existing_user_id(text)


def is_client_made(user_id: str) -> bool:
    """Return whether a user ID is an anonymous one as RevenueCat's clients make them."""
    return _CLIENT_MADE.fullmatch(user_id) is not None


def search_key(text: str) -> str:
    """Return what a text is found by when it is known how it begins: letters lowered, cut to 255."""
    return text.casefold()[:MAX_SEARCH]
