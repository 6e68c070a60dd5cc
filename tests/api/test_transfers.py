"""Files on their way: so many at once, and nobody takes for ever over one."""

import io
import itertools

import pytest

from service import threads
from service.api import transfers
from service.api.bodies import LARGEST
from service.api.context import NAME
from service.api.transfers import MAX_AT_ONCE, MAX_UPLOADS
from service.model.errors import Busy, FilesUnavailable
from tests.support.attachments import PNG, fetch, send, sent
from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.responses import problem_of

# The engine does not matter to any of these.
pytestmark = one_engine

LARGE = bytes(10 * transfers.PIECE)


@pytest.fixture
def id(tenant, jane):
    return tenant.begin(jane)


@pytest.fixture
def large(tenant, jane, id):
    """The id of a file of many pieces."""
    return sent(tenant, id, jane, LARGE)["id"]


@pytest.mark.usefixtures("database_url")
def test_a_process_has_a_thread_left_for_all_else():
    namespace = {}
    with open("gunicorn.conf.py") as settings:
        line = next(line for line in settings if line.startswith("threads = "))
    exec(line, namespace)  # noqa: S102 - one line of our own
    assert MAX_UPLOADS < MAX_AT_ONCE < namespace["threads"]


def test_a_file_has_its_room_until_it_is_read_or_given_up(app, tenant, jane, large):
    room = app.extensions[NAME].transfers._all
    reading = [fetch_slowly(app, jane, large) for _ in range(MAX_AT_ONCE)]
    assert problem_of(fetch(tenant, large, jane)) == (503, "busy")
    assert problem_of(send(tenant, tenant.begin(jane), jane)) == (503, "busy")
    for response in reading:
        response.close()
    assert room._value == MAX_AT_ONCE
    assert fetch(tenant, large, jane).data == LARGE
    assert room._value == MAX_AT_ONCE


def fetch_slowly(app, key, id):
    """Begin to read a file."""
    response = app.test_client().get(f"/v1/attachments/{id}", headers={"Authorization": f"Bearer {key}"})
    assert next(iter(response.response))
    return response


def test_a_file_that_is_not_there_takes_no_room(tenant, jane, large):
    tenant.client.application.extensions[NAME].store.of(tenant.id).files.remove(large)
    for _ in range(MAX_AT_ONCE + 1):
        assert problem_of(fetch(tenant, large, jane)) == (404, "not-found")


def test_who_reads_too_slowly_does_not_get_all(app, jane, large, monkeypatch):
    monkeypatch.setattr(transfers, "PATIENCE", -1)
    monkeypatch.setattr(transfers, "LEAST", 10**12)
    response = app.test_client().get(f"/v1/attachments/{large}", headers={"Authorization": f"Bearer {jane}"})
    with pytest.raises(TimeoutError):
        b"".join(response.response)
    response.close()


def test_who_reads_a_lot_may_take_as_long_as_that_does(tenant, jane, large, monkeypatch):
    monkeypatch.setattr(transfers, "PATIENCE", -1)
    monkeypatch.setattr(transfers, "LEAST", 0)
    assert fetch(tenant, large, jane).data == LARGE


def stream(tenant, key, id, body, **environ):
    """Send a body as a server hands it on that knows where it ends."""
    return tenant.client.post(
        f"/v1/conversations/{id}/attachments",
        headers={"Authorization": f"Bearer {key}"},
        environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True} | environ,
    )


def test_a_file_that_ends_before_its_length_is_none(tenant, jane, id):
    response = stream(tenant, jane, id, io.BytesIO(PNG), CONTENT_LENGTH=str(len(PNG) + 1))
    assert problem_of(response) == (400, "bad-request")


def test_a_file_of_unknown_length_is_refused_when_it_is_too_large(tenant, start, jane, id):
    shop = tenant.on(start(attachment_bytes=len(PNG)))
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked"}
    assert stream(shop, jane, id, io.BytesIO(PNG), **chunked).status_code == 201
    assert problem_of(stream(shop, jane, id, io.BytesIO(PNG + b"x"), **chunked)) == (413, "too-large")


class Broken:
    """What is sent, until it is said why there is no more."""

    def __init__(self, error):
        self._pieces = itertools.chain([PNG], self._raise(error))

    def _raise(self, error):
        raise error
        yield

    def read(self, _size=-1):
        return next(self._pieces)


@cases(
    "error, status, code",
    ("too slow", TimeoutError(), 408, "too-slow"),
    ("silent", BlockingIOError(), 408, "too-slow"),
    ("gone", OSError(), 400, "bad-request"),
    ("malformed", ValueError(), 400, "bad-request"),
)
def test_of_a_file_that_does_not_come_to_its_end_nothing_is_kept(app, tenant, jane, id, error, status, code):
    response = stream(tenant, jane, id, Broken(error), HTTP_TRANSFER_ENCODING="chunked")
    assert problem_of(response) == (status, code)
    own = app.extensions[NAME].store.of(tenant.id)
    assert own.attachments.due(2**62, 10) == ()


@pytest.fixture
def without_its_body():
    """Have the body of what this thread serves not be there."""
    yield threads.ask_for_body
    threads.ask_for_body(lambda _: True)


def refusing(error):
    def has_body(_most):
        raise error

    return has_body


@cases(
    "has_body, status, code",
    ("too slow", refusing(TimeoutError()), 408, "too-slow"),
    ("no room for it", refusing(Busy()), 503, "busy"),
    ("no disk for it", refusing(FilesUnavailable()), 503, "files-unavailable"),
    ("too large", lambda _: False, 413, "too-large"),
)
def test_why_a_body_did_not_come_is_answered(tenant, jane, id, without_its_body, has_body, status, code):
    without_its_body(has_body)
    assert problem_of(send(tenant, id, jane)) == (status, code)
    assert problem_of(tenant.call("POST", "/v1/login", tenant.sk, {"userId": "u-1"})) == (status, code)


def test_who_may_not_send_a_body_hears_so_before_it_is_awaited(tenant, jane, id, without_its_body):
    without_its_body(refusing(threads.BodyAwaited()))
    assert problem_of(send(tenant, id, tenant.pk)) == (403, "not-allowed")
    assert problem_of(send(tenant, "cnv_nowhere", jane)) == (404, "not-found")


def test_what_is_given_up_until_its_body_is_there_leaves_nothing(app, tenant, jane, id, without_its_body):
    room, own = app.extensions[NAME].transfers._uploads, app.extensions[NAME].store.of(tenant.id)
    without_its_body(refusing(threads.BodyAwaited()))
    with pytest.raises(threads.BodyAwaited):
        send(tenant, id, jane)
    assert room._value == MAX_UPLOADS
    assert own.attachments.due(2**62, 10) == ()


def test_json_of_unknown_length_is_refused_when_it_is_too_large(tenant):
    response = tenant.client.post(
        "/v1/login",
        headers={"Authorization": f"Bearer {tenant.sk}", "Transfer-Encoding": "chunked"},
        content_type="application/json",
        environ_overrides={"wsgi.input": io.BytesIO(bytes(LARGEST + 1)), "wsgi.input_terminated": True},
    )
    assert problem_of(response) == (413, "too-large")
