"""The configurations of routers in docs/live.md, as they stand there but for ports."""

import re
import shutil
import subprocess
from contextlib import closing

import pytest

from service.store.migrating import migrate
from tests.support.live import Follower, live
from tests.support.pages import Page
from tests.support.servers import Server, free_port, serve, wait_until

PAGE = Page("docs/live.md")


def configuration(language, **ports):
    """Return what stands in the page, with other ports."""
    text = next(fence.text for fence in PAGE.fences() if fence.language == language)
    for former, port in ports.items():
        text = re.sub(rf"\b{former.strip('_')}\b(?=;|\n)", str(port), text)
    return text


def nginx(directory, text):
    around = f"daemon off; pid {directory}/pid; error_log stderr; events {{ }}\nhttp {{ access_log off;\n"
    paths = "".join(f"{kind}_temp_path {directory}/{kind};\n" for kind in ("client_body", "proxy"))
    others = "".join(f"{kind}_temp_path {directory}/{kind};\n" for kind in ("fastcgi", "scgi", "uwsgi"))
    (directory / "conf").write_text(f"{around}{paths}{others}{text}\n}}\n")
    return ["nginx", "-e", "stderr", "-c", str(directory / "conf")]


def haproxy(directory, text):
    (directory / "conf").write_text(text)
    return ["haproxy", "-f", str(directory / "conf")]


@pytest.mark.parametrize("start", [nginx, haproxy], ids=lambda start: start.__name__)
def test_a_router_passes_streams_on_as_they_come(databases, tmp_path, start):
    if not shutil.which(start.__name__):
        pytest.skip(f"{start.__name__} is not installed")
    url, port = databases.fresh("sqlite"), free_port()
    migrate(url)
    with serve(url) as web, live(url) as streams:
        text = configuration(start.__name__, _80=port, _8000=web.port, _8001=streams.port)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        routed = Server(subprocess.Popen(start(tmp_path, text), **pipes), port)
        try:
            routed.wait_until("/healthz")
            tenant = routed.tenant()
            token = tenant.session(userId="jane")
            with closing(Follower(port, token)) as follower:
                wait_until(lambda: follower.comments)
                follower.wait_told(tenant.begin(token))
                tenant.call("POST", "/v1/logout", token)
                follower.wait_over()
        finally:
            routed.process.terminate()
            routed.process.wait()
            routed.kill()
