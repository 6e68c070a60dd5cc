"""What the path of a request tells by itself, whichever endpoint it may lead to."""


def section(path: str) -> str:
    """Return what stands behind ``/v1/`` up to the next slash, or "" for a path that begins otherwise."""
    return path.split("/", 3)[2] if path.startswith("/v1/") else ""
