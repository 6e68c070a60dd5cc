"""An operator sends a file of people, sees what would come of it, has it come, and watches."""

import csv
import io
import threading
from pathlib import Path

import pytest

from service.console.imports import NAMES
from service.moving.sources.catalogue import SOURCES
from service.store.apps import AllApps
from service.store.tables import Removals
from service.times import DAY, now
from service.work import importing
from service.work.importing import Importer
from tests.console.conftest import NOBODY, Agent, require_words, text_of, without_ours
from tests.support.cases import cases
from tests.support.rows import rows_of
from tests.support.servers import ADMIN_KEY, SECRET_KEY

FORM, END = "multipart/form-data; boundary=b", b"--b--\r\n"
JANE = "user_id,email,name\nu-jane,jane@example.org,Jane\n"


@pytest.fixture(autouse=True)
def _one_app_only(tenant, monkeypatch):
    """Leave alone what other tests have sent."""
    everything = AllApps.with_imports
    monkeypatch.setattr(AllApps, "with_imports", lambda self: {tenant.id} & {*everything(self)})
    monkeypatch.setattr(importing, "REST", 0)


@pytest.fixture
def page(tenant):
    return f"/console/apps/{tenant.id}/imports"


@pytest.fixture
def worker(store):
    return Importer(store, SECRET_KEY, threading.Event())


@pytest.fixture
def send(operator, page):
    """Send a file; return the answer."""

    def send(text, name="people.csv", to=page, **fields):
        data = text if isinstance(text, bytes) else text.encode()
        said = {"token": operator.token, "source": "csv"} | fields
        body = b"".join(
            [*(part(one, value.encode()) for one, value in said.items()), part("file", data, name)]
        )
        return operator.client.post(to, data=body + END, content_type=FORM)

    return send


@pytest.fixture
def read(send, worker):
    """Send a file and have it read; return the path of its page."""

    def read(text, **fields):
        sent = send(text, **fields)
        assert sent.status_code == 303, text_of(sent)
        worker.turn()
        return sent.headers["Location"].partition("?")[0]

    return read


def rejects_in(answer):
    return [*csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))]


def names_of(tenant):
    return sorted(user["userId"] for user in tenant.get("/v1/users?q=u-", tenant.sk).json["data"])


def part(name, value, file=None):
    named = f'name="{name}"' + (f'; filename="{file}"' if file else "")
    return f"--b\r\nContent-Disposition: form-data; {named}\r\n\r\n".encode() + value + b"\r\n"


# --- from the file to the people -----------------------------------------------------------------


def test_people_are_taken_in_once_it_was_shown_what_would_come_of_it(operator, tenant, send, worker, page):
    require_words(operator.get(page), "at most 64 MB", "Take people in from a file")
    sent = operator.follow(send(JANE + "u-bob,bob@example.org,Bob\n,,Nobody\n"))
    require_words(sent, "encrypted", "it is being read", "0 people so far", "It waits for whoever works")
    one = sent.request.path
    worker.turn()

    read = operator.get(one)
    require_words(
        read, "What would become of them: csv", "new-user-id", "2 2 0", "nobody", "Take 2 people in"
    )
    assert (names_of(tenant), rejects_in(operator.get(f"{one}/rejects"))) == (
        [],
        [
            ["text", "line", "reason", "detail"],
            [",,Nobody", "4", "nobody", "It has neither a user ID nor an email."],
        ],
    )
    require_words(operator.follow(operator.post(f"{one}/start")), "0 of 2 people so far")
    worker.turn()

    done = operator.get(one)
    require_words(done, "What became of them: csv", "2 2 0")
    assert "not quite what you were shown" not in text_of(done)
    assert names_of(tenant) == ["u-bob", "u-jane"]
    assert len(rejects_in(operator.get(f"{one}/rejects"))) == 2
    require_words(operator.get(page), "Files that were sent", "its people were taken in")


def test_what_is_shown_is_by_the_rules_with_what_is_known_when_it_happens(operator, tenant, read, worker):
    one = read(JANE)
    tenant.known(userId="u-jane", name="Jane")
    operator.post(f"{one}/start")
    worker.turn()

    require_words(operator.get(one), "known-user-id", "1 0 1", "not quite what you were shown")


def test_whoever_sends_a_file_can_say_of_each_desk_that_it_is_theirs():
    assert NAMES.keys() == SOURCES.keys()


def test_it_begins_once_however_often_it_is_said(operator, tenant, read, worker):
    one = read(JANE)
    for _ in range(2):
        assert operator.post(f"{one}/start").status_code == 303
    worker.turn()
    assert operator.post(f"{one}/start").status_code == 303
    assert not worker.turn()
    require_words(operator.get(one), "its people were taken in")


def test_nothing_begins_that_was_not_read(operator, send, page):
    one = send(JANE).headers["Location"].partition("?")[0]
    refused = operator.post(f"{one}/start")
    assert refused.status_code == 409
    require_words(refused, "What would come of the file is not known.")


@cases(
    "sent, fields, says",
    ("a BOM", b"\xef\xbb\xbf" + JANE.encode(), {}, "1 1 0"),
    ("semicolons", JANE.replace(",", ";"), {}, "1 1 0"),
    ("UTF-16", JANE.encode("utf-16"), {}, "1 1 0"),
    ("a desk's CSV, by its columns", "identifier,email,phone_number\nu-1,a@example.org,\n", {}, "chatwoot"),
    ("a desk's JSON", '{"external_id": "u-1", "role": "end-user"}\n', {"source": "zendesk"}, "zendesk"),
    ("columns of its own", "Who;Mail\nu-1;\n", {"userIdColumn": "Who", "emailColumn": "Mail"}, "1 1 0"),
    (
        "an encoding of its own",
        "user_id,name\nu-1,J\xe4ne\n".encode("cp1252"),
        {"encoding": "cp1252"},
        "1 1 0",
    ),
    (
        "emails that are trusted",
        '{"email": "a@example.org"}\n',
        {"source": "intercom", "trustsEmails": "yes"},
        "new-email",
    ),
    ("a line of 10 MB", f"{JANE}u-2,,{'x' * 10 * 2**20}\nu-3,,Bob\n", {}, "bad-line"),
    ("nobody", "user_id\n", {}, "nobody 0 0 0"),
    ("a member that can't be used", "user_id,email\nu-1,none\n", {}, "1 times email"),
)
def test_a_file_is_read_as_what_it_is(operator, read, sent, fields, says):
    require_words(operator.get(read(sent, **fields)), "What would come of it", says)


def test_conversations_are_counted_too(operator, read, worker):
    said = '{"role": "contact", "external_id": "u-1", "id": "c1"}\n' + (
        '{"id": "9", "created_at": 1, "contacts": {"contacts": [{"id": "c1"}]}, "source": {"body": "Hi",'
        ' "author": {"type": "user"}}, "conversation_parts": {"conversation_parts": [{"part_type": "note",'
        ' "body": "Hm", "author": {"type": "admin"}}]}}\n'
    )
    one = read(said, source="intercom")
    require_words(operator.get(one), "1 conversations, 1 of them new; 1 messages are left out")
    operator.post(f"{one}/start")
    worker.turn()
    require_words(operator.get(one), "1 conversations, 1 of them new; 1 messages are left out")


@cases(
    "sent, fields, says",
    ("no column of a person", "colour\nblue\n", {}, "No column is a user ID or an email"),
    ("a column that is not there", JANE, {"userIdColumn": "Nr"}, "There is no column Nr"),
    ("no such encoding", JANE, {"encoding": "klingon"}, "There is no encoding klingon"),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0", {}, "can’t be read"),
)
def test_a_file_that_is_none_says_why(operator, tenant, store, read, sent, fields, says):
    one = read(sent, **fields)
    require_words(operator.get(one), says)
    assert operator.get(f"{one}/rejects").status_code == 404
    assert operator.post(f"{one}/start").status_code == 409
    assert files_of(store, tenant) == []


def test_a_spreadsheet_takes_no_cell_of_what_was_left_out_for_a_formula(operator, read):
    texts = ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "＝1", "a;=1+1"]
    lines = "".join(f'"{text}",,,\n' for text in texts)
    found = rejects_in(operator.get(f"{read(f'name,user_id,email{chr(10)}{lines}')}/rejects"))[1:]
    # The text of a line stands first, within quotes.
    assert [text[0] for text, *_ in found] == ['"'] * len(texts)
    unquoted = "".join(f"{text},,\n" for text in texts)
    answer = operator.get(f"{read(f'name,user_id,email{chr(10)}{unquoted}')}/rejects")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="rejects.csv"'
    assert [text for text, *_ in rejects_in(answer)[1:]] == [
        *(f"'{text},," for text in texts[:7]),
        "a;=1+1,,",
    ]
    assert [line[:1] for line in answer.data.decode("utf-8-sig").splitlines()] == ['"'] * (len(texts) + 1)


def test_of_very_much_that_is_left_out_not_all_is_written_down(operator, read, monkeypatch):
    monkeypatch.setattr("service.moving.uploads.MAX_REJECTS", 200)
    found = rejects_in(
        operator.get(f"{read('user_id,name' + chr(10) + ',a' * 1 + chr(10) + (',b' + chr(10)) * 20)}/rejects")
    )
    assert (found[-1][2], len(found) < 10) == ("more", True)


# --- what is kept, and how long ------------------------------------------------------------------


def files_of(store, tenant):
    """The files of an app whose bytes are to be removed once."""
    return sorted(
        file
        for (file,) in store.database.rows(Removals.select(Removals.file).where(Removals.app == tenant.id))
    )


def kept_of(config, tenant):
    """All bytes that are kept of an app's files."""
    folder = Path(config.files_url.removeprefix("file://")) / tenant.id
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def kinds(store, tenant):
    return [file.partition("_")[0] for file in files_of(store, tenant)]


def test_nothing_of_a_file_can_be_read_where_it_is_kept(config, store, tenant, read, operator, worker):
    one = read(f"{JANE},nobody@example.org is not one,Nobody\n", userIdColumn="user_id")
    bytes_, rows = kept_of(config, tenant), rows_of(store, tenant.id)
    assert len(bytes_) == 2
    operator.post(f"{one}/start")
    worker.turn()
    for kept in (f"{bytes_}", f"{rows}", f"{kept_of(config, tenant)}"):
        assert not [word for word in ("jane@", "Jane", "u-jane", "Nobody") if word in kept]


def test_its_bytes_go_when_its_people_are_taken_in_and_all_of_it_goes_after_a_day(
    config, store, operator, tenant, read, worker, time_machine
):
    time_machine.move_to(now() / 1000, tick=False)
    one = read(JANE)
    assert (kinds(store, tenant), len(kept_of(config, tenant))) == (["imp", "rej"], 2)
    time_machine.shift(DAY / 4000)
    operator.post(f"{one}/start")
    worker.turn()
    assert (kinds(store, tenant), len(kept_of(config, tenant))) == (["rej"], 1)

    time_machine.shift(DAY / 1000 - 1)
    operator.sign_in(ADMIN_KEY)
    worker.turn()
    assert operator.get(one).status_code == 200
    time_machine.shift(1)
    for _ in range(2):
        assert operator.get(one).status_code == 404
        assert "Files that were sent" not in text_of(operator.get(one.rpartition("/")[0]))
        worker.turn()
    assert (kinds(store, tenant), kept_of(config, tenant)) == ([], [])
    assert rows_of(store, tenant.id)["imports"] == []


def test_whoever_removes_a_file_finds_nothing_of_it_any_more(config, store, operator, tenant, read, page):
    one = read(JANE)
    require_words(operator.follow(operator.post(f"{one}/remove")), "The file is removed")
    assert (operator.get(one).status_code, kinds(store, tenant), kept_of(config, tenant)) == (404, [], [])


def test_with_its_app_goes_all_of_a_file(config, store, tenant, read):
    read(JANE)
    assert tenant.call("DELETE", f"/v1/apps/{tenant.id}", tenant.admin_key).status_code == 204
    assert (files_of(store, tenant), kept_of(config, tenant)) == ([], [])


def test_what_is_due_to_be_removed_is_not_begun_with(store, operator, tenant, read):
    one = read(JANE)
    store.database.change(Removals.update(due=0).where(Removals.app == tenant.id))
    assert operator.post(f"{one}/start").status_code == 404


def test_under_another_secret_key_a_file_can_only_be_removed(start, tenant, send, read, worker):
    one = read(JANE)
    other = Agent(start(secret_key="y" * 32).test_client())
    other.sign_in(ADMIN_KEY)
    require_words(other.get(one), "It was encrypted under another SECRET_KEY.")
    assert other.get(f"{one}/rejects").status_code == 404
    assert other.post(f"{one}/remove").status_code == 303


# --- what is refused -----------------------------------------------------------------------------


def test_another_apps_file_is_one_that_there_is_not(operator, other_tenant, read):
    one = read(JANE)
    theirs = f"/console/apps/{other_tenant.id}/imports/{one.rpartition('/')[2]}"
    nowhere = operator.get(f"/console/apps/{other_tenant.id}/imports/imp_{NOBODY}")
    for answer in (
        operator.get(theirs),
        operator.get(f"{theirs}/rejects"),
        operator.post(f"{theirs}/start"),
        operator.post(f"{theirs}/remove"),
        operator.get(f"/console/apps/{other_tenant.id}/imports/nothing"),
    ):
        assert (answer.status_code, answer.data) == (404, nowhere.data)
    assert operator.get(one).status_code == 200


@cases(
    "fields, headers",
    ("no token", {"token": ""}, {}),
    ("another's token", {"token": "0" * 64}, {}),
    ("from another site", {}, {"Sec-Fetch-Site": "cross-site"}),
    ("from another origin", {}, {"Origin": "https://evil.example.org"}),
)
def test_a_form_that_is_not_ours_sends_nothing(operator, store, tenant, send, monkeypatch, fields, headers):
    monkeypatch.setitem(operator.client.environ_base, "HTTP_X_NONE", "")
    for name, value in headers.items():
        monkeypatch.setitem(operator.client.environ_base, f"HTTP_{name.upper().replace('-', '_')}", value)
    assert send(JANE, **fields).status_code == 403
    assert (files_of(store, tenant), rows_of(store, tenant.id)["imports"]) == ([], [])


def test_an_agent_sends_no_file(agent, page, send):
    sent = {"token": agent.token, "source": "csv", "file": (io.BytesIO(b"x"), "x.csv")}
    assert agent.client.post(page, data=sent, content_type="multipart/form-data").status_code == 404


@cases(
    "sent, fields, says",
    ("an empty file", "", {}, "Choose a file"),
    ("whose it is, not said", JANE, {"source": ""}, "Choose whose file it is."),
    ("whose it is, unknown", JANE, {"source": "freshdesk"}, "Choose whose file it is."),
    ("a long name", JANE, {"encoding": "x" * 256}, "A name has at most 255 characters."),
)
def test_a_form_that_is_not_filled_in_is_shown_again(store, tenant, send, sent, fields, says):
    refused = send(sent, **fields)
    assert refused.status_code == 422
    require_words(refused, says, "Take people in from a file")
    assert (files_of(store, tenant), rows_of(store, tenant.id)["imports"]) == ([], [])


def test_a_form_without_a_file_is_shown_again(operator, page):
    refused = operator.post(page, source="csv")
    assert refused.status_code == 422
    require_words(refused, "Choose a file")


def test_an_app_has_ten_files_at_most(operator, send, page):
    for _ in range(10):
        assert send(JANE).status_code == 303
    refused = send(JANE)
    assert refused.status_code == 409
    require_words(refused, "This app has 10 files already", "Remove one of them")
    assert "enctype" not in refused.text


@cases(
    "body, length, status",
    ("more than may be", b"", 100 * 2**20, 413),
    ("cut off", b"{token}" + part("file", b"user_id\n", "x"), 5000, 400),
    ("without an end", b"{token}" + part("file", b"user_id\n", "x"), None, 400),
    ("with a field that is no text", part("x", b"\xff") + END, None, 400),
    ("with a large field", part("x", b"y" * 200_000) + END, None, 413),
    ("with many fields", part("x", b"y") * 30 + END, None, 413),
    ("with a part of no name", b"--b\r\nX: y\r\n\r\n\r\n--b--\r\n", None, 400),
    ("no part", b"x", None, 400),
)
def test_a_body_that_is_no_such_form_changes_nothing(operator, store, tenant, page, body, length, status):
    token = part("token", operator.token.encode()) + part("source", b"csv")
    answer = operator.client.post(
        page,
        data=body.replace(b"{token}", token),
        content_type=FORM,
        environ_overrides={} if length is None else {"CONTENT_LENGTH": str(length)},
    )
    assert answer.status_code == status
    assert (files_of(store, tenant), rows_of(store, tenant.id)["imports"]) == ([], [])


def test_what_comes_after_the_file_is_none_of_it(operator, page, worker):
    fields = [part("token", operator.token.encode()), part("source", b"csv")]
    body = b"".join([*fields, part("file", JANE.encode(), "x"), part("more", b"u-2,,\n"), END])
    sent = operator.client.post(page, data=body, content_type=FORM)
    worker.turn()
    require_words(operator.follow(sent), "Take 1 people in")


def test_no_other_form_takes_a_file(operator, page):
    sent = {"token": operator.token, "origin": (io.BytesIO(b"https://x.example.org"), "x")}
    origins = page.replace("imports", "origins")
    assert operator.client.post(origins, data=sent, content_type="multipart/form-data").status_code == 415


def test_where_there_is_no_place_for_files_the_page_says_so(start, tenant, page):
    operator = Agent(start(files_url="").test_client())
    operator.sign_in(ADMIN_KEY)
    require_words(operator.get(page), "There is no place for files", "FILES_URL")
    sent = {"token": operator.token, "source": "csv", "file": (io.BytesIO(JANE.encode()), "x.csv")}
    assert operator.client.post(page, data=sent, content_type="multipart/form-data").status_code == 501


def test_pages_show_nothing_of_a_file_as_if_it_were_theirs(operator, read):
    hostile = '"><script>alert(1)</script>'
    shown = operator.get(read(f'user_id,email,"{hostile.replace(chr(34), chr(34) * 2)}"\nu-1,x,y\n'))
    assert shown.status_code == 200
    failed = operator.get(read(f"{hostile}\nblue\n"))
    for answer in (shown, failed):
        assert "<script" not in without_ours(answer.text)
