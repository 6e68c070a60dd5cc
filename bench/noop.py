"""What everything is compared with: a Flask endpoint that does nothing and answers a little JSON."""

from flask import Flask
from flask.typing import ResponseReturnValue

app = Flask(__name__, static_folder=None)


@app.get("/")
def nothing() -> ResponseReturnValue:
    """Answer that all is well."""
    return {"status": "ok"}
