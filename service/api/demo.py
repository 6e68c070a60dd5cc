"""The page at /demo: two phones, two people and an agent, for the app that ``make run`` made.

Here alone a server of ours plays an app's backend and its agent: it signs proofs for two made-up people,
answers whoever writes, and is told by a webhook what changes. So nothing of it is there unless the setting
DEMO_KEYS says so.
"""

import time
from typing import Any

import flask
import jwt
from flask import Response, render_template, request
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from werkzeug.exceptions import NotFound

from service.api.auth import whoever_calls
from service.api.bodies import as_json, read, read_bytes
from service.api.context import context, store_of
from service.api.schemas.conversations import ConversationOut, MessageIn, MessageOut
from service.api.schemas.fields import Shape, Text
from service.api.schemas.webhooks import DeliveryOut
from service.desk import conversations as desk
from service.desk import webhooks
from service.model.callers import Backend
from service.model.conversations import Conversation
from service.model.errors import InvalidCredential
from service.model.identifiers import read_credential

pages = flask.Blueprint(
    "demo",
    __name__,
    url_prefix="/demo",
    template_folder="templates",
    static_folder="static/demo",
    static_url_path="/static",
)

PEOPLE = {
    "jane": {"sub": "u-jane", "email": "jane@example.org", "name": "Jane"},
    "omar": {"sub": "u-omar", "email": "omar@example.org", "name": "Omar"},
}
PHONES = ("left", "right")
AGENT = "Dana"
PROOF_SECONDS = 600
# How many deliveries are shown, and how many bytes an event has at most.
SHOWN, MAX_EVENT = 10, 1024 * 1024

OURS = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; frame-src 'self';"
    " base-uri 'none'; form-action 'none'; connect-src {}; frame-ancestors "
)


class ProofIn(Shape):
    """Who is to be proven."""

    person = Text(str, required=True)


PROOF, MESSAGE = ProofIn(), MessageIn()
CONVERSATION, SAID, DELIVERY = ConversationOut(), MessageOut(), DeliveryOut()


@pages.after_request
def _finish(response: Response) -> Response:
    """Let the page load what is its own, and show its phones in frames."""
    is_phone = request.endpoint == "demo.phone"
    ours = OURS.format(f"'self' {context().config.live_url}".rstrip())
    response.headers["Content-Security-Policy"] = ours + ("'self'" if is_phone else "'none'")
    if is_phone:
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@pages.get("")
def stage() -> str:
    """Show the phones and the agent, and have their app's backend told what changes from now on."""
    _hook(_agent())
    return render_template("demo.html", phones=PHONES, people=PEOPLE, agent=AGENT)


@pages.get("/phones/<side>")
def phone(side: str) -> str:
    """Show one phone: a page of a made-up shop that embeds the widget."""
    if side not in PHONES:
        raise NotFound
    return render_template("phone.html", side=side, key=_keys()[0])


@pages.post("/proofs")
def prove() -> Response:
    """Sign who somebody is, as the backend of an app does once it knows."""
    person = PEOPLE.get(read(PROOF, request)["person"])
    if person is None:
        raise NotFound
    publishable, _, secret = _keys()
    parts, at = read_credential(publishable), int(time.time())
    claims = {**person, "aud": parts and parts[1], "iat": at, "exp": at + PROOF_SECONDS}
    return as_json({"proof": jwt.encode(claims, secret, "HS256")})


@pages.get("/inbox")
def inbox() -> Response:
    """Return what agents see: the conversations of all, the newest activity first, and what was said."""
    agent = _agent()
    page = desk.list_conversations(store_of(agent), agent, user=None, status=None, cursor=None, limit=20)
    return as_json({"data": [_with_messages(agent, conversation) for conversation in page.data]})


@pages.post("/inbox/<id>")
def reply(id: str) -> Response:
    """Write to a user as the agent."""
    body, agent = read(MESSAGE, request)["body"], _agent()
    said, _ = desk.write(store_of(agent), agent, id, body=body, agent_name=AGENT)
    return as_json(SAID.dump(said), 201)


@pages.post("/hook")
def hear() -> Response:
    """Take what the webhook delivers, as an app's backend does: if it is signed by one of its secrets."""
    agent, body = _agent(), read_bytes(request, MAX_EVENT)
    secrets = webhooks.plain_secrets(store_of(agent), context().webhook_encryption, _hook(agent))
    if any(_is_signed(body, secret) for secret in secrets):
        return Response("taken: the signature is right", mimetype="text/plain")
    return Response("not taken: the signature is wrong", 401, mimetype="text/plain")


@pages.get("/deliveries")
def deliveries() -> Response:
    """Return what the backend was told, the latest first, with what it answered."""
    agent = _agent()
    found = webhooks.list_deliveries(store_of(agent), _hook(agent), cursor=None, limit=SHOWN)
    return as_json({"data": DELIVERY.dump(found.data, many=True)})


def _hook(agent: Backend) -> str:
    """Return the id of the webhook that leads here; made, if there is none."""
    url, store = f"http://localhost:{context().config.port}/demo/hook", store_of(agent)
    for webhook in webhooks.list_webhooks(store).data:
        if webhook.url == url:
            return webhook.id
    return webhooks.create_webhook(store, context().webhook_encryption, url, ()).webhook.id


def _is_signed(body: bytes, secret: str) -> bool:
    try:
        Verifier(secret).verify(body, dict(request.headers))
    except (WebhookVerificationError, ValueError):
        return False
    return True


def _with_messages(agent: Backend, conversation: Conversation) -> dict[str, Any]:
    said = desk.list_messages(store_of(agent), agent, conversation.id, after=None, cursor=None, limit=100)
    return {**CONVERSATION.dump(conversation), "messages": SAID.dump(said.data, many=True)}


def _keys() -> list[str]:
    """Return the app's publishable key, its secret key and its identity key."""
    return context().config.demo_keys.split()


def _agent() -> Backend:
    """Return who holds the secret key. Raises InvalidCredential, as for anybody."""
    caller = whoever_calls(_keys()[1])
    if not isinstance(caller, Backend):
        raise InvalidCredential
    return caller
