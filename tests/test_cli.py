"""What an operator does on the command line, what it prints, and what it says when it cannot be done."""

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.cli import main
from service.config import Config
from service.model.identifiers import new_anonymous_user_id, new_id
from service.model.users import User
from service.store import Store
from service.store.database import Database
from service.store.migrating import DIRECTORY, migrate
from service.times import now
from tests.conftest import ENGINES, Databases
from tests.support.marks import LONG
from tests.support.servers import ADMIN_KEY, SECRET_KEY, command
from tests.support.tenants import Tenant

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
# An app, and what moves the clock.
Visited = tuple[str, Any]
ALL = sorted(path.stem for path in DIRECTORY.glob("0*.py"))


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Settings with which every command runs, but for the store's."""
    monkeypatch.setenv("ADMIN_KEY", ADMIN_KEY)
    monkeypatch.setenv("SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("DYNO", "")
    # A server writes its log where a command prints, and here there may have been one before.
    monkeypatch.setattr(logging.getLogger("peewee.migrations"), "propagate", False)
    return monkeypatch


@pytest.fixture(params=ENGINES)
def empty_url(request: pytest.FixtureRequest, databases: Databases, environment: pytest.MonkeyPatch) -> str:
    """The URL of a database without tables, which the settings name."""
    url = databases.fresh(request.param)
    environment.setenv("DATABASE_URL", url)
    return url


@pytest.fixture
def variables(
    config: Config, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, str]:
    """What the command that makes an app prints, as a shell reads it."""
    environment.setenv("DATABASE_URL", config.database_url)
    main(["apps", "create", "Our Shop"])
    return dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that cannot be done, and return what it says on standard error."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    # With a text the interpreter prints it on standard error, and ends with 1.
    assert isinstance(ended.value.code, str)
    assert capsys.readouterr().out == ""
    return ended.value.code


def test_migrate_says_what_it_applied_and_when_there_is_nothing_to_do(empty_url, capsys):
    main(["migrate"])
    first = capsys.readouterr().out
    main(["migrate"])

    assert first == "".join(f"applied {name}\n" for name in ALL)
    assert capsys.readouterr().out == "the schema is up to date\n"


def test_apps_create_prints_three_lines_for_a_shell_whose_keys_log_in(variables, client):
    tenant = Tenant(client, ADMIN_KEY, variables["APP"], variables["SK"], variables["PK"])
    known, anonymous = tenant.login(userId="u-17"), tenant.try_login(key=tenant.pk).json

    assert list(variables) == ["APP", "SK", "PK"]
    assert [value for value in variables.values() if not re.fullmatch(r"[\w-]+", value)] == []
    assert tenant.call("GET", f"/v1/apps/{tenant.id}", ADMIN_KEY).json["name"] == "Our Shop"
    assert (known["session"]["verified"], anonymous["user"]["anonymous"]) == (True, True)


@pytest.fixture
def visited(empty_url, capsys, time_machine) -> Visited:
    """A store of one app, where somebody anonymous was at noon."""
    time_machine.move_to(NOON, tick=False)
    migrate(empty_url)
    main(["apps", "create", "Shop"])
    app = capsys.readouterr().out.split()[0].removeprefix("APP=")
    database = Database(empty_url, LONG)
    visitor = User(new_id("usr"), new_anonymous_user_id(), None, None, (), now(), verified=False)
    with database.transaction():
        Store(database).of(app).users.create(visitor)
    database.close()
    return app, time_machine


def forgot(app: str, users: int) -> str:
    return (
        f"{app}: {users} anonymous users erased; forgot 0 sessions, 0 idempotency keys, 0 rates, 0 events\n"
    )


@pytest.mark.parametrize(
    ("arguments", "days"),
    [([], 30), (["--empty-days", "8"], 8), (["--idle-days", "1"], 1)],
    ids=["by default", "as given of empty ones", "as given"],
)
def test_tidy_says_of_each_app_what_it_forgot(visited, capsys, arguments, days):
    app, clock = visited
    main(["apps", "create", "Another"])
    another = capsys.readouterr().out.split()[0].removeprefix("APP=")
    clock.move_to(NOON + timedelta(days=days), tick=False)
    main(["tidy", *arguments])
    at_the_limit = capsys.readouterr().out
    clock.move_to(NOON + timedelta(days=days, milliseconds=1), tick=False)

    main(["tidy", "--idle-days=36500", "--empty-days=36500", "--cleared-days=36500"])
    at_the_most = capsys.readouterr().out

    main(["tidy", *arguments])

    assert at_the_limit == at_the_most == forgot(app, 0) + forgot(another, 0) + "removed 0 files\n"
    assert capsys.readouterr().out == forgot(app, 1) + forgot(another, 0) + "removed 0 files\n"


@pytest.mark.parametrize("option", ["--idle-days", "--empty-days", "--cleared-days"])
@pytest.mark.parametrize("days", ["0", "-1", "1.5", "", "many", "36501", "9" * 5000, "\u0661"])
def test_tidy_refuses_what_is_no_number_of_days_from_1_to_36500(capsys, option, days):
    with pytest.raises(SystemExit) as ended:
        main(["tidy", f"{option}={days}"])

    assert ended.value.code == 2
    assert "give a whole number of days from 1 to 36500" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "name"), [("secret", "SK"), ("publishable", "PK"), ("identity", "IK")], ids=lambda word: word
)
def test_keys_create_prints_one_line_for_a_shell(variables, capsys, kind, name):
    main(["keys", "create", variables["APP"], kind])

    printed, _, key = capsys.readouterr().out.strip().partition("=")
    assert printed == name
    assert re.fullmatch(rf"{name.lower()}_[\w-]+", key)


@pytest.mark.parametrize(("options", "proof"), [([], "jwt"), (["--proof", "hmac"], "hmac")], ids=["", "hmac"])
def test_keys_create_makes_identity_keys_for_one_kind_of_proof(variables, store, options, proof):
    main(["keys", "create", variables["APP"], "identity", *options])

    assert [key.proof for key in store.of(variables["APP"]).keys.all()][-1] == proof


@pytest.mark.parametrize(
    ("app", "options", "complaint"),
    [
        ("APP", ["secret", "--proof", "hmac"], "Proofs are made with identity keys only."),
        ("app_nowhere", ["identity"], "there is no app app_nowhere"),
    ],
    ids=["another kind proves nothing", "no such app"],
)
def test_keys_create_says_why_it_makes_none(variables, capsys, app, options, complaint):
    assert refused(capsys, "keys", "create", variables.get(app, app), *options) == f"usher: {complaint}"


@pytest.mark.parametrize("arguments", [["apps", "create", "Shop"], ["check"], ["tidy"]], ids=" ".join)
def test_a_store_without_tables_is_refused_with_what_to_run(empty_url, capsys, arguments):
    lacks = f"the store's schema lacks {', '.join(ALL)}"

    assert refused(capsys, *arguments) == f"usher: {lacks}: run `python -m service migrate` first"


@pytest.mark.parametrize(
    "arguments", [["migrate"], ["apps", "create", "Shop"], ["check"], ["tidy"]], ids=" ".join
)
@pytest.mark.parametrize(
    "url", ["postgres://postgres@127.0.0.1:1/usher", "sqlite:///nowhere/at/all.sqlite"], ids=ENGINES[::-1]
)
def test_a_store_that_is_away_is_said_to_be(environment, capsys, arguments, url):
    environment.setenv("DATABASE_URL", url)

    assert refused(capsys, *arguments) == "usher: the store is away, or does not answer in time"


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "postgres://u:secret@h/d?nonsense=1"])
def test_a_url_that_nobody_can_read_is_named_and_not_shown(environment, capsys, url):
    environment.setenv("DATABASE_URL", url)

    complaint = refused(capsys, "migrate")

    assert ("DATABASE_URL" in complaint, "secret" in complaint) == (True, False)


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\n\t"], ids=["empty", "blank", "unseen", "controls"])
def test_a_name_that_the_api_refuses_is_refused_here(config, environment, capsys, name):
    environment.setenv("DATABASE_URL", config.database_url)

    assert re.match("usher: An? ", refused(capsys, "apps", "create", name))


@pytest.mark.parametrize("arguments", [[], ["apps"], ["apps", "create"], ["serve"]], ids=" ".join)
def test_a_command_that_there_is_not_shows_how_to_use_those_that_there_are(capsys, arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m service")


def test_the_process_tells_its_caller_that_it_failed_and_each_missing_setting():
    ran = command("migrate", ADMIN_KEY="", SECRET_KEY="")

    complaint = "usher: ADMIN_KEY is missing; SECRET_KEY is missing\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", complaint)
