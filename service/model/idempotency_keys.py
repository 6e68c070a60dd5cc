"""What a call is sent with so that it is done once, however often it is sent."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key, as its caller made it up; whose it is, as two callers may make up the same; and the digest of
    the request that it came with."""

    scope: str
    text: str
    request: str
