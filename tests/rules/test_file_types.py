"""A file is what it begins as."""

import pytest

from service.rules.file_types import FILE_TYPES, HEAD, SHOWN, type_of
from tests.support.cases import cases


@cases(
    "head, type",
    ("PNG", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
    ("not quite PNG", b"\x89PNG\r\n\x1a\n<script>", "application/octet-stream"),
    ("JPEG", b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
    ("GIF", b"GIF89a", "image/gif"),
    ("WebP", b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    ("another RIFF", b"RIFF\x10\0\0\0AVI ", "application/octet-stream"),
    ("WAV", b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
    ("HEIC, of phones", b"\0\0\0\x18ftypheic", "image/heic"),
    ("MP4", b"\0\0\0\x18ftypisom", "video/mp4"),
    ("QuickTime", b"\0\0\0\x14ftypqt  ", "video/quicktime"),
    ("an office's document", b"PK\x03\x04\x14\0\6\0", "application/zip"),
    ("nothing known", b"MZ\x90", "application/octet-stream"),
)
def test_a_file_that_is_no_text(head, type):
    assert type_of(head, is_text=False) == type


@cases(
    "head, type",
    ("HTML", b"<!DOCTYPE html>", "text/plain"),
    ("SVG", b"<svg>", "text/plain"),
    ("PDF", b"%PDF-1.4", "application/pdf"),
    ("GIF that is a script", b"GIF89a=1;alert(1)", "image/gif"),
)
def test_a_file_that_is_text(head, type):
    assert type_of(head, is_text=True) == type


def test_only_plain_images_are_shown():
    assert {"image/png", "image/jpeg", "image/gif", "image/webp"} == SHOWN


@pytest.mark.parametrize("number", range(len(FILE_TYPES)))
def test_no_row_is_idle_and_none_looks_beyond_the_head(number):
    head = bytearray(HEAD)
    for place, part in FILE_TYPES[number].parts:
        head[place : place + len(part)] = part
    fitting = [one for one in FILE_TYPES if all(head.startswith(part, place) for place, part in one.parts)]
    assert fitting[0] is FILE_TYPES[number]
    assert len(head) == HEAD
