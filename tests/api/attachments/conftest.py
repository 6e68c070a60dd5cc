"""An app whose files are in a folder, and in a bucket."""

import pytest

from tests.support.buckets import serve_bucket, wait_for_long


@pytest.fixture(scope="session")
def bucket():
    with serve_bucket() as bucket:
        yield bucket


class Place:
    """Where files are, as its operator sees it."""

    def __init__(self, url, names):
        self.url = url
        self.names = names

    def holds(self, id):
        return any(name.endswith(id) for name in self.names())


@pytest.fixture(params=["folder", "bucket"])
def place(request, tmp_path, monkeypatch):
    if request.param == "bucket":
        wait_for_long(monkeypatch)
        bucket = request.getfixturevalue("bucket")
        return Place(bucket.url, bucket.names)
    folder = tmp_path / "files"
    return Place(f"file://{folder}", lambda: [path.name for path in folder.rglob("att_*")])


@pytest.fixture
def shop(tenant, start, place, sound):
    """An app whose files are in a place."""
    return tenant.on(start(files_url=place.url))


@pytest.fixture
def id(shop, jane):
    """A conversation of Jane's."""
    return shop.begin(jane)


@pytest.fixture
def ben(tenant):
    return tenant.session(userId="ben", name="Ben")
