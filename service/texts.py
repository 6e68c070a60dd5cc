"""What of a text can be seen, and where it may be cut: Unicode's answers, for any text at all.

This module knows nothing of what a text is for.
"""

import regex

# White space as Unicode and as Python have it, and what takes no room. The signs that Arabic and its like put
# before a number are of the same category as what takes no room, and are seen.
_NO_ROOM = (
    r"\p{White_Space}\x1c-\x1f\p{Default_Ignorable_Code_Point}[\p{Cf}--\p{Prepended_Concatenation_Mark}]"
)
_TAKES_ROOM = regex.compile(rf"[^{_NO_ROOM}]", regex.V1)
_LAST_THAT_TAKES_ROOM = regex.compile(rf"(?r)[^{_NO_ROOM}]", regex.V1)
# Control characters are not seen either, nor is the Braille pattern without dots.
_SEEN = regex.compile(rf"[^{_NO_ROOM}\p{{Cc}}\u2800]", regex.V1)

_CHARACTER = regex.compile(r"\X")


def _search(pattern: "regex.Pattern[str]", text: str) -> "regex.Match[str] | None":
    """Search without giving up the interpreter's lock: to get it back takes longer than nearly any search."""
    return pattern.search(text, concurrent=False)


def _is_plain(text: str) -> bool:
    """Return whether a text has nothing but ASCII's letters, digits, signs and spaces, as most have."""
    return text.isascii() and text.isprintable()


def is_blank(text: str) -> bool:
    """Return whether nothing of a text can be seen: white space, zero-width, format, control characters."""
    return not text.strip(" ") if _is_plain(text) else _search(_SEEN, text) is None


def strip(text: str) -> str:
    """Return a text without white space, zero-width and format characters at its ends."""
    if _is_plain(text):
        return text.strip(" ")
    first = _search(_TAKES_ROOM, text)
    last = _search(_LAST_THAT_TAKES_ROOM, text)
    return text[first.start() : last.end()] if first and last else ""


def first(text: str) -> str:
    """Return the first character of a text as people see it; of one that is made of very many code points, a
    few. "" if there is none."""
    found = _CHARACTER.match(text, endpos=8)
    return found[0] if found else ""


def cut(text: str, longest: int) -> str:
    """Return the first code points of a text, at most ``longest``, cut between characters as people see them
    (UAX #29's extended grapheme clusters); through one only if it alone is longer."""
    if len(text) <= longest:
        return text
    # Where the character begins that would be cut through.
    *_, last = _CHARACTER.finditer(text, endpos=longest + 1)
    return text[: last.start() or longest]
