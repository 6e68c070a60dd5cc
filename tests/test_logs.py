"""The log: one JSON object a line, and nothing that somebody sent."""

import io
import json
import logging
import re
import sys

import pytest

from service import logs
from service.logs import MAX_CAUSES, MAX_FRAMES, configure, get_logger
from service.model.errors import BadSettings
from tests.support.logbook import on_standard_output

PERSONAL = "jane@example.org"


@pytest.fixture(autouse=True)
def configured():
    with on_standard_output():
        yield


@pytest.fixture
def lines(capsys):
    """Read the lines that were written to standard output since it was last called."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def fail():
    raise ValueError(PERSONAL)


def fail_because():
    try:
        fail()
    except ValueError as error:
        raise RuntimeError(PERSONAL) from error


def fail_again():
    try:
        fail()
    except ValueError:
        raise RuntimeError(PERSONAL)  # noqa: B904 - the context that Python adds is what is tested


def fail_anew():
    try:
        fail()
    except ValueError:
        raise RuntimeError(PERSONAL) from None


def fail_deep(depth):
    return fail_deep(depth - 1) if depth else fail()


def fail_often(times):
    try:
        if times == 0:
            fail()
        fail_often(times - 1)
    except (RuntimeError, ValueError) as error:
        raise RuntimeError(times) from error


def log_failure(failing, *arguments):
    try:
        failing(*arguments)
    except (RuntimeError, ValueError):
        get_logger().exception("failed")


def test_a_line_is_one_json_object_with_the_time_in_milliseconds_and_the_request_that_is_served(lines):
    get_logger().info("login", rule="known-user-id")
    logs.REQUEST.set("req_1")
    get_logger().warning("slow")

    line, of_request = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {"level": "info", "event": "login", "rule": "known-user-id"}
    assert of_request["requestId"] == "req_1"


def test_what_is_no_unicode_or_has_line_breaks_is_written_and_an_object_as_its_class_only(lines):
    get_logger().info("login", route='\udcff\n{"event": "forged"}', user=io.StringIO(PERSONAL))

    [line] = lines()
    assert (line["route"], line["user"]) == ('\udcff\n{"event": "forged"}', "<StringIO>")


def test_configuring_twice_writes_each_line_once(lines):
    configure()

    get_logger().info("login")
    logging.getLogger("library").warning("odd")

    assert [line["event"] for line in lines()] == ["login", "odd"]


def test_an_exception_leaves_its_class_and_frames_and_not_its_message(lines, capsys):
    log_failure(fail)

    [line] = lines()
    [exception] = line["exception"]
    assert line["level"] == "error"
    assert exception["class"] == "builtins.ValueError"
    assert [frame.rpartition(":")[2] for frame in exception["frames"]] == ["log_failure", "fail"]
    assert re.fullmatch(r".+test_logs\.py:\d+:fail", exception["frames"][-1])
    assert PERSONAL not in json.dumps(line) + capsys.readouterr().err


CAUSES = {
    "its cause": (fail_because, ["builtins.RuntimeError", "builtins.ValueError"]),
    "its context": (fail_again, ["builtins.RuntimeError", "builtins.ValueError"]),
    "not a suppressed context": (fail_anew, ["builtins.RuntimeError"]),
}  # fmt: skip


@pytest.mark.parametrize(("failing", "classes"), CAUSES.values(), ids=CAUSES)
def test_an_exception_comes_with_what_led_to_it(lines, failing, classes):
    log_failure(failing)

    [line] = lines()
    assert [exception["class"] for exception in line["exception"]] == classes
    assert PERSONAL not in json.dumps(line)


def test_a_long_trace_is_cut_to_its_innermost_frames_and_a_long_chain_of_causes_is_cut(lines):
    log_failure(fail_deep, MAX_FRAMES)
    log_failure(fail_often, MAX_CAUSES)

    deep, often = lines()
    [exception] = deep["exception"]
    assert (len(exception["frames"]), exception["frames"][-1].rpartition(":")[2]) == (MAX_FRAMES, "fail")
    assert len(often["exception"]) == MAX_CAUSES


@pytest.mark.parametrize(
    "exc_info",
    [ValueError(PERSONAL), (ValueError, ValueError(PERSONAL), None)],
    ids=["the exception", "what sys.exc_info gives"],
)
def test_an_exception_may_be_handed_over(lines, exc_info):
    get_logger().error("failed", exc_info=exc_info)

    assert lines()[0]["exception"] == [{"class": "builtins.ValueError", "frames": []}]


def test_why_a_server_does_not_start_is_told_in_full_and_nothing_of_an_exception_that_there_is_not(lines):
    get_logger().error("failed", exc_info=True)
    get_logger().error("failed", exc_info=BadSettings("ADMIN_KEY is missing"))

    nothing, settings = lines()
    assert "exception" not in nothing
    assert settings["exception"][0]["message"] == "ADMIN_KEY is missing"


def test_a_librarys_line_is_its_constant_text_and_its_exception_a_class_and_frames(lines):
    logging.getLogger("library").warning("odd address: %s", PERSONAL)
    try:
        fail()
    except ValueError as error:
        logging.getLogger("library").exception(error)

    line, failure = lines()
    assert (line["logger"], line["level"], line["event"]) == ("library", "warning", "odd address: %s")
    assert failure["event"] == "builtins.ValueError"
    assert failure["exception"][0]["frames"][-1].endswith(":fail")
    assert PERSONAL not in json.dumps([line, failure])


OF_GUNICORN = {
    "of a process": ("Booting worker with pid: %s", [17], "Booting worker with pid: 17"),
    "without arguments": ("Worker is 100% up", [], "Worker is 100% up"),
    "of a request": ("Error handling request %s", [PERSONAL], "Error handling request"),
    "of a bad request": (f"Invalid request from ip=127.0.0.1: {PERSONAL}", [], "Invalid request"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "arguments", "written"), OF_GUNICORN.values(), ids=OF_GUNICORN)
def test_gunicorn_speaks_of_processes_and_not_of_requests(lines, text, arguments, written):
    logging.getLogger("gunicorn.error").error(text, *arguments)

    assert [line["event"] for line in lines()] == [written]


def test_debugging_lines_are_not_written(lines):
    get_logger().debug("looked")
    logging.getLogger("peewee").debug("SELECT 1")

    assert lines() == []


def test_a_line_that_cannot_be_written_is_lost_and_nothing_fails(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)

    get_logger().info("late")
    logging.getLogger("library").warning("late")

    assert closed.closed
