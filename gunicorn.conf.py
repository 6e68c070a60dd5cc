"""How gunicorn serves Usher; found by its name when ``gunicorn wsgi:app`` starts in this directory."""

import os
import shutil
import tempfile
from pathlib import Path

from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.workers import gthread

from service.api import problems
from service.api.headers import HEADERS
from service.config import Config
from service.logs import LOGGING
from service.threads import Threads

# Read here already, so that a bad setting ends the server before a worker is made.
_config = Config.from_environment()


# For how many seconds a client may say nothing in the middle of a request, and take to hang up after it.
SILENCE, GOODBYE = 10, 0.5


class Connection(gthread.TConn):
    """A connection that gives up: who vanishes in the middle of a request would keep a thread for good."""

    def init(self):
        """Get ready for a request."""
        super().init()
        self.sock.settimeout(SILENCE)


class Worker(gthread.ThreadWorker):
    """gunicorn's gthread, with threads that know how long a request has waited for them."""

    def get_thread_pool(self):
        """Make the threads."""
        return Threads(self.cfg.threads)

    def finish_request(self, conn, fs):
        """Part from a client on one of the threads: on this one all others would wait until it hangs up."""
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self.nr_conns -= 1
            self.tpool.submit(util.close_graceful, conn.sock, timeout=GOODBYE)


class Response(wsgi.Response):
    """An answer that takes the headers that are on all of ours as they are: gunicorn reads each of them anew
    to see whether it is one."""

    def process_headers(self, headers):
        """Take the headers of an answer."""
        others = headers[: -len(HEADERS)]
        if others + HEADERS == headers:
            super().process_headers(others)
            self.headers += HEADERS
        else:
            super().process_headers(headers)


gthread.TConn = Connection
wsgi.Response = Response
worker_class = Worker
bind = f"0.0.0.0:{_config.port}"
workers = _config.web_concurrency
threads = 8

# Longer than the 90 seconds for which Heroku's router keeps an idle connection.
keepalive = 100
# Heroku kills a process 30 seconds after it was asked to stop.
graceful_timeout = 25
control_socket_disable = True
# The workers' heartbeat must not wait for a disk.
if Path("/dev/shm").is_dir():  # noqa: S108 - gunicorn makes a file of its own, of a random name
    worker_tmp_dir = "/dev/shm"  # noqa: S108 - as above

# A legal user ID can be 9,000 bytes of URL, and gunicorn's own limit answers with a page of HTML.
limit_request_line = 0

# A database connection opened before the fork would be shared by all workers.
preload_app = False

logconfig_dict = LOGGING


def _write_problem(sock, status, reason, message):
    """Refuse what is no HTTP in the shape of everything refused; gunicorn's page would quote it."""
    util.write_nonblock(sock, problems.as_bytes(status))


util.write_error = _write_problem


def on_starting(server):
    """Give the workers one place to count in, before any of them imports prometheus_client."""
    server.metrics_dir = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="usher-metrics-")


def child_exit(server, worker):
    """Let go of what a dead worker had open."""
    # Imported any earlier, prometheus_client would decide for one process.
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

    mark_process_dead(worker.pid)


def on_exit(server):
    """Remove the counters: the next start counts from zero."""
    shutil.rmtree(server.metrics_dir, ignore_errors=True)
