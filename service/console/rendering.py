"""Make pages of templates, and a page of every problem: the same status, and what to do about it."""

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, render_template, request

from service.api.context import serving
from service.api.problems import CONTENT_TYPE
from service.console import faces, words
from service.console.guard import PATH, delete_cookie, way_back
from service.model.errors import FieldError
from service.model.identifiers import is_anonymous, is_of_a_device
from service.rules.reasons import reason_of
from service.times import now, rfc3339

ASSETS = Path(__file__).parent / "static"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Of a page whose script asks for something, or sends it.
CONNECTING = f"{HEADERS['Content-Security-Policy']}; connect-src 'self'"

# What a page says that somebody is sent to after a form did something.
NOTICES = {
    "began": "You are signed in.",
    "ended": "You are signed out.",
    "begun": "The conversation was begun; every device of the user shows it.",
    "replied": "Your reply was sent.",
    "read": "The conversation is marked as read.",
    "resolved": "The conversation is resolved.",
    "open": "The conversation is open again.",
    "described": "Your name and colour are kept while you are signed in.",
    "merged": "The two are one user now. You can undo it below, under Merges.",
    "undone": "The merge was undone: both users stand again.",
    "dismissed": "It is remembered that the two are not the same: they are not shown as a pair again.",
    "removed": "The user ID was taken away.",
    "corrected": "The user ID was corrected.",
    "erased": "The user was erased, with all their messages and identifiers.",
    "made-before": "This form was sent before. What it made is here; its secret was shown then.",
    "changed": "The webhook was changed.",
    "switched-on": "The webhook is on: what waits is delivered.",
    "switched-off": "The webhook is off: nothing is delivered until you switch it on.",
    "webhook-removed": "The webhook was removed.",
    "secret-removed": "The secret was removed.",
    "tested": "A test is on its way. Reload in a moment to see what became of it.",
    "app-made": "The app was added. It has no keys yet: make one for its backend, and one for its pages.",
    "app-changed": "The app was changed.",
    "key-deleted": "The key was deleted. It opens nothing from now on.",
    "origin-added": "Pages of this origin may call from now on.",
    "origin-removed": "Pages of this origin may not call any more.",
    "import-sent": "The file is here, encrypted. It is read now, and nothing is changed by that.",
    "import-begun": "The people are being taken in. You may leave this page.",
    "import-removed": "The file is removed, with all that told of it. Whoever was taken in stays.",
    "sent-again": "It is on its way once more. Reload in a moment to see what became of it.",
}

# By status: what is the matter, and what to do about it.
ADVICE = {
    400: ("This form cannot be read", "Go back, reload the page and send it again."),
    401: ("Sign in", "You are not signed in, or no longer: sign in with a secret key of your app."),
    403: ("This form was not accepted", "Go back, reload the page and send it again, over HTTPS."),
    404: (
        "There is nothing here",
        "It may have been erased, or the address is not complete. Look for the user by ID, email or name.",
    ),
    405: ("This address is for forms", "Go back to the page that you came from."),
    409: ("This cannot be done as things stand", "Nothing was changed. Look at it anew and try again."),
    410: ("This event is not kept any more", "It is too old to be sent again."),
    413: ("This is too much", "Go back and send less of it at a time."),
    422: ("Something has to be corrected", "Go back, correct it and send it again. Nothing was changed."),
    429: ("Too many attempts", "Wait a minute, then try again."),
    503: ("The store does not answer", "Wait a few seconds and reload. Look first whether it was done."),
}
FAULT = ("Something went wrong here", "Try again; if it stays so, tell the operator the number below.")

# What a sign-in says that was refused.
KEY_ADVICE = {
    401: "Nobody has this key, or it was deleted. Paste the whole key; it begins with sk_, or with ak_.",
    403: "This is not accepted. The console needs a secret key of an app, sk_…, or the admin key, ak_….",
    429: "Too many keys failed that came from your address. Wait a minute, then try again.",
}


def register(app: Flask) -> None:
    """Teach the templates what they call, and make a page of every problem under our path."""
    app.jinja_env.filters |= {
        "sentence": words.sentence,
        "by": words.by,
        "because": reason_of,
        "initials": faces.initials,
        "colour_of": faces.colour_of,
        "title_of": words.title,
        "said": words.said,
        "when": words.when,
        "size": words.size,
        "is_picture": words.is_picture,
        "rfc3339": rfc3339,
        "state_of_import": words.state_of_import,
        "state_of_webhook": words.state_of_webhook,
        "is_anonymous": is_anonymous,
        "is_of_a_device": is_of_a_device,
    }
    app.after_request(_finish)


def page(name: str, status: int = 200, **values: Any) -> Response:
    """Make a page of a template."""
    text = render_template(
        f"console/{name}.html",
        agent=g.get("agent"),
        notice=NOTICES.get(request.args.get("done", "")),
        **({"errors": (), "served_at": now()} | values),
    )
    return Response(text, status, mimetype="text/html")


def sign_in_page(status: int = 200, wrong: str | None = None, back: str = "") -> Response:
    """Make the page that asks for a key, and leads ``back`` then."""
    return page("sign_in", status, wrong=wrong, back=back)


def _finish(response: Response) -> Response:
    path = serving().request.path
    if path != PATH and not path.startswith(f"{PATH}/"):
        return response
    # A script of ours asks for the problem itself.
    if response.content_type == CONTENT_TYPE and request.headers.get("Accept") != CONTENT_TYPE:
        response = _as_page(response)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _as_page(answer: Response) -> Response:
    problem = json.loads(answer.get_data())
    status = answer.status_code
    if request.path == f"{PATH}/sign-in" and status in KEY_ADVICE:
        shown = sign_in_page(status, KEY_ADVICE[status], dict(g.get("form", ())).get("back", ""))
    elif status == HTTPStatus.UNAUTHORIZED:
        # Of who was never here, nothing is wrong yet.
        shown = delete_cookie(
            sign_in_page(status, ADVICE[status][1] if request.cookies else None, way_back())
        )
    else:
        shown = _error_page(status, problem)
    for name, value in answer.headers:
        if name in ("Allow", "Retry-After"):
            shown.headers[name] = value
    return shown


def _error_page(status: int, problem: dict[str, Any]) -> Response:
    title, advice = ADVICE.get(status, FAULT if status >= 500 else ADVICE[400])
    errors = tuple(FieldError(**error) for error in problem.get("errors", ()))
    number = problem["requestId"] if status >= 500 else None
    # No page of a problem differs from another, not even in when it was made.
    said = {"title": title, "advice": advice, "detail": g.get("detail"), "number": number}
    return page("error", status, errors=errors, served_at=None, **said)
