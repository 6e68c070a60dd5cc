"""What Usher uses of its libraries that has no public name: a release without it fails here, by name."""

import inspect

import psycopg
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.store.engine.libpq import WaitTimeout


def test_psycopg_says_by_an_error_of_its_own_that_a_wait_took_too_long():
    assert issubclass(WaitTimeout, psycopg.OperationalError)
    assert WaitTimeout.__name__ == "_WaitTimeout"


def test_uvicorn_makes_each_connection_of_a_class_that_we_may_extend():
    used = {"connection_made", "send_400_response", "app_state", "headers", "transport", "loop"}
    names = set(dir(H11Protocol)) | set(inspect.getsource(H11Protocol.__init__).split())

    assert {name for name in used if not names & {name, f"self.{name}", f"self.{name}:"}} == set()
    assert inspect.iscoroutinefunction(uvicorn.Server.shutdown)
