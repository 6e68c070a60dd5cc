"""The demo, served as ``make run`` serves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from service.store.migrating import migrate
from tests.support.servers import Server, serve
from tests.support.signing import identity_key
from tests.support.tenants import Tenant


@contextmanager
def serve_demo(directory: Path) -> Iterator[tuple[Server, Tenant]]:
    """Have a server that shows the demo of an app, which is there with its keys before it starts."""
    url = f"sqlite:///{directory}/usher.sqlite"
    migrate(url)
    with serve(url, workers=1) as first:
        tenant = first.tenant()
        keys = f"{tenant.pk} {tenant.sk} {identity_key(tenant)[1]}"
    with serve(url, workers=1, DEMO_KEYS=keys, WEBHOOK_LOOPBACK="on") as server:
        yield server, replace(tenant, client=server)
