"""Who comes from another desk's file is decided by the rules of a login, the same each time: in order or
shuffled, at once or after having been cut off, as a trial says."""

import json
import random
import re
import stat

import pytest

from service.moving import sourcing, statistics
from service.store.database import Database
from service.store.tables import TABLES, Events
from tests.moving.test_records import EXAMPLES
from tests.support.cases import cases
from tests.support.pages import HERE
from tests.support.rows import rows_of

JANE = "user_id,email,name,phone,plan\nu-1,jane@example.org,Jane,+12025550101,pro\n"
FILES = sorted(path.name for path in EXAMPLES.iterdir())


@pytest.fixture
def take(shop):
    """Import a text from a source; return the exit code, and what is said."""

    def take(text, *arguments, into=None, source="csv"):
        file = shop.directory / "people"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        app = (into or shop.tenant).id
        return shop.run("import", app, file, "--from", source, *arguments)

    return take


def counted(said):
    """Return what was said of people, lines and members, without the file."""
    return said.splitlines()[1:]


def rules_in(said):
    """Return by its rule how many people or lines there were, and how many of them were new or changed."""
    found = {}
    for line in counted(said):
        number, what, *rest = line.split()
        if what == "people:":
            rule = rest[0].removesuffix(":")
            found[rule] = int(number)
        elif what == "lines":
            found[line.split(": ")[1]] = int(number)
        elif what == "new,":
            found[rule] = (found[rule], int(number), int(rest[0]))
    return found


def people_of(shop, app):
    """Return all users of an app, as far as it is told who they are."""
    exported = [json.loads(line) for line in shop.export(app)]
    emails = {line["id"]: line["email"] for line in exported if line["kind"] == "user"}
    ids, said = {}, {}
    for line in exported:
        if line["kind"] == "userId":
            ids.setdefault(line["user"], []).append(line["userId"])
        elif line["kind"] in ("attribute", "contact"):
            said.setdefault(line["home"], []).append(
                (line.get("value"), line.get("email"), line.get("phone"))
            )
    people = ((emails[id] or "", ids.get(id, []), sorted(said.get(id, []), key=repr)) for id in emails)
    bodies = [line["body"] for line in exported if line["kind"] == "message"]
    return sorted(people), sorted(bodies)


def many(name):
    """Return a heading, if there is one, and many lines that are as those of an example."""
    lines = (EXAMPLES / name).read_text().splitlines()
    heading = [lines.pop(0)] if name.endswith(".csv") else []
    found = []
    for number in range(8):
        for line in lines:
            numbered = re.sub(r"(jane|bob|mail-only|u-1[78])", rf"\1-{number}", line)
            numbered = re.sub(r"\b(9[0-9]{3})\b", rf"{number + 1}\1", numbered)
            found.append(numbered.replace("0000000000aa", f"{number:012}"))
    return heading, found


def options(name):
    source = name.partition(".")[0]
    return ("csv", "--map", "Customer number=user_id") if source == "people" else (source,)


@pytest.mark.parametrize("name", FILES)
def test_a_desks_file_ends_in_the_same_people_however_it_is_read(shop, tenant, take, name, monkeypatch):
    monkeypatch.setattr(sourcing, "MAX_PEOPLE", 7)
    heading, lines = many(name)
    source, *rest = options(name)
    whole = "\n".join([*heading, *lines])

    would = take(whole, *rest, "--dry-run", source=source)
    assert people_of(shop, tenant.id) == ([], [])
    first = take(whole, *rest, source=source)
    people, rows = people_of(shop, tenant.id), rows_of(shop.store, tenant.id)
    again = take(whole, *rest, source=source)

    assert counted(would[1]) == counted(first[1])
    assert (first[0], again[0]) == (0, 0)
    assert rows_of(shop.store, tenant.id) == rows
    assert not any(new or changed for _, new, changed in people_counts(again[1]))
    shuffled, cut_off = (type(tenant).create(tenant.client, tenant.admin_key) for _ in range(2))
    for end in range(10, len(lines), 10):
        take("\n".join([*heading, *lines[:end]]), *rest, into=cut_off, source=source)
    take(whole, *rest, into=cut_off, source=source)
    random.Random(1).shuffle(lines)  # noqa: S311 - any order will do
    take("\n".join([*heading, *lines]), *rest, into=shuffled, source=source)
    assert people_of(shop, shuffled.id) == people_of(shop, cut_off.id) == people
    assert shop.run("check")[0] == 0


def people_counts(said):
    return [counts for counts in rules_in(said).values() if isinstance(counts, tuple)]


def test_each_rule_of_a_login_decides_and_a_trial_knows_it_beforehand(shop, tenant, take):
    tenant.known(userId="known", email="old@example.org")
    tenant.known(email="unclaimed@example.org")
    tenant.known(userId="claims", email="claimed@example.org")
    for number in (1, 2):
        tenant.known(userId=f"shares-{number}", email="shared@example.org")
    emails = ("unclaimed", "claimed", "shared", "new", "unclaimed-2")
    tenant.known(email="unclaimed-2@example.org")
    text = "user_id,email,name\nknown,new@example.org,N\nattached,unclaimed@example.org,A\nfresh,,F\n"
    text += "".join(f",{email}@example.org,E\n" for email in emails)
    before = rows_of(shop.store, tenant.id)

    would = take(text, "--dry-run")
    assert rows_of(shop.store, tenant.id) == before
    is_so = take(text)

    assert counted(would[1]) == counted(is_so[1])
    assert rules_in(is_so[1]) == {
        "known-user-id": (1, 0, 1),
        "attach-user-id": (1, 0, 1),
        "new-user-id": (1, 1, 0),
        "known-email": (4, 0, 2),
        "shared-email": (1, 1, 0),
    }
    assert shop.run("check")[0] == 0


def test_a_new_email_makes_somebody_who_is_unclaimed(tenant, take):
    assert rules_in(take("email,name\njane@example.org,Jane\n")[1]) == {"new-email": (1, 1, 0)}
    assert rules_in(take("email,name\nJANE@example.org,Joan\n")[1]) == {"known-email": (1, 0, 1)}
    assert [user["name"] for user in tenant.find(email="jane@example.org")] == ["Joan"]


def test_whoever_is_imported_is_as_after_a_login(shop, tenant, take):
    take(JANE.replace("plan\n", "plan,created_at\n").replace("pro\n", "pro,2024-02-01\n"))

    (jane,) = tenant.find(userId="u-1")
    assert (jane["email"], jane["name"], jane["attributes"]) == ("jane@example.org", "Jane", {"plan": "pro"})
    assert jane["createdAt"] == "2024-02-01T00:00:00.000Z"
    assert jane["verified"] is True
    assert tenant.find(contact="+1 202 555 0101") == [jane]
    history = tenant.get(f"/v1/users/{jane['id']}/history").json["data"]
    assert [(line["event"], line["rule"], line["by"]) for line in history] == [
        ("created", "new-user-id", "import"),
        ("attributes-changed", "new-user-id", "import"),
    ]
    assert tenant.known(userId="u-1", email="jane@example.org") == jane["id"]


def test_an_import_tells_nobody(shop, tenant, take):
    tenant.known(userId="u-1", name="Joan")
    before = len(rows_of(shop.store, tenant.id)[Events._meta.table_name])

    assert rules_in(take(JANE)[1]) == {"known-user-id": (1, 0, 1)}

    assert len(rows_of(shop.store, tenant.id)[Events._meta.table_name]) == before


def test_what_is_not_given_changes_nothing(tenant, take):
    take(JANE)
    take("user_id,email,name,phone,plan\nu-1,,,,\n")

    (jane,) = tenant.find(userId="u-1")
    assert (jane["email"], jane["name"], jane["attributes"]) == ("jane@example.org", "Jane", {"plan": "pro"})


def test_whoever_left_something_themselves_can_be_reached_by_that(tenant, take):
    visitor = tenant.session(userId="u-1")
    tenant.call("PUT", "/v1/me/contact", visitor, {"phone": "+12025550199"})
    tenant.known(userId="u-2")

    take(f"{JANE}u-2,,,+12025550102,\n")

    phones = {
        user["userId"]: [one["phone"] for one in tenant.user(user["id"])["contacts"]]
        for id in ("u-1", "u-2")
        for user in tenant.find(userId=id)
    }
    assert phones == {"u-1": ["+12025550199"], "u-2": ["+12025550102"]}


def test_of_two_lines_with_one_user_id_the_first_counts(tenant, take):
    code, said = take(f"{JANE}u-1,,Joan,,\nu-1,jane@example.org,Jane,+12025550101,pro\n")

    assert (code, rules_in(said)) == (1, {"new-user-id": (1, 1, 0), "said-again": 1, "said-otherwise": 1})
    assert tenant.find(userId="u-1")[0]["name"] == "Jane"


def test_lines_that_lead_to_one_person_say_of_them_what_the_first_says(shop, tenant, take):
    tenant.merge(tenant.known(userId="u-2", name="Bob"), tenant.known(userId="u-1", name="Ann"))
    text = f"{JANE}u-2,other@example.org,Joan,+12025550102,free\n,jane@example.org,Jo,,\n"

    first = take(text)
    rows = rows_of(shop.store, tenant.id)
    second = take(text)

    assert rules_in(first[1])["known-user-id"] == (2, 0, 1)
    assert rules_in(second[1])["known-user-id"] == (2, 0, 0)
    assert rows_of(shop.store, tenant.id) == rows
    assert tenant.find(userId="u-2")[0]["name"] == "Jane"


def test_what_is_said_of_one_of_two_who_are_one_goes_with_them(shop, tenant, take):
    ann = tenant.known(userId="u-1", name="Ann")
    merge = tenant.merge(tenant.known(userId="u-2", email="bob@example.org"), ann)
    tenant.merge(tenant.known(email="mail@example.org"), tenant.known(userId="u-3", email="eve@example.org"))
    text = "user_id,email,phone\nu-2,,+12025550102\n,mail@example.org,+12025550103\n"

    would, is_so = take(text, "--dry-run"), take(text)

    assert counted(would[1]) == counted(is_so[1])
    assert rules_in(is_so[1]) == {"known-user-id": (1, 0, 0), "known-email": (1, 0, 1)}
    tenant.undo(merge)
    assert [user["userId"] for user in tenant.find(contact="+12025550102")] == ["u-2"]
    assert [user["userId"] for user in tenant.find(contact="+12025550103")] == ["u-3"]
    assert shop.run("check")[0] == 0


def test_two_who_share_an_email_of_an_unclaimed_user_are_two(shop, tenant, take):
    tenant.known(email="jane@example.org")

    _, said = take("user_id,email\nu-1,jane@example.org\nu-2,jane@example.org\n")

    assert rules_in(said) == {"attach-user-id": (1, 0, 1), "new-user-id": (1, 1, 0)}
    assert len(tenant.find(email="jane@example.org")) == 2


def test_a_stranger_with_somebodys_email_gets_nothing_of_theirs(tenant, take):
    """Whoever may type any email into another desk's form does not become who has it here."""
    victim = tenant.known(email="victim@example.org")
    text = "identifier,phone_number,email\nstranger,,victim@example.org\n"

    _, said = take(text, source="chatwoot")

    assert rules_in(said) == {"new-user-id": (1, 1, 0)}
    assert [user["id"] for user in tenant.find(email="victim@example.org")] == [victim]
    assert tenant.find(userId="stranger")[0]["email"] is None


def test_more_attributes_than_a_user_may_have_are_left_out(tenant, take):
    names = [f"a{number:02}" for number in range(52)]
    _, said = take(f"user_id,{','.join(names)}\nu-1,{','.join('x' * 52)}\n")

    assert len(tenant.find(userId="u-1")[0]["attributes"]) == 50
    assert counted(said)[-1].endswith(
        "times without /attributes/a51: too-many: A user has at most 50 attributes."
    )


def test_lines_that_are_not_taken_are_written_down(shop, take):
    rejects = shop.directory / "rejects"
    text = b"user_id,name\nnull,Jane\n,Bob\nu-3,J\xfcrgen\n"

    code, said = take(text, "--rejects", rejects)

    assert (code, rules_in(said)) == (1, {"nobody": 1, "bad-line": 1, "unusable": 1})
    refused = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(line["line"], line["reason"], line["text"]) for line in refused] == [
        (2, "unusable", "null,Jane"),
        (3, "nobody", ",Bob"),
        (4, "bad-line", "u-3,J\ufffdrgen"),
    ]
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600


def test_a_line_without_a_text_is_written_down_as_such(shop, take):
    rejects = shop.directory / "rejects"

    take("user_id\n" + "x" * (4 * 2**20 + 1), "--rejects", rejects)

    assert json.loads(rejects.read_text())["text"] is None


def test_the_page_shows_what_a_trial_says(shop):
    page = (HERE / "docs" / "moving.md").read_text()
    command, *shown = page.partition("## From another desk")[2].split("```")[1].splitlines()[1:]
    _, file, *words = command.partition(" import ")[2].split()

    _, said = shop.run("import", shop.tenant.id, HERE / file, *words)

    assert counted(said) == shown[1:]
    assert shown[0] == f"{file}: from zendesk into app_…; nothing was changed, and this is what would be"


@cases(
    "arguments, why",
    ("no name", ("--map", "user_id"), "give COLUMN=NAME"),
    ("another name", ("--map", "a=b"), "give COLUMN=NAME"),
    ("another source", ("--from", "fax"), "invalid choice: 'fax'"),
)
def test_words_that_mean_nothing_are_refused(take, capsys, arguments, why):
    code, _ = take(JANE, *arguments)

    assert code == 2


def test_a_file_whose_columns_say_nothing_changes_nothing(take):
    assert take("a,b\n1,2\n") == (
        1,
        "usher: no column is a user ID or an email: name one with --map COLUMN=user_id; there are: a, b",
    )


# --- what the database knows of it ---------------------------------------------------------------


def test_the_database_looks_at_what_was_brought_now_and_then(shop, take, monkeypatch):
    seen, look = [], Database.look_at
    monkeypatch.setattr(statistics, "FIRST", 2)
    monkeypatch.setattr(Database, "look_at", lambda self, tables: seen.append(tables) or look(self, tables))
    people = [f"u-{number},u-{number}@example.org" for number in range(5)]

    assert take("\n".join(["user_id,email", *people]))[0] == 0

    assert seen == [TABLES]


TWICE = "user_id,email,name,phone\nu-1,jane@example.org,Jane Doe,+12025550101\nu-2,,Jane Doe,+12025550101\n"


def pairs_of(shop):
    return shop.tenant.call("GET", "/v1/duplicates", shop.tenant.sk).json["data"]


def test_whoever_is_added_is_compared_when_the_app_is_tidied_which_is_soon(shop, take):
    shop.store.apps.claim_tidying(shop.tenant.id, 0, 2**53)
    take(TWICE)
    assert [app.id for app in shop.store.apps.untidy(0)] == [shop.tenant.id]
    assert pairs_of(shop) == []

    shop.run("tidy")

    [pair] = pairs_of(shop)
    assert pair["users"] == sorted(shop.tenant.known(userId=one) for one in ("u-1", "u-2"))


def test_an_import_that_adds_nobody_has_no_app_tidied(shop, take):
    take(TWICE)
    shop.store.apps.claim_tidying(shop.tenant.id, 0, 2**53)
    take(TWICE)
    assert shop.store.apps.untidy(0) == ()


def test_who_moves_with_an_app_is_compared_when_that_is_tidied(shop, take, operate):
    take(TWICE)
    shop.export(shop.tenant.id)
    new = operate("sqlite")
    new.run("import", new.tenant.id, new.exported)
    assert pairs_of(new) == []

    new.run("tidy")

    assert len(pairs_of(new)) == 1
