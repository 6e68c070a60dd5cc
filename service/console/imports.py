"""Files of people, for the operator: send one, see what would come of it, have it come, and watch.

Nothing is read while somebody waits for a page: whoever works does it (``service/work/importing.py``).
"""

from typing import Any

from flask import Blueprint, Response, redirect, url_for

from service.api.context import context
from service.console.forms import field, file_of_form, takes_file
from service.console.guard import operated
from service.console.rendering import page
from service.desk import apps as apps_desk
from service.desk import imports as desk
from service.desk.imports import MAX_BYTES, MAX_FILES
from service.encryption import IMPORTS, Encryption, FileEncryption
from service.model.apps import App
from service.model.callers import Operator
from service.model.errors import Conflict, FieldError, NotFound, Refused
from service.model.imports import UNDER_WAY, Import, ImportState, Options
from service.moving.sources.catalogue import SOURCES
from service.moving.sources.chatwoot import CHATWOOT
from service.moving.sources.helpshift import HELPSHIFT
from service.moving.sources.intercom import INTERCOM
from service.moving.sources.plain import PLAIN
from service.moving.sources.revenuecat import REVENUECAT
from service.moving.sources.zendesk import ZENDESK
from service.moving.uploads import Report
from service.store import AppStore
from service.texts import strip
from service.times import now

pages = Blueprint("imports", __name__)

# Whose a file may be, in words; the one first that is taken for a desk's by its columns.
NAMES = {
    PLAIN.name: "any CSV: if it is a desk’s, its columns tell; or JSON of your own",
    CHATWOOT.name: "contacts of Chatwoot, as a CSV or JSON",
    INTERCOM.name: "people of Intercom, as a CSV or JSON",
    ZENDESK.name: "users of Zendesk, as JSON or a CSV",
    HELPSHIFT.name: "profiles of Helpshift, as JSON",
    REVENUECAT.name: "customers of RevenueCat, as a CSV or JSON",
}
# How long a column or an encoding may be called.
MAX_NAME = 255
LOST = "It was encrypted under another SECRET_KEY. Remove it, and send it again."


@pages.get("/apps/<app>/imports")
@operated
def show_all(_: Operator, app: str) -> Response:
    """Show the files that are there, and ask for another."""
    return _all(app)


@pages.post("/apps/<app>/imports")
@takes_file(MAX_BYTES)
@operated
def send(_: Operator, app: str) -> Any:
    """Keep a file, to be read."""
    store = _store(app)
    try:
        options = _options()
        with context().transfers.upload():
            one = desk.receive(store, _encryption(), options, file_of_form())
    except Refused as refused:
        return _all(app, 422, errors=refused.errors)
    except Conflict as conflict:
        return _all(app, 409, errors=(FieldError("/file", conflict.code, f"{_sentence(str(conflict))}."),))
    return _to(app, one.id, "import-sent")


@pages.get("/apps/<app>/imports/<id>")
@operated
def show(_: Operator, app: str, id: str) -> Response:
    """Show what would come of a file, or came."""
    shown, store = _there(app)
    one = desk.show_import(store, id)
    cipher = desk.cipher_of(_encryption(), one)
    return page(
        "import",
        app=shown,
        one=one,
        failed=_failed(one, cipher),
        preview=_report(cipher, one.preview),
        report=_report(cipher, one.report),
        options=_as_said(one, cipher),
        is_under_way=one.state in UNDER_WAY,
        is_read_now=one.leased_until > now(),
        names=NAMES,
    )


@pages.post("/apps/<app>/imports/<id>/start")
@operated
def start(_: Operator, app: str, id: str) -> Any:
    """Have the people taken in."""
    desk.begin(_store(app), id)
    return _to(app, id, "import-begun")


@pages.post("/apps/<app>/imports/<id>/remove")
@operated
def remove(_: Operator, app: str, id: str) -> Any:
    """Remove a file, also in the midst of it."""
    desk.forget(_store(app), id)
    return redirect(url_for("console.imports.show_all", app=app, done="import-removed"), 303)


@pages.get("/apps/<app>/imports/<id>/rejects")
@operated
def rejects(_: Operator, app: str, id: str) -> Response:
    """Hand out what was left out of a file, as a CSV."""
    store = _store(app)
    one = desk.show_import(store, id)
    cipher = desk.cipher_of(_encryption(), one)
    if cipher is None:
        raise NotFound
    answer = Response(mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="rejects.csv"'
    answer.response = context().transfers.download(lambda: desk.rejects_of(store, cipher, one))
    return answer


def _options() -> Options:
    """Read how a file is to be read. Raises Refused."""
    source, *names = (field(name) for name in ("source", "userIdColumn", "emailColumn", "encoding"))
    if source not in SOURCES:
        raise Refused.member("source", "unknown-source", "Choose whose file it is.")
    if any(len(name) > MAX_NAME for name in names):
        raise Refused.member("userIdColumn", "too-long", f"A name has at most {MAX_NAME} characters.")
    user_id, email, encoding = map(strip, names)
    return Options(source, user_id, email, encoding, trusts_emails=bool(field("trustsEmails")))


def _failed(one: Import, cipher: FileEncryption | None) -> str | None:
    """Return why a file can't be read, or none of what came of it."""
    if cipher is None:
        return LOST
    if one.state is not ImportState.FAILED:
        return None
    return LOST if one.failed is None else f"{_sentence(cipher.decrypt(one.failed))}."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _report(cipher: FileEncryption | None, text: str | None) -> Report | None:
    return None if cipher is None or text is None else Report.of(cipher.decrypt(text))


def _as_said(one: Import, cipher: FileEncryption | None) -> Options | None:
    return None if cipher is None else desk.options_of(one, cipher)


def _there(app: str) -> tuple[App, AppStore]:
    """Return an app and its store. Raises NotFound."""
    store = context().store
    return apps_desk.show_app(store, app), store.of(app)


def _store(app: str) -> AppStore:
    return _there(app)[1]


def _encryption() -> Encryption:
    return Encryption(context().config.secret_key, IMPORTS)


def _all(app: str, status: int = 200, **values: Any) -> Response:
    shown, store = _there(app)
    return page(
        "imports",
        status,
        app=shown,
        found=desk.list_imports(store),
        names=NAMES,
        most=MAX_BYTES,
        most_files=MAX_FILES,
        is_room=bool(context().config.files_url),
        **values,
    )


def _to(app: str, id: str, done: str) -> Any:
    return redirect(url_for("console.imports.show", app=app, id=id, done=done), 303)
