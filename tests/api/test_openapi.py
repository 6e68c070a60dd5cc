"""The OpenAPI document: valid, complete, and true of every answer on a tour through all calls."""

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.attachments import fetch, send
from tests.support.engines import one_engine
from tests.support.signing import proof_of

# The engine does not matter to any of these.
pytestmark = one_engine

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document(app):
    """The document, as anybody gets it."""
    return app.test_client().get("/openapi.json").json


def operations(document):
    """Return every operation by its method and path."""
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def resolved(document, part):
    """Follow a reference within the document."""
    while "$ref" in part:
        target = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def references(part):
    """Return every reference below a part of the document."""
    if isinstance(part, dict):
        own = {part["$ref"]} if "$ref" in part else set()
        return own.union(*(references(value) for value in part.values()))
    if isinstance(part, list):
        return set().union(*(references(value) for value in part))
    return set()


def test_the_document_is_valid_openapi_3_1(document):
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["openapi"].startswith("3.1.")


def test_every_route_is_in_the_document_and_nothing_else(app, document):
    routes = {
        (method.lower(), rule.rule.replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not rule.endpoint.startswith("revenuecat.")
        if rule.rule.startswith("/v1/") or rule.rule in ("/healthz", "/readyz")
    }
    assert set(operations(document)) == routes


def test_every_operation_has_a_sentence_a_tag_and_says_who_may_call(document):
    schemes = set(document["components"]["securitySchemes"])
    for operation in operations(document).values():
        assert operation["summary"].endswith(".")
        assert operation["tags"]
        assert {name for either in operation["security"] for name in either} <= schemes
    open_to_all = {path for (_, path), operation in operations(document).items() if not operation["security"]}
    assert open_to_all == {"/healthz", "/readyz"}


def test_every_error_is_documented_as_a_problem(document):
    for operation in operations(document).values():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                content = resolved(document, response)["content"]
                assert list(content) == ["application/problem+json"]


def test_nothing_in_the_document_is_idle_or_missing(document):
    components = {
        f"#/components/{kind}/{name}"
        for kind, parts in document["components"].items()
        for name in parts
        if kind != "securitySchemes"
    }
    assert references(document) == components


def test_every_default_and_every_example_is_one_that_its_schema_allows(document):
    def check(part):
        if isinstance(part, list):
            for value in part:
                check(value)
        if isinstance(part, dict):
            for word in {"default", "example"} & part.keys():
                validator(document, part).validate(part[word])
            for value in part.values():
                check(value)

    check(document["components"]["schemas"])
    check(document["paths"])


def validator(document, schema):
    """Make a validator of a schema that refers to the document's components."""
    whole = schema | {"components": document["components"]}
    return OAS31Validator(whole, format_checker=OAS31Validator.FORMAT_CHECKER)


class Tour:
    """Calls the API, and compares each answer with what the document says of it."""

    def __init__(self, document, tenant):
        self.document = document
        self.tenant = tenant
        self.seen = set()

    def call(self, method, path, key, json=None, /, **ids):
        """Call a route by its path in the document; return the body."""
        return self.compare(self.tenant.call(method, path.format(**ids), key, json), method, path)

    def compare(self, answer, method, path):
        """Compare an answer; return its body."""
        operation = operations(self.document)[method.lower(), path]
        response = resolved(self.document, operation["responses"][str(answer.status_code)])
        for content_type, media in response.get("content", {}).items() if answer.data else ():
            assert answer.mimetype == content_type
            validator(self.document, media["schema"]).validate(answer.json)
        self.seen.add((method.lower(), path))
        return answer.json if answer.data else None

    def attach(self, token, id):
        """Send a file, and fetch it."""
        path = "/v1/conversations/{id}/attachments"
        file = self.compare(send(self.tenant, id, token), "POST", path)["id"]
        self.compare(send(self.tenant, id, token, b""), "POST", path)
        self.call("POST", "/v1/conversations/{id}/messages", token, {"attachments": [file]}, id=id)
        path = "/v1/attachments"
        file = self.compare(send(self.tenant, None, token), "POST", path)["id"]
        self.compare(send(self.tenant, None, token, b""), "POST", path)
        self.call("POST", "/v1/conversations", token, {"attachments": [file]})
        for ranges in ({}, {"Range": "bytes=0-3"}):
            answer = fetch(self.tenant, file, token, **ranges)
            operation = operations(self.document)["get", "/v1/attachments/{id}"]
            assert list(operation["responses"][str(answer.status_code)]["content"]) == ["*/*"]
        self.seen.add(("get", "/v1/attachments/{id}"))

    def hook(self, sk):
        """Call all that is about webhooks."""
        path = "/v1/webhooks/{id}"
        made = self.call("POST", "/v1/webhooks", sk, {"url": "https://shop.example.org/"})
        self.call("POST", "/v1/webhooks", sk, {"url": "http://shop.example.org/"})
        id = made["webhook"]["id"]
        self.call("GET", "/v1/webhooks", sk)
        self.call("GET", path, sk, id=id)
        self.call("PATCH", path, sk, {"types": ["user.created"], "enabled": False}, id=id)
        self.call("POST", f"{path}/secrets", sk, id=id)
        self.call("POST", f"{path}/secrets", sk, id=id)
        self.call("DELETE", f"{path}/secrets/{{secret}}", sk, id=id, secret=made["secret"]["id"])
        event = self.call("POST", f"{path}/test", sk, id=id)["event"]
        self.call("GET", f"{path}/deliveries", sk, id=id)
        self.call("POST", f"{path}/deliveries/{{event}}", sk, id=id, event=event)
        self.call("DELETE", path, sk, id=id)


def test_every_answer_is_as_the_document_says(document, tenant):  # noqa: PLR0915 - a tour has many stops
    tour, admin, sk = Tour(document, tenant), tenant.admin_key, tenant.sk
    app, spare = tenant.id, tour.call("POST", "/v1/apps", admin, {"name": "Spare"})["id"]
    tour.call("GET", "/v1/apps", admin)
    tour.call("GET", "/v1/apps/{id}", admin, id=app)
    tour.call("PATCH", "/v1/apps/{id}", admin, {"settings": {"clientPurchases": "on"}}, id=app)
    key = tour.call("POST", "/v1/apps/{id}/keys", admin, {"kind": "identity"}, id=app)
    tour.call("GET", "/v1/apps/{id}/keys", admin, id=app)
    visit = tour.call("POST", "/v1/login", tenant.pk, {})
    login = tour.call("POST", "/v1/login", sk, {"userId": "u-1", "email": "jane@example.org"})
    tour.call("POST", "/v1/login", tenant.pk, {"userId": "u-1"})
    token, user = login["session"]["token"], login["user"]["id"]
    tour.call("GET", "/v1/me", token)
    tour.call("PUT", "/v1/me/contact", token, {"email": "jane@example.org", "phone": "+49 30 901820"})
    tour.call("PUT", "/v1/me/contact", token, {"phone": "none"})
    tour.call("POST", "/v1/clearAnonymousUser", token, {"clear": False})
    tour.call("POST", "/v1/allowSharingStoreAccount", token, {"allow": True})
    thread = tour.call("POST", "/v1/conversations", token, {"message": "Hello"})["id"]
    tour.call("POST", "/v1/conversations", token, {"message": ""})
    tour.call("GET", "/v1/conversations", sk)
    tour.call("GET", "/v1/conversations/{id}", token, id=thread)
    tour.call("GET", "/v1/conversations/{id}", visit["session"]["token"], id=thread)
    tour.call("PATCH", "/v1/conversations/{id}", sk, {"status": "resolved"}, id=thread)
    tour.call("POST", "/v1/conversations/{id}/messages", sk, {"body": "Hi", "agentName": "Al"}, id=thread)
    tour.attach(token, thread)
    tour.call("GET", "/v1/conversations/{id}/messages", token, id=thread)
    tour.call("POST", "/v1/conversations/{id}/read", token, id=thread)
    account = {"store": "app_store", "account": "apple-1"}
    bought = {"storeAccount": account, "product": "pro", "transaction": "t-1"}
    tour.call("POST", "/v1/purchases", token, bought)
    proof = proof_of(tenant, key["key"], sub="u-1", storeAccount=account)
    tour.call("POST", "/v1/purchases", token, bought | {"proof": proof})
    tour.call("POST", "/v1/restore", sk, {"storeAccount": account, "userId": "u-1"})
    other = tour.call("POST", "/v1/login", sk, {"userId": "u-2"})["user"]["id"]
    tour.call("POST", "/v1/resolve", sk, {"userId": "u-3", "email": "jane@example.org"})
    tour.call("POST", "/v1/users/{id}/aliases", sk, {"userId": "u-3"}, id=user)
    tour.call("POST", "/v1/users/{id}/aliases", sk, {"userId": "u-2"}, id=user)
    tour.call("DELETE", "/v1/users/{id}/aliases", sk, {"userId": "u-3"}, id=user)
    tour.call("DELETE", "/v1/users/{id}/aliases", sk, {"userId": "u-3"}, id=user)
    tour.call("PUT", "/v1/users/{id}/userId", sk, {"userId": "u-2"}, id=user)
    tour.call("PUT", "/v1/users/{id}/userId", sk, {"userId": "u-5", "keep": True}, id=user)
    tour.call("POST", "/v1/aliases", token, {"userId": "u-4"})
    tour.call("POST", "/v1/merges", sk, {"from": other, "into": user, "dryRun": True})
    merge = tour.call("POST", "/v1/merges", sk, {"from": other, "into": user})["id"]
    tour.call("GET", "/v1/merges/{id}", sk, id=merge)
    tour.call("DELETE", "/v1/merges/{id}", sk, id=merge)
    tour.call("DELETE", "/v1/merges/{id}", sk, id=merge)
    tour.call("PATCH", "/v1/users/{id}", sk, {"email": "jane@example.org"}, id=other)
    tour.call("GET", "/v1/duplicates", sk)
    for users in ([user, other], [other, user], [user]):
        tour.call("POST", "/v1/duplicates/dismissals", sk, {"users": users})
    tour.call("POST", "/v1/users", sk, {"userId": "u-9", "email": "jane@example.org"})
    tour.call("POST", "/v1/users", sk, {"name": "Jane"})
    tour.call("GET", "/v1/users", sk)
    tour.call("GET", "/v1/users/{id}", sk, id=user)
    tour.call("PATCH", "/v1/users/{id}", sk, {"name": "Jane", "attributes": {"seats": 7}}, id=user)
    tour.call("PATCH", "/v1/users/{id}", sk, {"attributes": {"seats": []}}, id=user)
    tour.call("GET", "/v1/users/{id}/history", sk, id=user)
    tour.call("GET", "/v1/users/{id}/export", sk, id=user)
    tour.call("DELETE", "/v1/users/{id}", sk, id=user)
    tour.call("GET", "/v1/events", sk)
    tour.hook(sk)
    tour.call("POST", "/v1/logout", token)
    tour.call("DELETE", "/v1/apps/{id}/keys/{key}", admin, id=app, key=key["id"])
    tour.call("DELETE", "/v1/apps/{id}", admin, id=spare)
    tour.call("GET", "/healthz", admin)
    tour.call("GET", "/readyz", admin)

    assert tour.seen == set(operations(document))
