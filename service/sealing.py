"""Keep a secret readable by us alone: encrypted at rest under ``SECRET_KEY``."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken


class Seal:
    """Closes and opens secrets with a key derived from ``SECRET_KEY``; what was closed for one
    ``purpose`` opens for no other."""

    def __init__(self, secret_key: str, purpose: str = "identity secrets") -> None:
        derived = hashlib.sha256(f"usher {purpose}\0{secret_key}".encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def close(self, plain: str) -> str:
        """Encrypt, with authentication."""
        return self._fernet.encrypt(plain.encode()).decode("ascii")

    def open(self, sealed: str) -> str | None:
        """Decrypt; None if it was sealed under another SECRET_KEY, which nobody can open any more."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            return None
