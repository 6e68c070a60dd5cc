"""Of which words a text is, and by which pieces of them it is found in an index.

A word is found by any part of it, in whatever case, and in scripts that put no space between words. So an
index holds no words but all pieces of them, of three characters each, or of two where neither has a case: in
such scripts two often make a word. What holds a word holds all pieces of it; whether what holds all pieces
holds the word has to be looked at.

Of a piece a short digest is kept, of which the app is a part: so the pieces of one app are not those of
another, and what an engine leaves behind in its index, once a text is removed, holds no words.
"""

import unicodedata
from functools import lru_cache
from zlib import crc32

# Letters, marks, digits and symbols: all else stands between words.
_OF_WORDS = "LMNS"
# What a digest is written with, and how many of these it has.
_DIGITS, _LENGTH = "0123456789abcdefghijklmnopqrstuv", 5


class _Kept(dict[int, str]):
    """Which characters there are in words, and spaces in the place of others; worked out once for each."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        self[code] = char if unicodedata.category(char)[0] in _OF_WORDS else " "
        return self[code]


class _Folded(dict[int, str]):
    """As ``_Kept``, but one character for all that are the same in another case, of those that are one
    character."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        upper = char.upper()
        lower = (upper if len(upper) == 1 else char).lower()
        self[code] = (lower if len(lower) == 1 else char) if _KEPT[code] == char else " "
        return self[code]


_KEPT, _FOLDED = _Kept(), _Folded()


def words_in(text: str) -> list[str]:
    """Return the words of a text, in its order."""
    return text.translate(_KEPT).split()


def pieces_of(app: str, text: str) -> set[str]:
    """Return the digests of all pieces of a text, for an app."""
    seed = crc32(app.encode())
    pieces: set[str] = set()
    for word in set(text.translate(_FOLDED).split()):
        if word.isascii():
            pieces.update([word[first : first + 3] for first in range(len(word) - 2)])
        else:
            pieces.update(_pieces(word))
    return {_digest(seed, piece) for piece in pieces}


def _pieces(word: str) -> list[str]:
    has_no_case = [unicodedata.category(char) == "Lo" for char in word]
    both = [*map(min, has_no_case, has_no_case[1:])]
    return [
        word[first : first + (2 if without else 3)]
        for first, without in enumerate(both)
        if without or first + 2 < len(word)
    ]


@lru_cache(maxsize=65_536)
def _digest(seed: int, piece: str) -> str:
    number = crc32(piece.encode("utf-8", "surrogatepass"), seed)
    return "".join(_DIGITS[number >> 5 * place & 31] for place in range(_LENGTH))
