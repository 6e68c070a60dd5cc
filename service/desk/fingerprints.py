"""A digest of what somebody was shown, so that nothing else is done in its place.

It is no secret: whoever makes one up could ask for the same without a preview.
"""

import hashlib
from collections.abc import Mapping

# What was shown by the names of its parts; each has to look the same as long as it is.
Parts = Mapping[str, object]


def fingerprint(shown: Parts) -> str:
    """Return a digest of each part of what is shown."""
    return "-".join(_digests(shown).values())


def differing(shown: Parts, seen: str) -> tuple[str, ...]:
    """Return the names of the parts that are not as in the fingerprint ``seen``."""
    digests = _digests(shown)
    before = dict(zip(digests, seen.split("-"), strict=False))
    return tuple(name for name, digest in digests.items() if digest != before.get(name))


def _digests(shown: Parts) -> dict[str, str]:
    return {name: hashlib.sha256(repr(part).encode()).hexdigest() for name, part in shown.items()}
