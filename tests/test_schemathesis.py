"""Whatever the OpenAPI document allows, and much that it does not: the service keeps to its document."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData

from service.app import create_app
from service.config import Config
from service.store.migrating import migrate
from tests.support.attachments import written
from tests.support.servers import ADMIN_KEY, SECRET_KEY
from tests.support.tenants import Tenant

# The same cases in each run: what fails for one fails for all. To explore, raise the numbers.
SAME = settings(
    deadline=None,
    derandomize=True,
    # One desk serves all cases of an operation; a slow machine is no failure.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
EACH_OPERATION = settings(SAME, max_examples=12)
SEQUENCES = settings(SAME, max_examples=20, stateful_step_count=8)

# What depends on the credential, on what is stored, or on more than a pattern can tell: a document
# allows it, and 422 is the answer to it all the same.
BEYOND_A_DOCUMENT = {
    "agents-only", "empty", "exactly-one", "forbidden-character", "idempotency-key-reused", "identity-only",
    "identity-required", "invalid-cursor", "invalid-device-id", "invalid-email", "invalid-origin",
    "invalid-time", "not-this-device", "placeholder", "required", "reserved", "sessions-only", "too-long",
    "invalid-phone", "invalid-contact", "invalid-url", "unreachable-url", "unknown-device", "unknown-message",
    "null", "unknown-attachment",
    "white-space",
}  # fmt: skip

# Its tests are collected before there is a store, which a document does not need.
NO_STORE = Config(ADMIN_KEY, SECRET_KEY, "sqlite:///no/such/directory/usher.sqlite")
API = schemathesis.openapi.from_wsgi("/openapi.json", create_app(NO_STORE))


def schemes(operation):
    return [name for either in operation.definition.raw["security"] for name in either]


def with_scheme(name):
    return API.include(lambda context: name in schemes(context.operation)).parametrize()


@API.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, RejectedPositiveData) and response.status_code == 422:
        codes = {error["code"] for error in json.loads(response.content)["errors"]}
        return not codes <= BEYOND_A_DOCUMENT
    # No document tells which events are kept.
    if isinstance(failure, RejectedPositiveData) and response.status_code == 410:
        return False
    # Of a text that is too long there may be too much that nobody sees, which is left out.
    if isinstance(failure, AcceptedNegativeData) and "violates `maxLength`" in failure.message:
        return False
    # An email or a name that is none locks nobody out beside who it is: the answer says that it was left out.
    if isinstance(failure, AcceptedNegativeData) and response.status_code in (200, 201):
        answer = json.loads(response.content)
        if answer.get("resolution", answer).get("ignored"):
            return False
    # A session token needs no body, so none is read.
    by_token = response.request.headers.get("Authorization", "").startswith("Bearer st_")
    return not (isinstance(failure, AcceptedNegativeData) and case.path == "/v1/logout" and by_token)


class Desk:
    """An app in use: a credential of each kind, and things that are there."""

    def __init__(self, app, tenant):
        self.app = app
        self.tenant = tenant
        login = tenant.login(userId="u-17", deviceId="a-device-of-the-tests")
        self.session = login["session"]["token"]
        self.conversation = tenant.begin(self.session)
        self.attachment = written(tenant, self.conversation, self.session)

    def sends(self, case, scheme):
        """Return how to call: the application, and the credential of a scheme."""
        headers = {} if scheme is None else {"Authorization": f"Bearer {self._credential(case, scheme)}"}
        return {"app": self.app, "headers": headers}

    def check(self, case, scheme=None):
        """Call with things that are there, unless their ids are what is wrong, and judge the answer."""
        if case.path_parameters and not case.meta.is_negative_at(ParameterLocation.PATH):
            case.path_parameters.update(self._ids(case))
        sends = self.sends(case, scheme)
        response = case.call(**sends)
        case.validate_response(response, headers=sends["headers"], transport_kwargs=sends)

    def _credential(self, case, scheme):
        match scheme:
            case "adminKey":
                return self.tenant.admin_key
            case "secretKey":
                return self.tenant.sk
            case "publishableKey":
                return self.tenant.pk
            case _:
                return self.tenant.session() if case.path == "/v1/logout" else self.session

    def _ids(self, case):
        if case.path.startswith("/v1/conversations"):
            return {"id": self.conversation}
        if case.path.startswith("/v1/attachments"):
            return {"id": self.attachment}
        if case.path.startswith("/v1/webhooks"):
            made = self.tenant.call(
                "POST", "/v1/webhooks", self.tenant.sk, {"url": "https://shop.example.org"}
            )
            id = made.json["webhook"]["id"]
            test = self.tenant.call("POST", f"/v1/webhooks/{id}/test", self.tenant.sk)
            return {"id": id, "secret": made.json["secret"]["id"], "event": test.json["event"]}
        # What a deletion deletes is nobody's.
        deletes = case.operation.method == "delete"
        if deletes and case.path == "/v1/apps/{id}":
            return {"id": self._made("/v1/apps", {"name": "Brief"})}
        key = {"key": self._made(f"/v1/apps/{self.tenant.id}/keys", {"kind": "secret"})} if deletes else {}
        return {"id": self.tenant.id} | key

    def _made(self, path, body):
        return self.tenant.call("POST", path, self.tenant.admin_key, body).json["id"]


@pytest.fixture
def desk(app, tenant):
    return Desk(app, tenant)


@with_scheme("adminKey")
@EACH_OPERATION
def test_the_operators_calls_keep_to_the_document(case, desk):
    desk.check(case, "adminKey")


@with_scheme("secretKey")
@EACH_OPERATION
def test_the_backends_calls_keep_to_the_document(case, desk):
    desk.check(case, "secretKey")


@with_scheme("publishableKey")
@EACH_OPERATION
def test_the_widgets_calls_keep_to_the_document(case, desk):
    desk.check(case, "publishableKey")


@with_scheme("sessionToken")
@EACH_OPERATION
def test_a_visitors_calls_keep_to_the_document(case, desk):
    desk.check(case, "sessionToken")


@API.include(lambda context: not schemes(context.operation)).parametrize()
@EACH_OPERATION
def test_calls_of_anybody_keep_to_the_document(case, desk):
    desk.check(case)


# What an engine refuses shows in single calls; what follows from what is the same on both.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sequences_of_calls_keep_to_the_document(start, databases):
    migrate(empty := databases.fresh("sqlite"))

    class Sequence(API.as_state_machine()):
        def setup(self):
            # What a sequence finds must not depend on those before it, or it cannot be told again; and the
            # operator, who finds all apps, would do as it likes with those of other tests.
            app = start(database_url=databases.copy(empty))
            self.desk = Desk(app, Tenant.create(app.test_client(), ADMIN_KEY))

        def get_call_kwargs(self, case):
            return self.desk.sends(case, next(iter(schemes(case.operation)), None))

        def validate_response(self, response, case, additional_checks=None, **sends):
            case.validate_response(
                response, headers=sends["headers"], transport_kwargs=sends, recorder=self.recorder
            )

    Sequence.run(settings=SEQUENCES)
