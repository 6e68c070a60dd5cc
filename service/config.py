"""The settings, read from the environment once and never changed."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.model.errors import BadSettings

DEFAULT_DATABASE_URL = "sqlite:///usher.sqlite"
SCHEMES = ("postgres", "postgresql", "sqlite")

_ADMIN_KEY = re.compile(r"ak_[!-~]{32,}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_DEMO_KEYS = re.compile(r"pk_\S+ sk_\S+ ik_\S+")
_SQLITE_FILE = re.compile(r"sqlite:///(?!:memory:).+")


@dataclass(frozen=True)
class Config:
    """What a server needs to know before it starts; ``repr`` shows no secret and no database URL.

    The rates are per minute and address, 0 for no limit. ``trusted_hops`` is how many routers in front
    are believed when they say where a request came from. ``demo_keys`` are the publishable key, the secret
    key and the identity key of the app that is shown at /demo.
    """

    admin_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    database_url: str = field(default=DEFAULT_DATABASE_URL, repr=False)
    port: int = 8000
    web_concurrency: int = 2
    login_rate: int = 300
    proof_failure_rate: int = 20
    trusted_hops: int = 0
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
            trusted_hops=settings.whole_number("TRUSTED_HOPS", cls.trusted_hops, 0, 16),
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
