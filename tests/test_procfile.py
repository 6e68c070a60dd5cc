"""The lines of the Procfile run as a platform runs them, on PostgreSQL by the URL that it gives."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from honcho.environ import parse_procfile

from service.api.headers import HEADERS
from service.store.migrating import DIRECTORY
from tests.conftest import Databases
from tests.support.servers import ADMIN_KEY, SECRET_KEY, TIMEOUT, Server, free_port, wait_until

HERE = Path(__file__).parent.parent
# It holds no setting of ours.
ENVIRONMENT = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
ALL = sorted(path.stem for path in DIRECTORY.glob("0*.py"))


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def honcho(databases: Databases, tmp_path_factory: pytest.TempPathFactory, port: int) -> list[str]:
    """The command that starts a process of the Procfile, with settings as a platform has them."""
    settings = tmp_path_factory.mktemp("platform") / ".env"
    settings.write_text(
        f"DATABASE_URL='{databases.fresh('postgresql')}'\n"
        f"ADMIN_KEY='{ADMIN_KEY}'\n"
        f"SECRET_KEY='{SECRET_KEY}'\n"
        "DYNO=web.1\n"
        "WEB_CONCURRENCY=2\n"
        # Heroku's buildpack turns the access log on, whose URLs would hold emails and user IDs.
        "GUNICORN_CMD_ARGS='--access-logfile -'\n"
    )
    return [sys.executable, "-m", "honcho", "--env", str(settings), "start", "--port", str(port)]


@pytest.fixture(scope="module")
def release(honcho: list[str]) -> subprocess.CompletedProcess[str]:
    how = {"capture_output": True, "text": True, "timeout": TIMEOUT}
    return subprocess.run([*honcho, "release"], cwd=HERE, env=ENVIRONMENT, check=False, **how)


@pytest.fixture(scope="module")
def web(honcho: list[str], release: subprocess.CompletedProcess[str], port: int) -> Iterator[Server]:
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*honcho, "web"], cwd=HERE, env=ENVIRONMENT, **how)
    server = Server(process, port)
    try:
        server.wait_until("/readyz")
        yield server
    finally:
        # Asked to end, honcho sometimes waits for ever; without its children it does not.
        for part in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                part.kill()
        server.kill()


def test_the_procfile_names_what_a_platform_runs_and_its_release_line_migrates(release):
    assert set(parse_procfile(HERE.joinpath("Procfile").read_text()).processes) == {
        "release",
        "web",
        "worker",
        "live",
    }
    assert release.returncode == 0, release.stdout + release.stderr
    assert [name for name in ALL if f"applied {name}" not in release.stdout] == []


@pytest.mark.parametrize(("path", "others"), [("/healthz", set()), ("/docs", {"Content-Security-Policy"})])
def test_the_web_line_sends_each_header_once(web, path, others):
    headers = web.open(path).headers

    assert {name for name, value in HEADERS if headers[name] != value} == others
    assert [name for name in headers if len(headers.get_all(name)) != 1] == []


def test_the_web_line_serves_whoever_logs_in_and_counts_what_its_workers_serve(web):
    tenant = web.tenant()
    assert tenant.login(userId="u-18", email="jane@example.org")["resolution"]["rule"] == "new-user-id"

    metrics = tenant.call("GET", "/metrics", tenant.admin_key).text

    assert 'usher_logins_total{rule="new-user-id"} ' in metrics
    assert 'usher_requests_total{method="POST",route="/v1/login",status="201"} ' in metrics


def test_the_web_line_writes_no_url_into_the_log(web):
    tenant = web.tenant()
    tenant.call("GET", "/v1/conversations?user=usr_who", tenant.sk)

    # A line comes through honcho's own pipe, so later than the answer.
    wait_until(lambda: any('"route":"/v1/conversations"' in line for line in web.stdout))

    assert [line for line in web.stdout if "usr_who" in line] == []


def test_an_app_of_a_platform_may_run_another_command_in_place_of_the_web_server(honcho, release):
    assert release.returncode == 0
    env = ENVIRONMENT | {"WEB_COMMAND": "python -m service apps create Shop"}
    how = {"capture_output": True, "text": True, "timeout": TIMEOUT}

    ran = subprocess.run([*honcho, "web"], cwd=HERE, env=env, check=False, **how)

    assert "APP=app_" in ran.stdout
