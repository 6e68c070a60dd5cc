"""Files in a bucket: they are sent whole, read in parts, and where the bucket is away, that is said soon."""

import resource
import socket
import time
from contextlib import closing

import pytest

from service.files import open_files
from service.files.bucket import PART, PIECE, SEND_TIMEOUT, Bucket
from service.files.folder import Folder
from service.files.nowhere import Nowhere
from service.model.errors import FilesUnavailable, NoFiles, NotFound
from tests.support.buckets import BUCKET, CREDENTIALS, serve_bucket, wait_for_long

APP, ID = "app_1", "att_1234"
DATA = bytes(range(251)) * (2 * PIECE // 251 + 1000)


@pytest.fixture(scope="module")
def served():
    with serve_bucket() as served:
        yield served


@pytest.fixture
def bucket(served, monkeypatch):
    wait_for_long(monkeypatch)
    return Bucket.of(served.url)


def keep(bucket, id=ID, data=DATA):
    with closing(bucket.writing(APP, id)) as file:
        file.write(data)
        file.keep()


def read(bucket, start=0, length=None, id=ID):
    length = length or len(DATA)
    with closing(bucket.read(APP, id, start, length)) as pieces:
        return b"".join(pieces)


def test_a_file_is_there_as_it_was_written(bucket, served):
    bucket.require()
    keep(bucket)
    assert read(bucket) == DATA
    assert read(bucket, PIECE - 10, PIECE + 20) == DATA[PIECE - 10 : 2 * PIECE + 10]
    assert read(bucket, len(DATA) - 1, 1) == DATA[-1:]
    assert f"some/files/{APP}/{ID}" in served.names()


def test_a_large_file_is_sent_in_parts(bucket):
    data = bytes(PART) + b"and a bit"
    keep(bucket, "att_large", data)
    assert read(bucket, PART - 1, 10, id="att_large") == b"\0and a bit"


def test_what_is_not_kept_is_not_sent(bucket, served):
    with closing(bucket.writing(APP, "att_vanished")) as file:
        file.write(DATA)
    assert not any(name.endswith("att_vanished") for name in served.names())


def test_a_file_that_is_removed_is_gone_and_may_be_removed_again(bucket):
    keep(bucket)
    for _ in range(2):
        bucket.remove(APP, ID)
    with pytest.raises(NotFound):
        bucket.read(APP, ID, 0, 1)


@pytest.fixture(params=["refuses", "is silent"])
def away(request, monkeypatch):
    """A bucket that is away."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            listener.listen()
        port = listener.getsockname()[1]
        yield Bucket.of(f"s3://{BUCKET}?endpoint=http://127.0.0.1:{port}&region=us-east-1")


def test_a_bucket_that_is_away_is_said_to_be_soon(away):
    for call in (away.require, lambda: away.read(APP, ID, 0, 1), lambda: away.remove(APP, ID)):
        began = time.monotonic()
        with pytest.raises(FilesUnavailable):
            call()
        assert time.monotonic() - began < SEND_TIMEOUT


def test_a_file_is_not_kept_in_a_bucket_that_is_not_there(served):
    with pytest.raises(FilesUnavailable):
        keep(Bucket.of(served.url.replace(BUCKET, "another-bucket")))


def test_where_this_machine_has_no_room_for_a_file_on_its_way_that_is_said(bucket):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    try:
        with pytest.raises(FilesUnavailable):
            keep(bucket)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("s3://bucket", Bucket),
        ("s3://bucket/a?region=eu-central-1", Bucket),
        ("file:///a", Folder),
        ("", Nowhere),
    ],
)
def test_a_setting_names_a_place(url, kind, monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    assert isinstance(open_files(url), kind)


def test_nowhere_is_no_place_for_files():
    for call in (
        Nowhere().require,
        lambda: Nowhere().writing(APP, ID),
        lambda: Nowhere().read(APP, ID, 0, 1),
        lambda: Nowhere().remove(APP, ID),
    ):
        with pytest.raises(NoFiles):
            call()
