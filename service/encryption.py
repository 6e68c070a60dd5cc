"""Keep a secret readable by us alone: encrypted at rest under ``SECRET_KEY``; and a file by whoever has its
key."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken

from service.model.errors import BadFile

# How many secrets are kept as they were before they were encrypted.
MAX_KEPT = 1000

# What is encrypted.
IDENTITY_SECRETS, WEBHOOK_SECRETS, IMPORTS = "identity secrets", "webhook secrets", "imports"


class Encryption:
    """Encrypts secrets with a key derived from ``SECRET_KEY``; what was encrypted for one
    ``purpose`` is decrypted for no other."""

    def __init__(self, secret_key: str, purpose: str = IDENTITY_SECRETS) -> None:
        derived = hashlib.sha256(f"usher {purpose}\0{secret_key}".encode()).digest()
        self._derived = derived
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))
        # What is encrypted is read from the store each time, so what was deleted there opens nothing.
        self._decrypt_once = lru_cache(MAX_KEPT)(self._decrypt)

    def encrypt(self, plain: str) -> str:
        """Encrypt, with authentication."""
        return self._fernet.encrypt(plain.encode()).decode("ascii")

    def decrypt(self, encrypted: str) -> str | None:
        """Decrypt; None if it was encrypted under another SECRET_KEY, and nobody can read it any more."""
        return self._decrypt_once(encrypted)

    def secret_of(self, text: str) -> str:
        """Return the secret of 256 bits that belongs to a text: always the same under one SECRET_KEY, and
        told by nothing else."""
        code = hmac.digest(self._derived, f"secret of {text}".encode(), "sha256")
        return base64.urlsafe_b64encode(code).decode("ascii").rstrip("=")

    def _decrypt(self, encrypted: str) -> str | None:
        try:
            return self._fernet.decrypt(encrypted).decode()
        except InvalidToken:
            return None


class FileEncryption:
    """Encrypts a file, and texts about it, with a key of its own: once that is gone, nobody reads any copy of
    it, wherever there is one."""

    def __init__(self, key: str) -> None:
        self._fernet = Fernet(key)

    @staticmethod
    def new_key() -> str:
        """Make a key."""
        return Fernet.generate_key().decode("ascii")

    def encrypt(self, text: str) -> str:
        """Encrypt a text."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def decrypt(self, encrypted: str) -> str:
        """Decrypt a text."""
        return self._fernet.decrypt(encrypted).decode()

    def encrypt_piece(self, piece: bytes) -> bytes:
        """Encrypt a piece of a file, as a line."""
        return self._fernet.encrypt(piece) + b"\n"

    def decrypt_pieces(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Decrypt a file that comes in whatever pieces, a piece that was encrypted at a time.

        Raises BadFile where it is damaged.
        """
        rest = b""
        for piece in pieces:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                try:
                    yield self._fernet.decrypt(line)
                except InvalidToken:
                    raise BadFile("its bytes are not those that were sent") from None
