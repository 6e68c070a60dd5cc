"""What a user is known by."""

import pytest

from service.model.users import User


def test_nobody_is_shown_of_whom_not_all_was_asked_for():
    half = User("usr_1", "u-1", "jane@example.org", None, (), 1, further_emails=None)
    with pytest.raises(TypeError):
        half.emails  # noqa: B018 - the question is what is asked about
