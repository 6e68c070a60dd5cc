"""What a refusal says."""

from werkzeug.test import TestResponse


def problem_of(response: TestResponse) -> tuple[int, str]:
    """Return the status and the code of a problem."""
    return response.status_code, response.json["code"]


def refused_fields(response: TestResponse) -> list[tuple[str, str]]:
    """Return the pointer and the code of each field that a 422 refuses."""
    assert response.status_code == 422, response.text
    return [(error["pointer"], error["code"]) for error in response.json["errors"]]
