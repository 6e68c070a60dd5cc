"""The README says what the code does: its tables, its lists, and every example when it is run."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from service import errors
from service.api.callers import SCHEMES
from service.api.problems import CODES, STATUS
from service.api.schemas.apps import SettingsShape
from service.config import Config
from service.metrics import LOGINS, RACES_LOST, REQUEST_SECONDS, REQUESTS
from service.nouns import Settings
from service.rules.anonymous import ANONYMOUS
from service.rules.login import LOGIN
from service.rules.restoring import RESTORING
from service.store.migrating import migrate
from tests import readme
from tests.conftest import ENGINES
from tests.readme import HERE, TEXT, Example, Fence, plain, section, table
from tests.servers import ADMIN_KEY, SECRET_KEY, serve

MODULES = {path.relative_to(HERE / "service") for path in (HERE / "service").rglob("*.py")}
# `error` is what any other refusal of HTTP itself is called.
FRAMEWORK = {code: str(status) for status, code in CODES.items()} | {"error": "4xx", "internal-error": "500"}
# The bases of codes that say more, and what never leaves the use cases.
NEVER_ANSWERED = {errors.UsherError, errors.Conflict, errors.LostRace}


# --- examples ------------------------------------------------------------------------------------


@contextmanager
def demo(directory: Path, database_url: str) -> Iterator[int]:
    """Have what ``make run`` leaves behind in a directory, and serve it; answer the port."""
    secrets = {"ADMIN_KEY": ADMIN_KEY, "SECRET_KEY": SECRET_KEY, "DATABASE_URL": database_url}

    def command(*arguments: str) -> str:
        words = [sys.executable, "-m", "service", *arguments]
        return subprocess.run(
            words, cwd=HERE, env=os.environ | secrets, check=True, capture_output=True, text=True
        ).stdout

    executables = directory / ".venv" / "bin"
    executables.mkdir(parents=True)
    readme.write_command(executables / "python", sys.executable)
    local = directory / ".local"
    local.mkdir()
    command("migrate")
    (local / "env").write_text(f"ADMIN_KEY={ADMIN_KEY}\nSECRET_KEY={SECRET_KEY}\n")
    (local / "demo.txt").write_text(command("apps", "create", "Demo"))
    with serve(database_url) as server:
        yield server.port


def lines_of_make_run() -> str:
    """Answer the lines that the Makefile prints, before it fills in the keys."""
    text = (HERE / "Makefile").read_text()
    return text.partition("define REQUESTS\n")[2].partition("\nendef")[0].replace("$$", "$")


@pytest.mark.parametrize("engine", ENGINES)
def test_every_example_answers_as_it_is_shown(engine, databases, tmp_path):
    examples = readme.examples()
    path = readme.path_with_stand_in(tmp_path)
    if engine == "postgresql" and shutil.which("curl"):
        path = os.environ["PATH"]

    with demo(tmp_path, databases.fresh(engine)) as port:
        answers = readme.run(examples, tmp_path, port, path)

    for example, (printed, variables) in zip(examples, answers, strict=True):
        if example.answer:
            wrong = readme.differences(example.answer, printed, variables)
            assert not wrong, f"the answer in line {example.answer.line}: {wrong} in {printed}"
        else:
            assert printed == "", f"line {example.typed.line} shows no answer"


def test_the_lines_that_make_run_prints_work_when_they_are_pasted(databases, tmp_path):
    below_the_heading = lines_of_make_run()[lines_of_make_run().index("# ") :]
    lines = below_the_heading.replace("{URL}", readme.ADDRESS)
    # The shell fills in the keys, where `make run` has done so.
    lines = re.sub(r"'(Authorization: Bearer )\{([PS]K)\}'", r'"\1$\2"', lines)
    pasted = Example(Fence("sh", f". .local/demo.txt\n{lines}", 0), None)

    with demo(tmp_path, databases.fresh("sqlite")) as port:
        [(printed, _)] = readme.run([pasted], tmp_path, port, readme.path_with_stand_in(tmp_path))

    anonymous, begun, listed, logged_out = printed.splitlines()[:4]
    assert json.loads(anonymous)["user"]["anonymous"] is True
    assert json.loads(listed)["data"] == [json.loads(begun)]
    assert logged_out.startswith("HTTP/1.1 204 ")


def test_what_make_run_prints_is_shown(databases):
    shown = next(fence for fence in readme.fences() if fence.text.startswith("$ make run\n"))
    applied = "".join(f"applied {name}\n" for name in migrate(databases.fresh("sqlite")))
    filled_in = lines_of_make_run().replace("{URL}", readme.ADDRESS).replace("{PK}", "pk_1")

    assert readme.fits(shown.text, f"$ make run\n\n{applied}{filled_in}\n")


def test_every_block_is_an_example_or_an_answer_or_typed_elsewhere():
    answers = {example.answer for example in readme.examples()}

    loose = [
        block.line
        for block in readme.fences()
        if block.language not in ("sh", "console", "js", "html") and block not in answers
    ]

    assert loose == [readme_map().line]


@pytest.mark.parametrize(
    ("shown", "printed", "fit"),
    [
        pytest.param('{"a": "x…"}', '{"a":"xyz"}', True, id="any text in a string"),
        pytest.param('{"a": "x…"}', '{"a":"yx"}', False, id="another text"),
        pytest.param('{"a": 1, …}', '{"b": 2, "a": 1}', True, id="further members"),
        pytest.param('{"a": {"b": 1, …}}', '{"a": {"b": 1}, "c": 2}', False, id="further members elsewhere"),
        pytest.param('{"a": 1}', '{"a": 1, "b": 2}', False, id="a new member"),
        pytest.param('{"a": 1, "b": 2}', '{"a": 1}', False, id="a missing member"),
        pytest.param('{"a": 1}', '{"a": true}', False, id="another type"),
        pytest.param('["…"]', '["a", "b"]', False, id="a longer list"),
        pytest.param('"$NAME"', '"usr_1"', True, id="a variable"),
        pytest.param('"$NAME"', '"usr_2"', False, id="another than the variable"),
    ],
)
def test_an_answer_is_compared_with_care(shown, printed, fit):
    wrong = readme.differences(Fence("json", shown, 1), printed, {"NAME": "usr_1"})

    assert (wrong == []) is fit


@pytest.mark.parametrize(
    ("shown", "fit"),
    [
        pytest.param("HTTP/1.1 204 NO CONTENT\n", True, id="the status"),
        pytest.param("HTTP/1.1 200 OK\n", False, id="another status"),
        pytest.param("HTTP/1.1 204 NO CONTENT\nServer: …\n", True, id="a header"),
        pytest.param("HTTP/1.1 204 NO CONTENT\nAllow: …\n", False, id="a missing header"),
    ],
)
def test_a_head_is_compared_with_care(shown, fit):
    printed = "HTTP/1.1 204 NO CONTENT\r\nServer: gunicorn\r\n\r\n"

    wrong = readme.differences(Fence("http", shown, 1), printed, {})

    assert (wrong == []) is fit


# --- tables and lists ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        pytest.param("login", LOGIN),
        pytest.param("anonymous", ANONYMOUS),
        pytest.param("restoring", RESTORING),
    ],
)
def test_a_table_of_rules_is_that_of_the_code(name, rules):
    expected = rules.as_markdown()

    assert readme.marked(name) == expected, f"it has to be:\n{expected}"


def test_the_table_of_calls_is_that_of_the_openapi_document(client):
    prefixes = {name: description.partition(":")[0] for name, description in SCHEMES.values()}
    rows = ["| call | credential | answers | does |", "| --- | --- | --- | --- |"]
    for path, methods in client.get("/openapi.json").json["paths"].items():
        for method, call in methods.items():
            if method == "parameters":
                continue
            credentials = " ".join(prefixes[name] for scheme in call.get("security", []) for name in scheme)
            answers = " ".join(sorted(call["responses"]))
            rows.append(
                f"| `{method.upper()} {path}` | {credentials or 'none'} | {answers} | {call['summary']} |"
            )
    expected = "\n".join(rows)

    assert readme.marked("calls") == expected, f"it has to be:\n{expected}"


def test_every_route_is_documented_and_no_other(app):
    begun = re.compile(r"<(\w+:)?")
    routes = {
        f"{method} {begun.sub('{', rule.rule).replace('>', '}')}"
        for rule in app.url_map.iter_rules()
        # Pages for people, who find their way by links.
        if not rule.endpoint.startswith("console.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    documented = set(re.findall(r"`((?:DELETE|GET|PATCH|POST|PUT) /[^`?]*)`", TEXT))

    # What the page at /docs is made of.
    assert documented == routes - {"GET /docs/{name}", "GET /docs/start.js"}


def test_every_call_has_an_example_and_an_error():
    calls = [plain(row[0]) for row in table(readme.marked("calls"), "call")]

    lacking = [call for call in calls if "/v1/" in call and section(f"### `{call}`").count("```sh\n") < 2]

    assert calls
    assert lacking == []


def test_every_setting_of_the_server_is_documented_with_its_default():
    expected = {
        field.name.upper(): "none, required"
        if field.default is MISSING
        else f"`{field.default}`"
        if field.default != ""
        else "none"
        for field in fields(Config)
    }

    documented = {plain(name): default for name, default, _ in table(section("## Settings"), "variable")}

    assert documented == expected


def test_every_setting_of_an_app_is_documented_with_its_default():
    expected = SettingsShape().dump(Settings())

    documented = {
        plain(name): json.loads(plain(default))
        for name, default, _ in table(section("## Settings"), "setting")
    }

    assert documented == expected


def test_every_code_of_an_error_is_documented_with_its_status():
    domain = {
        kind.code: str(next(STATUS[base] for base in kind.__mro__ if base in STATUS))
        for kind in kinds_of(errors.UsherError) - NEVER_ANSWERED
    }
    conflicts = {code: "409" for call in calls_of("Conflict") if (code := constant(call, 0))}

    documented = {plain(code): status for code, status, _ in table(section("## Errors"), "code")}

    assert documented == FRAMEWORK | domain | conflicts


def test_every_code_of_a_refused_member_is_documented():
    expected = {
        code
        for name, position in (("Malformed", 0), ("problem", 0), ("member", 1), ("FieldError", 1))
        for call in calls_of(name)
        if (code := constant(call, position))
    }
    expected |= {codes["code"] for codes in dictionaries_of("code", "detail")}
    expected |= {errors.UnknownDevice.code}

    below = section("## Errors").partition("The codes in `errors`")[2]
    documented = {plain(code) for code, _ in table(below, "code")}

    assert documented == expected


def test_the_map_names_every_module_and_nothing_else():
    named = {Path(path) for path in re.findall(r"^  (\S+(?:\.py|/))", readme_map().text, re.MULTILINE)}
    packages = {path for path in MODULES if path.name == "__init__.py"}
    expected = MODULES - {path for path in packages if not holds_code(path)}
    rooms = {path.parent for path in packages} - {Path(), Path("api/schemas")}
    migrations = {path for path in MODULES if path.parent == Path("store/migrations")}

    assert named == (expected - migrations) | rooms | {Path("store/migrations")}


def test_every_metric_is_documented():
    measured = (REQUESTS, REQUEST_SECONDS, LOGINS, RACES_LOST)
    names = {metric.name for kind in measured for metric in kind.collect()}

    lacking = [name for name in names if not re.search(rf"`{name}(_total)?`", section("### Watch"))]

    assert lacking == []


def test_every_target_of_the_makefile_is_documented():
    targets = set(re.findall(r"^([\w-]+):.*## ", (HERE / "Makefile").read_text(), re.MULTILINE))

    documented = {plain(row[0]) for row in table(section("## Changing it"), "command")}

    assert documented == {f"make {target}" for target in targets - {"help", "run"}}


def test_every_link_leads_somewhere():
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    links = re.findall(r"\]\(([^)]*)\)", TEXT)

    broken = [
        link
        for link in links
        if not (link[1:] in anchors if link.startswith("#") else (HERE / link).exists())
    ]
    assert links
    assert broken == []


# --- what the code says of itself ----------------------------------------------------------------


def readme_map() -> Fence:
    return next(fence for fence in readme.fences() if fence.text.startswith("service/\n"))


def kinds_of(kind: type[errors.UsherError]) -> set[type[errors.UsherError]]:
    """Answer an error and all below it, save for those that never reach a request."""
    if kind is errors.BadSettings:
        return set()
    return {kind}.union(*(kinds_of(below) for below in kind.__subclasses__()))


def trees() -> Iterator[ast.AST]:
    return (node for path in MODULES for node in ast.walk(ast.parse((HERE / "service" / path).read_text())))


def calls_of(name: str) -> list[ast.Call]:
    """Answer every call of a function, or of a method, of this name."""
    return [
        node
        for node in trees()
        if isinstance(node, ast.Call)
        and name in (getattr(node.func, "id", None), getattr(node.func, "attr", None))
    ]


def constant(call: ast.Call, position: int) -> str | None:
    """Answer an argument if it stands there as text."""
    argument = call.args[position] if position < len(call.args) else None
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None


def dictionaries_of(*keys: str) -> list[dict[str, str]]:
    """Answer every dictionary of text that is written with these keys."""
    return [
        written
        for node in trees()
        if isinstance(node, ast.Dict)
        and [getattr(key, "value", None) for key in node.keys] == list(keys)
        and all(isinstance(value, ast.Constant) for value in node.values)
        and (written := ast.literal_eval(node))
    ]


def holds_code(path: Path) -> bool:
    """Whether a module is more than its docstring."""
    return len(ast.parse((HERE / "service" / path).read_text()).body) > 1
