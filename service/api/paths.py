"""What the path of a request tells by itself, whichever endpoint it may lead to."""

from flask import Request


def section(path: str) -> str:
    """Return what stands behind ``/v1/`` up to the next slash, or "" for a path that begins otherwise."""
    return path.split("/", 3)[2] if path.startswith("/v1/") else ""


def is_text(request: Request) -> bool:
    """Return whether a path's bytes are UTF-8.

    The framework reads U+FFFD for each that is not, so that paths which differ become one.
    """
    path: str = request.environ["PATH_INFO"]
    try:
        # A server hands over each byte as the character of that number.
        path.encode("latin-1").decode()
    except UnicodeError:
        return False
    return True
