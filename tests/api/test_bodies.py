"""Bodies: JSON objects, strictly and within bounds; what is refused leaves no trace."""

import io
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api.bodies import LARGEST
from service.model.identifiers import new_id
from service.strict_json import DEEPEST
from tests.support.cases import cases
from tests.support.engines import one_engine
from tests.support.responses import problem_of, refused_fields


@pytest.fixture
def send(client, tenant):
    """Send bytes to login as the backend, as JSON and with their length, unless told otherwise."""

    def send(body, path="/v1/login", *, method="POST", key=None, content_type="application/json", **request):
        headers = {"Authorization": f"Bearer {key or tenant.sk}"} | request.pop("headers", {})
        return client.open(
            path, method=method, data=body, headers=headers, content_type=content_type, **request
        )

    return send


@pytest.fixture
def send_in_chunks(send):
    """Send bytes without saying how many there are."""

    def send_in_chunks(body):
        stream = io.BytesIO(body) if isinstance(body, bytes) else body
        return send(
            None,
            input_stream=stream,
            headers={"Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )

    return send_in_chunks


@pytest.fixture
def conversation(tenant):
    """A conversation that an agent began."""
    return tenant.begin(tenant.sk, user=tenant.known(userId="u-17"))


def of_size(size):
    """Write a login's body of so many bytes; of a name only the beginning is kept."""
    return json.dumps({"name": "a" * (size - len('{"name": ""}'))}).encode()


def arrays(levels):
    return b'{"name":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def objects(levels):
    return b'{"name":' * levels + b"1" + b"}" * levels


@one_engine
@cases(
    "body",
    ("Latin-1", '{"name": "Zoë"}'.encode("latin-1")),
    ("a member twice", b'{"name": "Jane", "name": "Eve"}'),
    ("not a number", b'{"name": NaN}'),
    ("two values", b"{} {}"),
    ("cut short", b'{"name": "Jane"'),
    ("white space alone", b" \n"),
    ("an array", b"[]"),
    ("an object in an array", b'[{"name": "Jane"}]'),
    ("null", b"null"),
    ("a string", b'"{}"'),
    ("a number", b"1"),
    ("a boolean", b"true"),
    ("17 levels of arrays", arrays(DEEPEST + 1)),
    ("20,000 open arrays", b"[" * 20_000),
    ("compressed", b"\x1f\x8b\x08\x00"),
)
def test_what_is_not_a_json_object_is_400_and_leaves_no_row(send, rows, body):
    before = rows()
    assert problem_of(send(body)) == (400, "bad-request")
    assert rows() == before


@one_engine
@cases(
    "body",
    ("16 levels of arrays", arrays(DEEPEST)),
    ("a number larger than any", b'{"name": 1e999}'),
    ("an integer of 4,000 digits", b'{"name": ' + b"9" * 4000 + b"}"),
    ("an object", b'{"name": {}}'),
)
def test_what_is_json_and_no_text_is_refused_by_its_member(send, rows, body):
    before = rows()
    response = send(body)
    assert problem_of(response) == (422, "refused")
    assert [(error["pointer"], error["code"]) for error in response.json["errors"]] == [
        ("/name", "not-a-string")
    ]
    assert rows() == before


@one_engine
@cases(
    "content_type",
    ("none", None),
    ("an empty one", ""),
    ("text", "text/plain"),
    ("a form", "application/x-www-form-urlencoded"),
    ("a form with files", "multipart/form-data; boundary=x"),
    ("a problem", "application/problem+json"),
    ("another kind of JSON", "application/vnd.api+json"),
    ("a longer word", "application/jsonp"),
    ("not its name", "text/json"),
    ("two", "application/json, text/plain"),
    ("UTF-16", "application/json; charset=utf-16"),
    ("Latin-1", "application/json; charset=iso-8859-1"),
)
def test_a_body_of_another_content_type_is_415_and_leaves_no_row(send, rows, content_type):
    before = rows()
    assert problem_of(send(b"{}", content_type=content_type)) == (415, "not-json")
    assert rows() == before


@one_engine
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json", "Application/JSON", "application/json; charset=utf-8",
        'application/json;charset="UTF-8"', "application/json; version=1",
    ],
)  # fmt: skip
def test_json_is_read_however_its_content_type_is_spelled(send, content_type):
    response = send('{"name": "Zoë"}'.encode(), content_type=content_type)
    assert (response.status_code, response.json["user"]["name"]) == (201, "Zoë")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
def test_no_body_is_one_without_members(send, content_type):
    response = send(b"", content_type=content_type)
    assert (response.status_code, response.json["resolution"]["rule"]) == (201, "anonymous")


def test_no_body_lacks_the_members_that_are_required(send, tenant):
    assert refused_fields(send(b"", "/v1/apps", key=tenant.admin_key)) == [("/name", "required")]


UNUSABLE = [
    ("/v1/login", "userId", 422),
    ("/v1/login", "email", 422),
    ("/v1/login", "deviceId", 422),
    ("/v1/login", "proof", 401),
    ("/v1/clearAnonymousUser", "deviceId", 422),
    ("/v1/conversations", "message", 422),
    ("/v1/conversations", "subject", 422),
    ("/v1/conversations", "user", 404),
    ("/v1/conversations/{conversation}/messages", "body", 422),
    ("/v1/conversations/{conversation}", "status", 422),
    ("/v1/apps", "settings/origins/0", 422),
    ("/v1/apps/{app}/keys", "kind", 422),
]


@cases("text", ("a surrogate", "a\ud800b"), ("NUL", "a\0b"))
@pytest.mark.parametrize(
    ("path", "member", "status"), [pytest.param(*case, id=" ".join(case[:2])) for case in UNUSABLE]
)
def test_text_that_no_store_can_keep_is_refused_everywhere_and_leaves_no_row(
    *, send, rows, tenant, conversation, path, member, status, text
):
    user = tenant.known(userId="u-17")
    sent = {"user": user, "message": "Hello"} if path == "/v1/conversations" else {}
    if path.endswith("/messages"):
        sent = {"body": "Hello"}
    sent |= {"name": "Shop", "settings": {"origins": [text]}} if "/" in member else {member: text}
    as_admin = path.startswith("/v1/apps")
    before = rows()

    response = send(
        json.dumps(sent),
        path.format(conversation=conversation, app=tenant.id),
        method="PATCH" if member == "status" else "POST",
        key=tenant.admin_key if as_admin else tenant.sk,
    )

    assert response.status_code == status
    if status == 422:
        assert [error["pointer"] for error in response.json["errors"]] == [f"/{member}"]
    assert rows() == before


@one_engine
@cases(
    "name, pointer",
    ("a word", "nickname", "/nickname"),
    ("other letter case", "userid", "/userid"),
    ("with what a pointer escapes", "a/b~c", "/a~1b~0c"),
    ("any letters", "Zoë 🦊", "/Zoë 🦊"),
    ("101 characters", "n" * 101, "/" + "n" * 100),
    ("101 characters, escaped", "/" * 101, "/" + "~1" * 100),
    ("a surrogate", "a\ud800b", "/a?b"),
    ("NUL", "a\0b", "/a\0b"),
)
def test_an_unknown_member_is_refused_by_its_pointer(send, rows, name, pointer):
    before = rows()
    assert refused_fields(send(json.dumps({"userId": "u-17", name: "value"}))) == [(pointer, "unknown")]
    assert rows() == before


def test_every_member_that_is_wrong_is_named_at_once(send, tenant):
    settings = {"sessionDays": 0, "idleDays": "7", "origins": ["https://shop.example", 1], "theme": "dark"}
    response = send(json.dumps({"settings": settings}), "/v1/apps", key=tenant.admin_key)
    assert {(error["pointer"], error["code"]) for error in response.json["errors"]} == {
        ("/name", "required"),
        ("/settings/sessionDays", "not-a-whole-number"),
        ("/settings/idleDays", "not-a-whole-number"),
        ("/settings/origins/1", "not-a-string"),
        ("/settings/theme", "unknown"),
    }


@pytest.fixture(params=["with their length", "in chunks"])
def send_somehow(request, send, send_in_chunks):
    return send if request.param == "with their length" else send_in_chunks


def test_128_kib_are_read(send_somehow):
    response = send_somehow(of_size(LARGEST))
    assert (response.status_code, len(response.json["user"]["name"])) == (201, 255)


FACE, LETTER = "\N{GRINNING FACE}", "\N{COMBINING ACUTE ACCENT}"


def in_entities(sent):
    """Write JSON as those do who escape every character."""
    return re.sub(
        r'"([^"]*)"',
        lambda text: '"' + "".join(f"\\u{unit:04x}" for unit in units_of(text[1])) + '"',
        json.dumps(sent, ensure_ascii=False),
    )


def units_of(text):
    data = text.encode("utf-16-be")
    return [int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)]


@one_engine
@pytest.mark.parametrize("write", [json.dumps, in_entities], ids=["as json.dumps has it", "all escaped"])
@cases("path, key, sent",
    ("a thread", "/v1/conversations", "st", {"message": FACE * 10_000, "subject": FACE * 255}),
    ("a thread of accents", "/v1/conversations", "st", {"message": LETTER * 10_000}),
    ("an agent's message", "/v1/conversations/{conversation}/messages", "sk",
     {"body": FACE * 10_000, "agentName": FACE * 255}),
    ("a message", "/v1/conversations/{conversation}/messages", "st", {"body": "\x7f" * 9_999 + "a"}),
    ("a login", "/v1/login", "sk", {"userId": FACE * 750, "name": FACE * 255}),
    ("a name that is cut", "/v1/resolve", "sk", {"userId": FACE * 750, "name": FACE * 5_000}),
)  # fmt: skip
def test_every_legal_body_is_read_however_it_is_escaped(send, tenant, *, path, key, sent, write):
    login = tenant.login(userId="u-17")
    conversation = tenant.begin(tenant.sk, user=login["user"]["id"])
    response = send(
        write(sent),
        path.format(conversation=conversation),
        key={"st": login["session"]["token"], "sk": tenant.sk}[key],
    )
    assert response.status_code in (200, 201), response.text


@pytest.mark.parametrize("more", [1, LARGEST])
def test_more_than_128_kib_are_413_and_leave_no_row(send_somehow, rows, more):
    before = rows()
    assert problem_of(send_somehow(of_size(LARGEST + more))) == (413, "too-large")
    assert rows() == before


class Unreadable(io.BytesIO):
    """What a server gives an application when it cannot make sense of a chunk."""

    def read(self, *_):
        raise RuntimeError("of the server's own kind")


def test_what_says_that_it_is_too_large_is_not_read(send, rows):
    before = rows()
    response = send(None, input_stream=Unreadable(), environ_overrides={"CONTENT_LENGTH": str(10**12)})
    assert response.status_code == 413
    assert rows() == before


def test_chunks_that_the_server_cannot_read_are_400_and_leave_no_row(send_in_chunks, rows):
    before = rows()
    assert problem_of(send_in_chunks(Unreadable())) == (400, "bad-request")
    assert rows() == before


NAMES = st.sampled_from([
    "agentName", "anonymousOnLogin", "body", "clear", "conversationScope", "deviceId", "email", "idleDays",
    "identityVerification", "kind", "message", "name", "origins", "proof", "sessionDays", "settings",
    "status", "subject", "user", "userId",
])  # fmt: skip
# Surrogates as well, which JSON can write and UTF-8 cannot.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(
    ["open", "secret", "merge", "off", "usr_", "\0", "null", "a@b.example", "https://a.example:1"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | TEXTS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.binary(max_size=200) | st.dictionaries(NAMES | TEXTS, VALUES, max_size=5).map(
    lambda value: json.dumps(value).encode()
)


def changing_routes(app):
    return sorted(
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in {"POST", "PATCH"} & rule.methods
        if rule.rule.startswith("/v1/")
    )


@settings(
    max_examples=100,
    deadline=None,
    # All examples share one tenant, whose rows are counted before and after each.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), body=BODIES)
def test_no_body_gives_a_5xx_and_none_that_is_refused_leaves_a_row(
    *, app, store, send, rows, tenant, conversation, data, body
):
    method, rule = data.draw(st.sampled_from(changing_routes(app)))
    key = data.draw(st.sampled_from([tenant.sk, tenant.pk, tenant.admin_key, tenant.session]))
    id = tenant.id if rule.startswith("/v1/apps") else conversation
    path = rule.replace("<id>", data.draw(st.sampled_from([id, new_id(id[:3])])))
    key = key if isinstance(key, str) else key()
    before, apps = rows(), len(store.apps.all())
    response = send(body, path, method=method, key=key)
    assert response.status_code < 500
    assert response.status_code < 400 or (rows(), len(store.apps.all())) == (before, apps)


@one_engine
def test_a_head_is_answered_as_a_get_but_for_the_body(client, tenant):
    path, headers = f"/v1/apps/{tenant.id}", {"Authorization": f"Bearer {tenant.admin_key}"}
    get, head = (client.open(path, method=method, headers=headers) for method in ("GET", "HEAD"))

    told = [{name: value for name, value in one.headers if name != "X-Request-Id"} for one in (get, head)]
    assert (head.status_code, head.data) == (200, b"")
    assert told[0] == told[1]
    assert told[1]["Content-Length"] == str(len(get.data))
