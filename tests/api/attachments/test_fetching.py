"""A file is answered as what it is, whole or in part, and nothing runs in it."""

import pytest

from tests.support.attachments import PNG, fetch, sent
from tests.support.cases import cases
from tests.support.responses import problem_of


def test_an_image_is_shown_and_nothing_runs_in_it(tenant, jane):
    attachment = sent(tenant, tenant.begin(jane), jane)
    response = fetch(tenant, attachment["id"], jane)
    assert response.status_code == 200
    assert dict(response.headers) | {
        "Content-Type": "image/png",
        "Content-Length": str(len(PNG)),
        "Content-Disposition": "inline; filename=\"parcel.png\"; filename*=UTF-8''parcel.png",
        "Content-Security-Policy": (
            "sandbox; default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Accept-Ranges": "bytes",
        "ETag": f'"{attachment["sha256"]}"',
    } == dict(response.headers)


TEXT = "text/plain; charset=utf-8"


@cases(
    "data, claimed, type",
    ("HTML", b"<!DOCTYPE html><script>alert(1)</script>", "text/html", TEXT),
    ("SVG", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/svg+xml", TEXT),
    ("HTML that claims to be an image", b"<html>", "image/png", TEXT),
    ("a program", b"MZ\x90\0\x03", "image/png", "application/octet-stream"),
    ("text of another encoding", "Grüße".encode("latin-1"), "text/plain", "application/octet-stream"),
    ("PDF", b"%PDF-1.7\n", "image/png", "application/pdf"),
)
def test_all_else_is_downloaded_as_what_it_is(tenant, jane, data, claimed, type):
    attachment = sent(tenant, tenant.begin(jane), jane, data, name="image.png", Content_Type=claimed)
    response = fetch(tenant, attachment["id"], jane)
    assert response.headers["Content-Type"] == type
    assert response.headers["Content-Disposition"].startswith("attachment; ")
    assert attachment["type"] == type.partition(";")[0]


@cases(
    "name, plain, encoded",
    ("letters", "Führer schein.jpg", "F_hrer schein.jpg", "F%C3%BChrer%20schein.jpg"),
    ("quotes", 'a"; filename=b.exe\r\nX: c', "a__ filename_b.exeX_ c", "a_%3B%20filename%3Db.exeX_%20c"),
    ("a path", "../../etc/passwd", "passwd", "passwd"),
    ("none", None, "file", "file"),
)
def test_a_name_stands_in_a_header_and_nothing_beside_it(tenant, jane, name, plain, encoded):
    attachment = sent(tenant, tenant.begin(jane), jane, name=name)
    disposition = fetch(tenant, attachment["id"], jane).headers["Content-Disposition"]
    assert disposition == f"inline; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


@cases(
    "asked, first, end",
    ("the first", "bytes=0-0", 0, 1),
    ("a part", "bytes=8-15", 8, 16),
    ("all of it", "bytes=0-", 0, len(PNG)),
    ("the rest", "bytes=2000-", 2000, len(PNG)),
    ("beyond the end", "bytes=2000-999999", 2000, len(PNG)),
    ("the last", "bytes=-5", len(PNG) - 5, len(PNG)),
    ("more than there are", "bytes=-999999", 0, len(PNG)),
)
def test_a_part_is_fetched(shop, jane, id, asked, first, end):
    attachment = sent(shop, id, jane)["id"]
    response = fetch(shop, attachment, jane, Range=asked)
    assert (response.status_code, response.data) == (206, PNG[first:end])
    assert response.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(PNG)}"


@pytest.mark.parametrize("asked", ["bytes=1-0", "bytes=x", "lines=0-5", "bytes=0-1,4-5", "bytes", "\xe9"])
def test_what_is_no_range_is_all(tenant, jane, asked):
    attachment = sent(tenant, tenant.begin(jane), jane)["id"]
    response = fetch(tenant, attachment, jane, Range=asked)
    assert (response.status_code, response.data) == (200, PNG)


def test_a_range_that_is_not_there_is_refused(tenant, jane):
    attachment = sent(tenant, tenant.begin(jane), jane)["id"]
    response = fetch(tenant, attachment, jane, Range=f"bytes={len(PNG)}-")
    assert problem_of(response) == (416, "no-such-range")
    assert response.headers["Content-Range"] == f"bytes */{len(PNG)}"


def test_a_part_of_another_file_is_all_of_this_one(tenant, jane):
    attachment = sent(tenant, tenant.begin(jane), jane)
    same = f'"{attachment["sha256"]}"'
    for part_of, status in ((same, 206), ('"other"', 200), ("Sun, 06 Nov 1994 08:49:37 GMT", 200)):
        response = fetch(tenant, attachment["id"], jane, Range="bytes=0-3", If_Range=part_of)
        assert response.status_code == status


def test_head_tells_all_but_the_bytes(tenant, jane):
    attachment = sent(tenant, tenant.begin(jane), jane)["id"]
    response = tenant.call("HEAD", f"/v1/attachments/{attachment}", jane)
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == str(len(PNG))
