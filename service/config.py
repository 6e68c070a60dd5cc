"""The settings, read from the environment once and never changed."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from service.model.errors import BadSettings

DEFAULT_DATABASE_URL = "sqlite:///usher.sqlite"
SCHEMES = ("postgres", "postgresql", "sqlite")
MAX_ATTACHMENT_BYTES = 100 * 2**20

_ADMIN_KEY = re.compile(r"ak_[!-~]{32,}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_DEMO_KEYS = re.compile(r"pk_\S+ sk_\S+ ik_\S+")
# As browsers write it.
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?")
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^?#]*)?(\?[^#]*)?")
_FOLDER = re.compile(r"file:///[^?#]+")
_SQLITE_FILE = re.compile(r"sqlite:///(?!:memory:).+")


@dataclass(frozen=True)
class Config:
    """What a server needs to know before it starts; ``repr`` shows no secret and no database URL.

    The rates are per minute, 0 for no limit: of logins and failed proofs per address, of new users per
    app. ``trusted_hops`` is how many routers in front
    are believed when they say where a request came from. ``event_days`` is for how long events are kept,
    ``tidy_idle_days``, ``tidy_empty_days`` and ``tidy_cleared_days`` for how long anonymous users who do
    nothing, of whom there is nothing, and who were cleared. ``work_port`` is where a worker of its own says
    how it does; 0 for nowhere.
    ``files_url`` is where attachments are, or empty if there is no place for them, and ``attachment_bytes``
    how large one may be.
    ``webhook_loopback`` is ``on`` where they may be delivered to this machine.
    ``live_url`` is the origin of streams as pages see it, none where there are none, and ``web_url`` that of
    all else, if it is another; streams are served on ``live_port``, 0 for ``port``, ``live_streams`` at most.
    ``journal`` is the path of the file that says what was revoked, if there is one.
    ``demo_keys`` are the publishable key, the secret key and the identity key of the app that is shown at
    /demo.
    """

    admin_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    database_url: str = field(default=DEFAULT_DATABASE_URL, repr=False)
    port: int = 8000
    web_concurrency: int = 2
    login_rate: int = 300
    proof_failure_rate: int = 20
    new_user_rate: int = 0
    trusted_hops: int = 0
    event_days: int = 30
    tidy_idle_days: int = 180
    tidy_empty_days: int = 30
    tidy_cleared_days: int = 30
    work_port: int = 0
    files_url: str = field(default="", repr=False)
    attachment_bytes: int = 10 * 2**20
    webhook_loopback: str = "off"
    live_url: str = ""
    live_port: int = 0
    live_streams: int = 5000
    web_url: str = ""
    journal: str = field(default="", repr=False)
    demo_keys: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Config":
        """Read every setting; an empty one counts as missing.

        Raises BadSettings, which names each setting that is missing or malformed and shows no value.
        """
        settings = _Settings(environ)
        config = cls(
            admin_key=settings.admin_key(),
            secret_key=settings.secret_key(),
            database_url=settings.database_url(),
            port=settings.whole_number("PORT", cls.port, 1, 65_535),
            web_concurrency=settings.whole_number("WEB_CONCURRENCY", cls.web_concurrency, 1, 64),
            login_rate=settings.whole_number("LOGIN_RATE", cls.login_rate, 0, 1_000_000),
            proof_failure_rate=settings.whole_number(
                "PROOF_FAILURE_RATE", cls.proof_failure_rate, 0, 1_000_000
            ),
            new_user_rate=settings.whole_number("NEW_USER_RATE", cls.new_user_rate, 0, 1_000_000),
            trusted_hops=settings.whole_number("TRUSTED_HOPS", cls.trusted_hops, 0, 16),
            event_days=settings.whole_number("EVENT_DAYS", cls.event_days, 7, 365),
            tidy_idle_days=settings.whole_number("TIDY_IDLE_DAYS", cls.tidy_idle_days, 1, 36_500),
            tidy_empty_days=settings.whole_number("TIDY_EMPTY_DAYS", cls.tidy_empty_days, 1, 36_500),
            tidy_cleared_days=settings.whole_number("TIDY_CLEARED_DAYS", cls.tidy_cleared_days, 1, 36_500),
            work_port=settings.whole_number("WORK_PORT", cls.work_port, 0, 65_535),
            files_url=settings.files_url(),
            attachment_bytes=settings.whole_number(
                "ATTACHMENT_BYTES", cls.attachment_bytes, 1, MAX_ATTACHMENT_BYTES
            ),
            webhook_loopback=settings.on_or_off("WEBHOOK_LOOPBACK", cls.webhook_loopback),
            live_url=settings.origin("LIVE_URL"),
            live_port=settings.whole_number("LIVE_PORT", cls.live_port, 0, 65_535),
            live_streams=settings.whole_number("LIVE_STREAMS", cls.live_streams, 1, 100_000),
            web_url=settings.origin("WEB_URL"),
            journal=environ.get("JOURNAL", ""),
            demo_keys=settings.demo_keys(),
        )
        if settings.complaints:
            raise BadSettings("; ".join(settings.complaints))
        return config


class _Settings:
    """Reads settings and gathers what is wrong with them, so that one message can say it all."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.complaints: list[str] = []

    def admin_key(self) -> str:
        value = self._required("ADMIN_KEY")
        if value and not _ADMIN_KEY.fullmatch(value):
            self.complaints.append("ADMIN_KEY must be ak_ and at least 32 more visible ASCII characters")
        return value

    def secret_key(self) -> str:
        value = self._required("SECRET_KEY")
        if value and len(value) < 32:
            self.complaints.append("SECRET_KEY must have at least 32 characters")
        return value

    def database_url(self) -> str:
        value = self.environ.get("DATABASE_URL") or DEFAULT_DATABASE_URL
        scheme, separator, _ = value.partition("://")
        if not separator or scheme not in SCHEMES:
            self.complaints.append("DATABASE_URL must begin with postgres://, postgresql:// or sqlite:///")
        elif scheme == "sqlite" and self.environ.get("DYNO"):
            self.complaints.append(
                "DATABASE_URL must name a PostgreSQL server: a Heroku dyno's disk, and with it the file of"
                " SQLite, is thrown away at each restart"
            )
        elif scheme == "sqlite" and not _SQLITE_FILE.fullmatch(value):
            self.complaints.append("DATABASE_URL must name a file after sqlite:///")
        return value

    def files_url(self) -> str:
        """Return where files are: as it is set, or else beside an SQLite file. On a dyno a folder is none."""
        value = self.environ.get("FILES_URL", "")
        if not value:
            database_url = self.environ.get("DATABASE_URL") or DEFAULT_DATABASE_URL
            if not _SQLITE_FILE.fullmatch(database_url):
                return ""
            beside = Path(database_url.removeprefix("sqlite:///")).with_suffix(".files")
            value = f"file://{quote(str(beside.absolute()))}"
        elif not _BUCKET.fullmatch(value) and not _FOLDER.fullmatch(value):
            self.complaints.append("FILES_URL must be s3://bucket, perhaps with a prefix, or file:///folder")
        return "" if value.startswith("file:") and self.environ.get("DYNO") else value

    def demo_keys(self) -> str:
        value = self.environ.get("DEMO_KEYS", "")
        database_url = self.environ.get("DATABASE_URL") or DEFAULT_DATABASE_URL
        is_local = not self.environ.get("DYNO") and database_url.startswith("sqlite:")
        if value and not (_DEMO_KEYS.fullmatch(value) and is_local):
            self.complaints.append(
                "DEMO_KEYS is for make run alone: three keys, pk_… sk_… ik_…, of an app on SQLite, and never"
                " on a Heroku dyno"
            )
        return value

    def origin(self, name: str) -> str:
        value = self.environ.get(name, "")
        if value and not _ORIGIN.fullmatch(value):
            self.complaints.append(f"{name} must be an origin, such as https://support.example.org")
        return value

    def on_or_off(self, name: str, default: str) -> str:
        value = self.environ.get(name) or default
        if value not in ("on", "off"):
            self.complaints.append(f"{name} must be on or off")
        return value

    def whole_number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.environ.get(name) or str(default)
        number = int(value) if _WHOLE_NUMBER.fullmatch(value) else None
        if number is None or not least <= number <= most:
            self.complaints.append(f"{name} must be a whole number from {least} to {most}")
            return default
        return number

    def _required(self, name: str) -> str:
        value = self.environ.get(name, "")
        if not value:
            self.complaints.append(f"{name} is missing")
        return value
