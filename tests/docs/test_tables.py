"""The tables and lists of the README and docs/ are those of the code."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path

from service.api.auth import SCHEMES
from service.api.problems import CODES, STATUS
from service.api.schemas.apps import SettingsShape
from service.config import Config
from service.desk.limits import APP_SHARE
from service.live.app import STREAM
from service.model import errors
from service.model.apps import Settings
from service.model.identifiers import PLACEHOLDERS
from service.rules.duplicates import BESIDES, SIGNALS
from service.rules.login import LOGIN
from service.rules.mailboxes import MISTYPED, PROVIDERS
from service.rules.restoring import BEHAVIORS
from service.store.kinds import LEFT_OUT
from tests.support.cases import cases
from tests.support.metrics import METRICS
from tests.support.pages import HERE, PAGES, README, Fence, Page, plain, table
from tests.support.rulebook import RULEBOOK

API = Page("docs/api.md")
ARCHITECTURE = Page("docs/architecture.md")
CONTRIBUTING = Page("CONTRIBUTING.md")
DUPLICATES = Page("docs/duplicates.md")
ERRORS = Page("docs/errors.md")
IDENTIFIERS = Page("docs/identifiers.md")
MOVING = Page("docs/moving.md")
OPERATING = Page("docs/operating.md")
RULES = Page("docs/rules.md")
SETTINGS = Page("docs/settings.md")

MODULES = {path.relative_to(HERE / "service") for path in (HERE / "service").rglob("*.py")}
# `error` is what any other refusal of HTTP itself is called.
FRAMEWORK = {code: str(status) for status, code in CODES.items()} | {"error": "4xx", "internal-error": "500"}
# The bases of codes that say more, and what never leaves the use cases.
NEVER_ANSWERED = {errors.UsherError, errors.Conflict, errors.StaleState}


@cases(
    "page, name, rules",
    ("login in the README", README, "login", LOGIN),
    *((name, RULES, name, rules) for name, rules in RULEBOOK.items()),
)
def test_a_table_of_rules_is_that_of_the_code(page, name, rules):
    expected = rules.as_markdown()
    assert page.marked(name) == expected, f"it has to be:\n{expected}"


def test_the_table_of_what_a_restore_does_is_that_of_the_code():
    rows = [f"| `{behavior}` | {act} |" for behavior, act in BEHAVIORS.items()]
    expected = "\n".join(["| restoreBehavior | then |", "| --- | --- |", *rows])

    assert RULES.marked("behaviors") == expected, f"it has to be:\n{expected}"


COMPARED = {
    "signals": [[f"`{one.name}`", one.detail, one.likelihood, one.at_most] for one in SIGNALS],
    "beside": [[f"`{one.name}`", one.detail, one.raises, 100 - one.keeps] for one in BESIDES],
    "providers": [
        [f"`{name}`", f"`{one.domain}`", "yes" if one.ignores_dots else "no"]
        for name, one in PROVIDERS.items()
    ],
    "mistyped": [
        [f"`{domain}`", ", ".join(f"`{name}`" for name, right in MISTYPED.items() if right == domain)]
        for domain in dict.fromkeys(MISTYPED.values())
    ],
}


@cases("name, expected", *((name, name, rows) for name, rows in COMPARED.items()))
def test_a_table_of_what_is_compared_is_that_of_the_code(name, expected):
    rows = "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in expected)
    assert DUPLICATES.marked(name).split("\n", 2)[2] == rows, f"it has to be:\n{rows}"


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

    assert API.marked("calls") == expected, f"it has to be:\n{expected}"


def test_every_route_is_documented_and_no_other(app):
    begun = re.compile(r"<(\w+:)?")
    routes = {
        f"{method} {begun.sub('{', rule.rule).replace('>', '}')}"
        for rule in app.url_map.iter_rules()
        # Pages for people, who find their way by links.
        if not rule.endpoint.startswith("console.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    documented = set(
        re.findall(r"`((?:DELETE|GET|PATCH|POST|PUT) /[^`?]*)`", "\n".join(page.text for page in PAGES))
    )

    # What the page at /docs is made of, and what another process serves.
    assert documented == routes - {"GET /docs/{name}", "GET /docs/start.js"} | {f"GET {STREAM}"}


def test_every_call_has_an_example_and_an_error():
    calls = [plain(row[0]) for row in table(API.marked("calls"), "call")]
    lacking = [call for call in calls if "/v1/" in call and API.section(f"### `{call}`").count("```sh\n") < 2]
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
    documented = {
        plain(name): default for name, default, _ in table(SETTINGS.section("## Of the server"), "variable")
    }

    assert documented == expected


def test_every_setting_of_an_app_is_documented_with_its_default():
    expected = SettingsShape().dump(Settings())
    documented = {
        plain(name): json.loads(plain(default))
        for name, default, _ in table(SETTINGS.section("## Of an app"), "setting")
    }
    assert documented == expected


def test_the_rates_are_those_of_the_settings():
    defaults = {"LOGIN_RATE": Config.login_rate, "PROOF_FAILURE_RATE": Config.proof_failure_rate}
    expected = {name: [rate, rate, APP_SHARE * rate] for name, rate in defaults.items()}
    rows = table(API.section("### Rate limits"), "Setting")
    documented = {
        plain(row[0]): [int(re.match(r"[\d,]+", cell)[0].replace(",", "")) for cell in row[2:]]
        for row in rows
    }
    assert documented == expected


def test_every_code_of_an_error_is_documented_with_its_status():
    domain = {
        kind.code: str(next(STATUS[base] for base in kind.__mro__ if base in STATUS))
        for kind in kinds_of(errors.UsherError) - NEVER_ANSWERED
    }
    conflicts = {code: "409" for call in calls_of("Conflict") if (code := constant(call, 0))}
    documented = {plain(code): status for code, status, _ in table(ERRORS.section("## Codes"), "code")}
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
    documented = {plain(code) for code, _ in table(ERRORS.section("## Codes of members"), "code")}
    assert documented == expected


def test_every_placeholder_is_documented():
    listed = IDENTIFIERS.section("## User IDs").partition("A placeholder is one of these")[2]
    # The one with only zeros is described.
    documented = {*re.findall(r"`([^`]*)`", listed.casefold()), "00000000-0000-0000-0000-000000000000"}
    assert documented == PLACEHOLDERS


def test_the_map_names_every_module_and_nothing_else():
    named = {Path(path) for path in re.findall(r"^  (\S+(?:\.py|/))", the_map().text, re.MULTILINE)}
    packages = {path for path in MODULES if path.name == "__init__.py"}
    expected = MODULES - {path for path in packages if not holds_code(path)}
    folders = {path.parent for path in packages} - {Path(), Path("api/schemas")}
    migrations = {path for path in MODULES if path.parent == Path("store/migrations")}
    assert named == (expected - migrations) | folders | {Path("store/migrations")}


def test_every_metric_is_documented():
    lacking = [name for name in METRICS if f"`{name}`" not in OPERATING.section("## Watch")]
    assert METRICS
    assert lacking == []


def test_every_target_of_the_makefile_is_documented():
    targets = set(re.findall(r"^([\w-]+):.*## ", (HERE / "Makefile").read_text(), re.MULTILINE))
    documented = {plain(row[0]) for row in table(CONTRIBUTING.section("## Commands"), "command")}
    assert documented == {f"make {target}" for target in targets - {"help", "run"}}


def the_map() -> Fence:
    return next(fence for fence in ARCHITECTURE.fences() if fence.text.startswith("service/\n"))


def kinds_of(kind: type[errors.UsherError]) -> set[type[errors.UsherError]]:
    """Return an error and all below it, save for those that never reach a request."""
    if kind is errors.BadSettings:
        return set()
    return {kind}.union(*(kinds_of(below) for below in kind.__subclasses__()))


def trees() -> Iterator[ast.AST]:
    return (node for path in MODULES for node in ast.walk(ast.parse((HERE / "service" / path).read_text())))


def calls_of(name: str) -> list[ast.Call]:
    """Return every call of a function, or of a method, of this name."""
    return [
        node
        for node in trees()
        if isinstance(node, ast.Call)
        and name in (getattr(node.func, "id", None), getattr(node.func, "attr", None))
    ]


def constant(call: ast.Call, position: int) -> str | None:
    """Return an argument if it stands there as text."""
    argument = call.args[position] if position < len(call.args) else None
    return argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None


def dictionaries_of(*keys: str) -> list[dict[str, str]]:
    """Return every dictionary of text that is written with these keys."""
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


def test_the_table_of_what_is_not_moved_is_that_of_the_code():
    rows = [f"| `{table._meta.table_name}` | {why} |" for table, why in LEFT_OUT.items()]
    expected = "\n".join(["| table | because |", "| --- | --- |", *rows])

    assert MOVING.marked("left out") == expected, f"it has to be:\n{expected}"
