"""Who is there before a rule is put to the test over HTTP, and what is looked at after it."""

import pytest

from service.store.tables import History, Merges
from tests.support.people import PEOPLE, who
from tests.support.rulebook import NAMES


@pytest.fixture
def people(store, tenant):
    """Make people with IDs, and return who has which; whatever happens is written down by a rule's name."""
    for user_id in PEOPLE:
        tenant.login(userId=user_id)

    yield who(tenant)

    queries = [table.select(table.rule).where(table.app == tenant.id) for table in (History, Merges)]
    written = {rule for query in queries for (rule,) in store.database.rows(query)}
    assert written <= NAMES | {None}
