"""Keep a secret readable by us alone: encrypted at rest under ``SECRET_KEY``."""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken

# How many secrets are kept as they were before they were encrypted.
MAX_KEPT = 1000


class Encryption:
    """Encrypts secrets with a key derived from ``SECRET_KEY``; what was encrypted for one
    ``purpose`` is decrypted for no other."""

    def __init__(self, secret_key: str, purpose: str = "identity secrets") -> None:
        derived = hashlib.sha256(f"usher {purpose}\0{secret_key}".encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))
        # What is encrypted is read from the store each time, so what was deleted there opens nothing.
        self._decrypt_once = lru_cache(MAX_KEPT)(self._decrypt)

    def encrypt(self, plain: str) -> str:
        """Encrypt, with authentication."""
        return self._fernet.encrypt(plain.encode()).decode("ascii")

    def decrypt(self, encrypted: str) -> str | None:
        """Decrypt; None if it was encrypted under another SECRET_KEY, and nobody can read it any more."""
        return self._decrypt_once(encrypted)

    def _decrypt(self, encrypted: str) -> str | None:
        try:
            return self._fernet.decrypt(encrypted).decode()
        except InvalidToken:
            return None
