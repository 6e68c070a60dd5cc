"""How gunicorn serves Usher; found by its name when ``gunicorn wsgi:app`` starts in this directory."""

import select
from importlib import import_module
from pathlib import Path
from typing import Any

from service.config import Config
from service.logs import LOGGING
from service.server import hooks
from service.server.hooks import (  # noqa: F401 - gunicorn calls them by name
    child_exit,
    on_exit,
    post_worker_init,
    pre_fork,
)
from service.server.logger import Logger

if hasattr(select, "epoll"):
    from service.server.epoll import EpollWorker as Worker
    from service.server.lead import SerialWorker
else:
    from service.server.workers import Worker
    from service.server.workers import Worker as SerialWorker

# Read here already, so that a bad setting ends the server before a worker is made.
_config = Config.from_environment()
_on_sqlite = _config.database_url.startswith("sqlite:")

worker_class = SerialWorker if _on_sqlite else Worker
bind = f"0.0.0.0:{_config.port}"
workers = _config.web_concurrency
# One would leave a processor idle while it waits for a commit; of those that do not wait one runs at a time.
# All may wait for a store that is away: how long a request waits for a thread counts then.
# On SQLite one of them serves, and the others are for when that takes long.
threads = 4

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

logger_class = Logger
logconfig_dict = LOGGING


def on_starting(server: Any) -> None:
    """Import what the workers serve with, once there is a place to count in: so they share the memory that it
    takes. Nothing is connected before the fork."""
    hooks.on_starting(server)
    import_module("service.app")
    if _on_sqlite:
        import_module("service.work.beside")
