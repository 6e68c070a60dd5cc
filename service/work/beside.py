"""Work in the process of a web server, where the store is a file: so one command serves all."""

import threading

from service.config import Config
from service.store.opening import open_store
from service.work.following import begin_to_follow
from service.work.importing import begin_to_import
from service.work.loop import Worker
from service.work.tidying import begin_to_tidy


def work_beside(config: Config) -> Worker:
    """Begin to work in threads, which end with the process. Called after the fork, as nothing that is opened
    before may be used after."""
    store = open_store(config)
    worker = Worker(store, config.secret_key, config.webhook_loopback == "on")
    threading.Thread(target=worker.run, daemon=True, name="work").start()
    begin_to_tidy(store, config, worker.stopped)
    begin_to_import(store, config.secret_key, worker.stopped)
    begin_to_follow(store, worker.stopped)
    return worker
