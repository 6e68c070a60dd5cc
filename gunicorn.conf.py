"""How gunicorn serves Usher; found by its name when ``gunicorn wsgi:app`` starts in this directory."""

import os
import shutil
import tempfile
from pathlib import Path

from service.config import Config
from service.logs import LOGGING

# Read here already, so that a bad setting ends the server before a worker is made.
_config = Config.from_environment()

bind = f"0.0.0.0:{_config.port}"
worker_class = "gthread"
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
