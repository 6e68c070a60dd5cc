"""What a file is, by how it begins, and whether a browser may show it. Nothing that was claimed counts.

Shown are plain images, which hold nothing that a browser runs. All else is downloaded: HTML and SVG, too,
which are text here, and archives, among which are the documents of offices. A file that is two things at once
is the one of these that it begins as, and no browser may guess another (``nosniff``).
"""

from dataclasses import dataclass

UNKNOWN = "application/octet-stream"
TEXT = "text/plain"

# As many bytes of a file are looked at.
HEAD = 64


@dataclass(frozen=True)
class FileType:
    """A type, and what stands at which places of all its files; whether it is ``shown``."""

    name: str
    parts: tuple[tuple[int, bytes], ...]
    shown: bool = False


def _type(name: str, begins: bytes, *parts: tuple[int, bytes], shown: bool = False) -> FileType:
    return FileType(name, ((0, begins), *parts), shown)


def _box(name: str, brand: bytes) -> FileType:
    """A file of ISO's media format, which says after its first size what it is."""
    return FileType(name, ((4, b"ftyp" + brand),))


# The first that fits.
FILE_TYPES = (
    _type("image/png", b"\x89PNG\r\n\x1a\n", (12, b"IHDR"), shown=True),
    _type("image/jpeg", b"\xff\xd8\xff", shown=True),
    _type("image/gif", b"GIF87a", shown=True),
    _type("image/gif", b"GIF89a", shown=True),
    _type("image/webp", b"RIFF", (8, b"WEBPVP8"), shown=True),
    _box("image/avif", b"avif"),
    _box("image/heic", b"heic"),
    _box("image/heic", b"heix"),
    _type("image/tiff", b"II*\0"),
    _type("image/tiff", b"MM\0*"),
    _type("application/pdf", b"%PDF-"),
    _box("video/quicktime", b"qt  "),
    _box("audio/mp4", b"M4A "),
    _box("video/mp4", b""),
    _type("video/webm", b"\x1aE\xdf\xa3"),
    _type("audio/ogg", b"OggS"),
    _type("audio/wav", b"RIFF", (8, b"WAVE")),
    _type("audio/mpeg", b"ID3"),
    _type("audio/mpeg", b"\xff\xfb"),
    _type("application/zip", b"PK\x03\x04"),
    _type("application/gzip", b"\x1f\x8b\x08"),
    _type("application/x-7z-compressed", b"7z\xbc\xaf\x27\x1c"),
)

SHOWN = frozenset(one.name for one in FILE_TYPES if one.shown)


def type_of(head: bytes, *, is_text: bool) -> str:
    """Return what a file is that begins with these bytes; ``is_text`` if all of it is text."""
    for one in FILE_TYPES:
        if all(head.startswith(part, place) for place, part in one.parts):
            return one.name
    return TEXT if is_text else UNKNOWN
