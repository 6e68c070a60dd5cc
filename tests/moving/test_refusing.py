"""What is not as it has to be, or is somebody else's, stays outside, with all that hangs on it; the rest goes
in."""

import io
import json
import stat

import pytest

from service.desk.moving import take_in_devices
from service.moving.reading import read_lines
from service.rules.moving import MOVING
from service.store import moving
from tests.moving.test_moving import counted, lines_of, people_in, rewrite
from tests.support.cases import cases
from tests.support.signing import identity_key, proof_of

BOUGHT = {"product": "pro", "transaction": "t-1"}
ACCOUNT = {"store": "app_store", "account": "apple-1"}


@pytest.fixture
def rejects(shop):
    return shop.directory / "rejects"


def refused_in(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def buy(tenant, user_id, account=ACCOUNT):
    bought = BOUGHT | {"storeAccount": account, "userId": user_id}
    assert tenant.call("POST", "/v1/purchases", tenant.sk, bought).status_code in (200, 201)


def moved(shop, other, tenant):
    """Export the served app, and import it into another of the same store; return what is said of people."""
    shop.export(tenant.id)
    code, said = shop.run("import", other.id, shop.exported)
    return code, counted(said)[0]


@pytest.fixture
def other(shop, tenant):
    """A second app in the same store."""
    return type(tenant).create(tenant.client, tenant.admin_key)


def same_user_id(tenant, other):
    tenant.known(userId="u-1", email="jane@example.org")
    other.known(userId="u-1")


def same_alias(tenant, other):
    tenant.merge(tenant.known(userId="u-2"), tenant.known(userId="u-1"))
    other.known(userId="u-2")


def same_unclaimed_email(tenant, other):
    tenant.known(email="jane@example.org")
    other.known(email="JANE@example.org")


def same_further_email(tenant, other):
    """Of one who is unclaimed, and has it as it came by a merge, there."""
    tenant.known(email="joan@example.org")
    first, second = other.known(email="jane@example.org"), other.known(email="joan@example.org")
    other.merge(second, first)


def same_email_of_a_part(tenant, other):
    first, second = tenant.known(email="jane@example.org"), tenant.known(email="joan@example.org")
    tenant.merge(second, first)
    other.known(email="joan@example.org")


def same_account(tenant, other):
    for one in (tenant, other):
        one.known(userId="u-1" if one is tenant else "u-2")
        buy(one, "u-1" if one is tenant else "u-2")


def same_device(tenant, other):
    tenant.begin(tenant.login(deviceId="device-0123456789")["session"]["token"])
    other.login(deviceId="device-0123456789")


@cases(
    "arrange, rule",
    ("a user ID", same_user_id, "user-id-taken"),
    ("an alias", same_alias, "user-id-taken"),
    ("an email", same_unclaimed_email, "email-taken"),
    ("a further email there", same_further_email, "email-taken"),
    ("a further email here", same_email_of_a_part, "email-taken"),
    ("a store account", same_account, "account-taken"),
    ("a device", same_device, "device-taken"),
)
def test_nobody_is_moved_whose_things_are_somebody_elses_there(shop, tenant, other, arrange, rule):
    arrange(tenant, other)
    tenant.known(userId="somebody-else")

    code, people = moved(shop, other, tenant)

    assert (code, people) == (1, {"new-person": 1, rule: 1})
    assert shop.run("check")[0] == 0


def test_emails_that_may_be_shared_are_no_reason(shop, tenant, other):
    tenant.known(userId="u-1", email="jane@example.org")
    other.known(email="jane@example.org")
    other.merge(other.known(email="joan@example.org"), other.known(userId="u-3"))
    tenant.known(email="joan@example.org")

    assert moved(shop, other, tenant) == (0, {"new-person": 2})
    assert shop.run("check")[0] == 0


def test_who_was_erased_since_does_not_come_back(shop, tenant, other):
    jane = tenant.login(userId="u-1", email="jane@example.org")
    tenant.begin(jane["session"]["token"])
    assert moved(shop, other, tenant) == (0, {"new-person": 1})
    other.erase(jane["user"]["id"])

    assert moved(shop, other, tenant) == (1, {"erased-since": 1})
    assert other.get(f"/v1/users/{jane['user']['id']}").status_code == 404
    tenant.erase(jane["user"]["id"])
    assert "erased-since" not in moved(shop, other, tenant)[1]


def test_who_has_changed_since_stays_as_they_are(shop, tenant, other):
    jane = tenant.login(userId="u-1", name="Jane")
    moved(shop, other, tenant)
    tenant.begin(jane["session"]["token"])
    other.change(jane["user"]["id"], name="Joan")

    assert moved(shop, other, tenant) == (1, {"changed-since": 1})
    assert other.user(jane["user"]["id"])["name"] == "Joan"


def test_an_id_that_is_there_already_is_nobody_elses_too(shop, tenant, other):
    jane = tenant.login(userId="u-1")
    tenant.begin(jane["session"]["token"])
    moved(shop, other, tenant)
    text = shop.exported.read_text()
    shop.exported.write_text(text.replace(jane["user"]["id"], "usr_another").replace("u-1", "u-2"))

    assert counted(import_as(shop, other))[0] == {"id-taken": 1}


def import_as(shop, other):
    return shop.run("import", other.id, shop.exported)[1]


def test_of_two_in_one_file_who_claim_the_same_the_first_has_it(shop, tenant, other):
    tenant.known(userId="u-1")
    app, device, *person, _ = shop.export(tenant.id)
    id = json.loads(person[1])["id"]
    another = [line.replace(id, "usr_2") for line in person]
    end = json.dumps({"kind": "end", "lines": 3 + 2 * len(person)})
    rewrite(shop, [app, device, *person, *another, end])

    assert counted(import_as(shop, other))[0] == {"new-person": 1, "user-id-taken": 1}


def test_somebody_who_stands_in_a_file_twice_is_moved_once(shop, tenant, other):
    tenant.known(userId="u-1")
    app, device, *person, _ = shop.export(tenant.id)
    end = json.dumps({"kind": "end", "lines": 3 + 2 * len(person)})
    rewrite(shop, [app, device, *person, *person, end])

    assert counted(import_as(shop, other))[0] == {"new-person": 1, "there-already": 1}


def test_a_device_is_there_when_a_person_needs_it(shop, tenant, other):
    tenant.begin(tenant.login(deviceId="device-0123456789")["session"]["token"])
    tenant.begin(tenant.login(deviceId="device-1234567890", userId="u-1")["session"]["token"])
    lines = [line for line in shop.export(tenant.id) if '"kind":"device"' not in line]
    rewrite(shop, [*lines[:-1], json.dumps({"kind": "end", "lines": len(lines)})])

    assert counted(import_as(shop, other)) == ({"new-person": 2}, {})
    assert shop.run("check")[0] == 0


def test_a_device_that_is_there_keeps_what_was_said_last(shop, tenant, other):
    tenant.login(deviceId="device-0123456789")
    other.login(deviceId="device-0123456789", userId="u-1")
    other.call("POST", "/v1/clearAnonymousUser", other.sk, {"deviceId": "device-0123456789"})

    assert moved(shop, other, tenant) == (0, {"new-person": 1})
    store = shop.store.of(other.id)
    assert [(row[1]) for row in store.moving.devices()] == [1]


def test_refused_lines_are_written_down_with_why(shop, tenant, other, rejects):
    same_user_id(tenant, other)
    exported = shop.export(tenant.id)

    code, said = shop.run("import", other.id, shop.exported, "--rejects", rejects)

    assert (code, counted(said)[1]) == (1, {"user-id-taken": 4})
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    refused = refused_in(rejects)
    assert [(line["line"], line["text"]) for line in refused] == [*enumerate(exported, 1)][2:-1]
    assert {line["reason"] for line in refused} == {"user-id-taken"}
    assert refused[0]["detail"] == "Another user has one of their user IDs."


def change(**members):
    return lambda line: json.dumps(json.loads(line) | members)


def without(member):
    return lambda line: json.dumps(
        {name: value for name, value in json.loads(line).items() if name != member}
    )


def part_of_themselves(line):
    return change(mergedInto=json.loads(line)["id"])(line)


MISFIT = "line {{n}}: {}: {} is not what it has to be"
# What is damaged, of which kind, and what is said of it; whose lines are all refused then.
DAMAGE = [
    ("no JSON", "message", lambda line: line[:-3], "line {n}: it is no JSON"),
    ("no object", "message", lambda line: "[1]", "line {n}: it is no JSON object with a kind"),
    ("a kind that is no text", "message", change(kind=7), "line {n}: it is no JSON object with a kind"),
    ("nothing", "message", lambda line: "", "line {n}: it is no JSON"),
    ("other bytes", "message", lambda line: b"\xff\xfe" + line.encode(), "line {n}: it is no JSON"),
    ("a byte order mark", "message", lambda line: b"\xef\xbb\xbf" + line.encode(), "line {n}: it is no JSON"),
    ("an unknown kind", "message", change(kind="letter"), "lines are missing that belong to it"),
    ("a number for a text", "message", change(body=7), MISFIT.format("message", "body")),
    ("NUL in a text", "message", change(body="a\0"), MISFIT.format("message", "body")),
    (
        "a text for a number",
        "message",
        change(number="1"),
        MISFIT.format("message", "number"),
    ),
    (
        "a number too large",
        "message",
        change(number=2**31),
        MISFIT.format("message", "number"),
    ),
    (
        "a text for a boolean",
        "message",
        change(verified="no"),
        MISFIT.format("message", "verified"),
    ),
    ("no attachments", "message", change(attachments=[]), MISFIT.format("message", "attachments")),
    ("half a file", "message", change(attachments=[{"id": "a"}]), MISFIT.format("message", "attachments")),
    ("another side", "message", change(side="bot"), MISFIT.format("message", "side")),
    (
        "another time zone",
        "message",
        change(createdAt="2026-11-29T12:00:00+01:00"),
        MISFIT.format("message", "createdAt"),
    ),
    (
        "no time",
        "message",
        change(createdAt="2026-99-99T12:00:00.000Z"),
        MISFIT.format("message", "createdAt"),
    ),
    (
        "a time as a number",
        "message",
        change(createdAt=7),
        MISFIT.format("message", "createdAt"),
    ),
    (
        "a member that is missing",
        "message",
        without("body"),
        "line {n}: message: unknown members [], missing members ['body']",
    ),
    (
        "a member under another name",
        "message",
        lambda line: change(text="Hi")(without("body")(line)),
        MISFIT.format("message", "body"),
    ),
    (
        "an unknown member",
        "message",
        change(mood="sad"),
        "line {n}: message: unknown members ['mood'], missing members []",
    ),
    ("an attribute that is a list", "attribute", change(value=["a"]), MISFIT.format("attribute", "value")),
    ("NUL in an attribute", "attribute", change(value="a\0"), MISFIT.format("attribute", "value")),
    ("a history of a list", "history", change(after=[]), MISFIT.format("history", "after")),
    ("a ledger that says nothing", "merge", change(ledger={}), MISFIT.format("merge", "ledger")),
    ("a gap", "message", change(number=7), "not all messages of a conversation are there"),
    (
        "another conversation",
        "message",
        change(conversation="cnv_2"),
        "a message is in a conversation that is none of theirs",
    ),
    ("too many", "conversation", change(messages=3), "not all messages of a conversation are there"),
    (
        "too many unread",
        "conversation",
        change(unreadByUser=3),
        "more messages of a conversation are unread than there are",
    ),
    ("another user", "userId", change(user="usr_2"), "a userId names a user who is none of theirs"),
    ("part of another", "user", change(mergedInto="usr_2"), "a user names a user who is none of theirs"),
    (
        "part of themselves",
        "user",
        lambda line: change(mergedInto=json.loads(line)["id"])(line),
        "a user comes before the one whom they are part of",
    ),
    (
        "another user ID",
        "user",
        change(userId="u-7"),
        "the primary user ID of a user does not stand among their user IDs",
    ),
    (
        "another account",
        "purchase",
        change(account="7"),
        "a purchase is under a store account that is none of theirs",
    ),
    (
        "another one's device",
        "anonymous",
        change(user="usr_2"),
        "a device names a user who is none of theirs",
    ),
    (
        "a device without a user",
        "anonymous",
        without("user"),
        "line {n}: anonymous: it names a device and a user, and nothing else",
    ),
    ("no number of lines", "person", change(lines="many"), "it does not say how many lines belong to it"),
    ("fewer lines", "person", change(lines=2), "more lines follow than belong to it"),
    ("more lines", "person", change(lines=200), "lines are missing that belong to it"),
]


@pytest.fixture
def damaged(shop, tenant):
    """One person who has something of everything, and one who stays whole."""
    visitor = tenant.login(attributes={"page": "/pricing"})
    tenant.begin(visitor["session"]["token"])
    buy(tenant, visitor["user"]["userId"])
    tenant.merge(tenant.login()["user"]["id"], visitor["user"]["id"])
    tenant.known(userId="whole")
    return shop.export(tenant.id)


@cases("kind, damage, complaint", *DAMAGE)
def test_a_damaged_line_keeps_its_person_out_and_nobody_else(
    shop, other, damaged, rejects, kind, damage, complaint
):
    number = next(number for number, line in enumerate(damaged, 1) if json.loads(line)["kind"] == kind)
    lines = [line.encode() for line in damaged]
    changed = damage(damaged[number - 1])
    lines[number - 1] = changed if isinstance(changed, bytes) else changed.encode()
    shop.exported.write_bytes(b"\r\n".join(lines) + b"\r\n")

    code, said = shop.run("import", other.id, shop.exported, "--rejects", rejects)

    assert (code, counted(said)[0]) == (1, {"new-person": 1})
    assert refused_in(rejects)[0]["detail"] == complaint.format(n=number)
    assert {line["reason"] for line in refused_in(rejects)} == {"bad-line"}
    assert other.find(userId="whole")
    assert shop.run("check")[0] == 0


def test_a_person_without_a_user_is_nobody(shop, other, damaged):
    whole = [json.dumps({"kind": "person", "lines": 0}), json.dumps({"kind": "end", "lines": 3})]
    rewrite(shop, [damaged[0], *whole])

    assert counted(import_as(shop, other)) == ({}, {"bad-line": 1})


def test_the_same_user_twice_within_one_person_is_refused(shop, tenant, other):
    tenant.known(userId="u-1")
    app, device, _, user, *rest, _ = shop.export(tenant.id)
    person = json.dumps({"kind": "person", "lines": 2 + len(rest)})
    rewrite(
        shop, [app, device, person, user, user, *rest, json.dumps({"kind": "end", "lines": 6 + len(rest)})]
    )

    assert counted(import_as(shop, other))[0] == {}


def test_a_damaged_line_of_a_device_is_refused_alone(shop, tenant, other, rejects):
    tenant.begin(tenant.login(deviceId="device-0123456789")["session"]["token"])
    app, device, *rest = shop.export(tenant.id)
    rewrite(shop, [app, change(clears=7)(device), *rest])

    code, said = shop.run("import", other.id, shop.exported, "--rejects", rejects)

    assert (code, counted(said)) == (1, ({"new-person": 1}, {"bad-line": 1}))
    assert refused_in(rejects)[0]["detail"] == "device: clears is not what it has to be"


def test_a_line_that_stands_where_none_does_is_refused(shop, tenant, other, damaged, rejects):
    app, *rest = damaged
    stray = [line for line in damaged if '"kind":"message"' in line]
    rewrite(shop, [app, *stray, "hello", *rest])

    code, said = shop.run("import", other.id, shop.exported, "--rejects", rejects)

    assert (code, counted(said)) == (1, ({"new-person": 2}, {"bad-line": 3}))
    assert [line["detail"] for line in refused_in(rejects)] == [
        "it is of no kind that stands here",
        "it is no JSON",
        "lines are missing before it, or were added",
    ]


def test_a_line_may_have_any_length():
    file = io.BytesIO(b"x" * 100 + b"\n" + b'{"kind": "end"}\n' + b"y" * 30)

    lines = [*read_lines(file, 20)]

    assert [(line.number, line.data, line.complaint) for line in lines] == [
        (1, None, "it has more than 20 bytes"),
        (2, b'{"kind": "end"}\n', None),
        (3, None, "it has more than 20 bytes"),
    ]


def test_a_line_that_is_too_long_is_written_down_without_what_it_says(
    shop, other, damaged, rejects, monkeypatch
):
    monkeypatch.setattr("service.moving.commands.read_lines", lambda file: read_lines(file, 400))
    rewrite(shop, [damaged[0], "x" * 500, *damaged[1:]])

    shop.run("import", other.id, shop.exported, "--rejects", rejects)

    assert any(line["text"] is None for line in refused_in(rejects))


@cases(
    "text",
    ("nothing", ""),
    ("something else", "hello\n"),
    ("a later format", '{"kind":"app","format":2}\n'),
    ("another order", '{"kind":"end","lines":1}\n'),
)
def test_what_is_no_export_is_refused_as_a_whole(shop, other, text):
    shop.exported.write_text(text)

    assert shop.run("import", other.id, shop.exported) == (
        1,
        "usher: the file is no export that this release can read",
    )


def test_a_byte_order_mark_before_the_first_line_is_no_harm(shop, other, damaged):
    shop.exported.write_bytes(b"\xef\xbb\xbf" + shop.exported.read_bytes())

    assert counted(import_as(shop, other)) == ({"new-person": 2}, {})


def test_a_file_that_was_cut_off_says_so(shop, other, damaged):
    rewrite(shop, damaged[:-1])

    code, said = shop.run("import", other.id, shop.exported)

    assert (code, said.splitlines()[-1]) == (1, "usher: the file was cut off: what it has is moved")
    assert counted(said) == ({"new-person": 2}, {})


def test_there_has_to_be_the_file(shop, other):
    code, said = shop.run("import", other.id, shop.directory / "none")

    assert (code, "No such file or directory" in said) == (1, True)


def test_rules_have_all_been_seen():
    seen = {"new-person", "there-already", "erased-since", "changed-since", "user-id-taken"}
    seen |= {"email-taken", "account-taken", "device-taken", "id-taken"}

    assert {rule.name for rule in MOVING.rules} == seen


def test_much_of_one_person_is_read_a_page_at_a_time(shop, tenant, other, monkeypatch):
    monkeypatch.setattr(moving, "BATCH", 3)
    for user, messages in (("u-1", 2), ("u-2", 7), ("u-3", 1), ("u-4", 1), ("u-5", 2)):
        session = tenant.session(userId=user)
        thread = tenant.begin(session)
        for _ in range(messages - 1):
            tenant.call("POST", f"/v1/conversations/{thread}/messages", session, {"body": "And?"})

    exported = shop.export(tenant.id)

    assert sum(line["kind"] == "message" for line in lines_of(exported)) == 13
    for again in ("new-person", "there-already"):
        assert counted(import_as(shop, other))[0] == {again: people_in(exported)}
    assert shop.export(other.id)[1:] == exported[1:]


def test_devices_are_taken_in_some_at_a_time_without_anybody(shop, tenant):
    store = shop.store.of(tenant.id)
    rows = [("digest", False, None, 1)]

    assert [take_in_devices(store, rows, dry_run=dry) for dry in (True, False, False)] == [1, 1, 0]


def test_the_unproven_are_moved_as_such(shop, tenant, other):
    tenant.set(identityVerification="off")
    tenant.try_login(key=tenant.pk, email="jane@example.org")
    _, secret = identity_key(tenant)
    tenant.try_login(key=tenant.pk, proof=proof_of(tenant, secret, email="jane@example.org"))

    assert moved(shop, other, tenant) == (0, {"new-person": 2})
    assert sorted(
        user["verified"] for user in other.get("/v1/users?email=jane@example.org").json["data"]
    ) == [
        False,
        True,
    ]
