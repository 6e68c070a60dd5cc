"""How people are told apart at a glance: by their initials, and by a colour that goes with who they are."""

import zlib

from service.model.sessions import Colour
from service.texts import first, strip

COLOURS = tuple(Colour)


def initials(name: str) -> str:
    """Return how the first and the last word of a name begin."""
    words = strip(name).split()
    return "".join(first(word) for word in dict.fromkeys((*words[:1], *words[-1:]))).upper()


def colour_of(id: str) -> Colour:
    """Return the colour of whom an id is of: always the same, and for most of a few people different ones."""
    return COLOURS[zlib.crc32(id.encode("utf-8", "surrogatepass")) % len(COLOURS)]
