"""Where the engine cannot matter: what is parsed, and what is on answers, before any row is looked at."""

import pytest

one_engine = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True, scope="session")
