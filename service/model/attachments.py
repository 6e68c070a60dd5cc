"""Attachments: what is known of a file that goes with a message, and what it may be called."""

import re
import unicodedata
from dataclasses import dataclass

from service import texts
from service.times import DAY

MAX_NAME = 255  # code points
# Of a name that is too long its ending stays, if it is one.
MAX_ENDING = 16
UNNAMED = "file"

# How many one message has, and how many somebody may have sent that no message names yet.
MAX_OF_MESSAGE, MAX_WAITING = 10, 20
# For how long one waits for a message that names it.
WAITS = DAY

_SEPARATORS = re.compile(r"[/\\]")
# What no Windows file may be called, and what would turn a name around or hide a part of it. U+200C and
# U+200D are letters' and emoji's company.
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
_DEVICES = re.compile(r"(?i:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\s*(?:\.|$))")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message. ``type`` is what its bytes are, ``size`` how many, and ``sha256``
    their digest in hex."""

    id: str
    name: str
    type: str
    size: int
    sha256: str


def file_name(text: str) -> str:
    """Return what a file may be called everywhere: what stands behind the last slash of a text, composed
    (NFC), without what cannot be seen, and cut to 255 code points between characters, its ending kept."""
    name = unicodedata.normalize("NFC", _SEPARATORS.split(text)[-1])
    seen = "".join(one for one in name if one in _JOINERS or unicodedata.category(one) not in _UNSEEN)
    # Windows drops spaces and dots at the end, and a dot at the beginning hides a file elsewhere.
    name = _FORBIDDEN.sub("_", seen).strip().strip(". ")
    if texts.is_blank(name):
        return UNNAMED
    if _DEVICES.match(name):
        name = f"_{name}"
    return _cut(name)


def _cut(name: str) -> str:
    if len(name) <= MAX_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > MAX_ENDING:
        return texts.cut(name, MAX_NAME)
    return f"{texts.cut(stem, MAX_NAME - len(dot + ending))}{dot}{ending}"
