"""The calls that are measured, on a store that holds a few people."""

import json
import time
from contextlib import closing
from http.client import HTTPConnection

import jwt

from bench.apps import App, post
from bench.load import Call, Request
from service.api.schemas.conversations import PageIn

USERS, WRITERS = 200, 50
# So that there is a page more than the first.
CONVERSATIONS = 30
# How long a proof holds: longer than all rounds take, in seconds.
HOURS = 6 * 60 * 60

PAGE: int = PageIn().fields["limit"].load_default

LOGIN, WIDGET, NEW = "login of a known user", "the same from a widget, with a proof", "login of a new user"
MAIL = "the same by email alone"
WHO, LIST, MESSAGE = "who is logged in", f"list of {PAGE} conversations", "message"


def prepare(app: App, port: int, users: int = USERS, writers: int = WRITERS) -> dict[str, Call]:
    """Have people of an app log in to its server, and some of them write; return what they do next."""
    people = [_person(number) for number in range(users)]
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        devices = [post(connection, "/v1/login", app.sk, person)["deviceId"] for person in people]
        tokens = [
            post(connection, "/v1/login", app.sk, person)["session"]["token"] for person in people[:writers]
        ]
        begun = [
            [
                post(connection, "/v1/conversations", token, {"message": "Hello"})["id"]
                for _ in range(CONVERSATIONS)
            ]
            for token in tokens
        ]
    known = [{"deviceId": device} | person for device, person in zip(devices, people, strict=True)]
    proved = [{"deviceId": device, "proof": _proof(app, number)} for number, device in enumerate(devices)]
    by_email = [{name: value for name, value in one.items() if name != "userId"} for one in known]
    new = [{"userId": "n-{new}", "email": "n-{new}@example.org", "name": "Somebody New"}]
    written = tuple(
        Request("POST", f"/v1/conversations/{ids[0]}/messages", token, json.dumps({"body": "Where is it?"}))
        for token, ids in zip(tokens, begun, strict=True)
    )
    calls = [
        Call(LOGIN, _logins(app.sk, known)),
        Call(WIDGET, _logins(app.pk, proved)),
        Call(MAIL, _logins(app.sk, by_email)),
        Call(NEW, _logins(app.sk, new), 201),
        Call(WHO, _gets("/v1/me", tokens)),
        Call(LIST, _gets("/v1/conversations", tokens)),
        Call(MESSAGE, written, 201),
    ]
    return {call.name: call for call in calls}


def _person(number: int) -> dict[str, str]:
    return {"userId": f"u-{number}"} | _beside_the_id(number)


def _beside_the_id(number: int) -> dict[str, str]:
    return {"email": f"u-{number}@example.org", "name": f"User {number}"}


def _proof(app: App, number: int) -> str:
    now = int(time.time())
    claims = {"sub": f"u-{number}", "aud": app.id, "iat": now, "exp": now + HOURS}
    return jwt.encode(claims | _beside_the_id(number), app.ik, "HS256")


def _gets(path: str, tokens: list[str]) -> tuple[Request, ...]:
    return tuple(Request("GET", path, token) for token in tokens)


def _logins(key: str, bodies: list[dict[str, str]]) -> tuple[Request, ...]:
    return tuple(Request("POST", "/v1/login", key, json.dumps(body)) for body in bodies)


# Of the size of a login of a known user: a key, and what a backend says of a person.
NOTHING = Call(
    "a Flask endpoint that does nothing",
    (Request("POST", "/", f"sk_{'a' * 64}", json.dumps({"deviceId": f"dev_{'a' * 43}"} | _person(100))),),
)
