"""What everything is compared with: a Flask endpoint that reads a small body and answers a little JSON."""

from flask import Flask, request
from flask.typing import ResponseReturnValue

app = Flask(__name__, static_folder=None)


@app.post("/")
def nothing() -> ResponseReturnValue:
    """Answer that all is well."""
    request.get_json()
    return {"status": "ok"}
