"""What Usher uses of its libraries that has no public name: a release without it fails here, by name."""

import psycopg

from service.store.engine.libpq import WaitTimeout


def test_psycopg_says_by_an_error_of_its_own_that_a_wait_took_too_long():
    assert issubclass(WaitTimeout, psycopg.OperationalError)
    assert WaitTimeout.__name__ == "_WaitTimeout"
