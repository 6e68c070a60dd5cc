"""A preview of a correction is what the correction does, and where the next logins lead after it."""

from datetime import UTC, datetime

import pytest

from service.desk.fingerprints import differing, fingerprint
from service.desk.previewing import correct_as_previewed, parts_of, preview_correction
from service.model.callers import Actor, Backend
from service.model.corrections import Correction, Removal
from service.model.errors import NotFound
from service.store.checks import CHECKS
from tests.support.cases import cases
from tests.support.responses import problem_of
from tests.support.rows import rows_of

EMAIL = "jane@example.org"


def with_one_id(tenant):
    return tenant.login(userId="u-1")


def with_an_email(tenant):
    return tenant.login(userId="u-1", email=EMAIL)


def with_an_alias(tenant):
    login = tenant.login(userId="u-1")
    tenant.alias(login["user"]["id"], "u-2")
    return login


def who_shares_an_email(tenant):
    for user_id in ("u-7", "u-8"):
        tenant.login(userId=user_id, email=EMAIL)
    return tenant.login(userId="u-1", email=EMAIL)


def with_the_email_of_somebody_unclaimed(tenant):
    login = tenant.login(userId="u-1")
    tenant.login(email=EMAIL)
    tenant.change(login["user"]["id"], email=EMAIL)
    return login


def who_is_unclaimed(tenant):
    return tenant.login(email=EMAIL)


def who_is_anonymous(tenant):
    return tenant.login()


def who_was_anonymous(tenant):
    login = tenant.login()
    tenant.alias(login["user"]["id"], "u-1")
    tenant.change(login["user"]["id"], email=EMAIL)
    return login


def who_absorbed_another(tenant):
    login = tenant.login(email=EMAIL)
    tenant.merge(tenant.known(userId="u-1"), login["user"]["id"])
    return login


def with_a_further_email(tenant):
    login = tenant.login(userId="u-1", email="jane@example.com")
    tenant.merge(tenant.known(email=EMAIL), login["user"]["id"])
    return login


def with_a_further_email_of_somebody_unclaimed(tenant):
    login = with_a_further_email(tenant)
    tenant.login(userId="u-7", email=EMAIL)
    tenant.login(email=EMAIL)
    return login


PEOPLE = (
    with_a_further_email,
    with_a_further_email_of_somebody_unclaimed,
    with_one_id,
    with_an_email,
    with_an_alias,
    who_shares_an_email,
    with_the_email_of_somebody_unclaimed,
    who_is_unclaimed,
    who_is_anonymous,
    who_was_anonymous,
    who_absorbed_another,
)
CHANGES = (
    Removal("u-1"),
    Removal("u-2"),
    Removal("u-9"),
    *(Correction(user_id, keep) for user_id in ("u-1", "u-2", "u-5", "u-9") for keep in (False, True)),
)


@pytest.fixture
def own(tenant, store):
    """The store of the tenant's app, whose invariants hold after the test."""
    own = store.of(tenant.id)
    yield own
    violated = {question.__name__: list(question(own)) for question in CHECKS}
    assert violated == dict.fromkeys(violated, [])


@pytest.fixture
def backend(tenant, store):
    """The tenant's backend, with the app's settings as they are by default."""
    return Backend(store.apps.with_id(tenant.id), Actor("backend", "request", proven=True))


def change_by_api(tenant, id, change):
    if isinstance(change, Removal):
        return tenant.remove_id(id, change.user_id)
    return tenant.correct_id(id, change.user_id, keep=change.keep)


def resolved(tenant, login):
    """Ask which rule decides a login, and to whom it leads; nothing if it is refused."""
    said = {"userId": login.user_id, "email": login.email}
    answer = tenant.call("POST", "/v1/resolve", tenant.sk, said)
    if answer.status_code == 422:
        return None, None, None
    user = answer.json["user"]
    return answer.json["rule"], answer.json["then"], user and user["id"]


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.__name__)
def test_what_is_previewed_is_what_happens(tenant, store, own, backend, person, change):
    tenant.login(userId="u-9")
    login = person(tenant)
    id = login["user"]["id"]
    known = [user_id for user_id in ("u-1", "u-2") if tenant.find(userId=user_id)]
    tokens = [login["session"]["token"], *(tenant.session(userId=user_id) for user_id in known)]
    before = rows_of(store, tenant.id)

    preview = preview_correction(own, backend, id, change)

    assert rows_of(store, tenant.id) == before
    answer = change_by_api(tenant, id, change)
    assert preview.refusal == (None if answer.status_code == 200 else problem_of(answer)[1])
    user = tenant.user(id)
    assert (preview.after.user_id, set(preview.after.aliases)) == (user["userId"], set(user["aliases"]))
    living = [tenant.get("/v1/me", token).status_code == 200 for token in tokens]
    theirs = [token for token in living if token]
    assert preview.logged_in - preview.logged_out == len(own.sessions.of_user(id))
    assert preview.logged_out == len(tokens) - len(theirs)
    for one in preview.logins:
        assert (one.rule, one.then, one.user and one.user.id) == resolved(tenant, one), one
    assert {one.user_id for one in preview.logins} >= {change.user_id, *preview.user.user_ids}


def test_a_session_that_has_expired_is_not_counted(tenant, own, backend, time_machine):
    time_machine.move_to(datetime(2030, 1, 1, tzinfo=UTC))
    id = tenant.known(userId="u-1", email=EMAIL)
    time_machine.move_to(datetime(2030, 1, 9, tzinfo=UTC))
    tenant.login(userId="u-1")
    preview = preview_correction(own, backend, id, Removal("u-1"))
    assert (preview.logged_out, preview.logged_in, len(preview.devices)) == (1, 1, 2)


def test_an_id_that_is_kept_by_the_email_leads_back_and_is_said_to(tenant, own, backend):
    id = tenant.known(userId="u-1", email=EMAIL)
    preview = preview_correction(own, backend, id, Removal("u-1"))
    assert [(one.user_id, one.email, one.then) for one in preview.logins] == [
        ("u-1", None, "create"),
        ("u-1", EMAIL, "attach"),
        (None, EMAIL, "use"),
    ]


def test_what_was_previewed_is_done(tenant, own, backend):
    id = tenant.known(userId="u-1")
    change = Correction("u-2", keep=True)
    seen = fingerprint(parts_of(preview_correction(own, backend, id, change)))
    assert correct_as_previewed(own, backend, id, change, seen)[1] is True
    assert (tenant.user(id)["userId"], tenant.user(id)["aliases"]) == ("u-2", ["u-1"])


@cases(
    "happen, parts",
    ("an alias", lambda tenant, id: tenant.alias(id, "u-3"), ("ids", "logins", "user")),
    (
        "the ID of another",
        lambda tenant, id: tenant.login(userId="u-2"),
        ("ids", "rule", "sessions", "logins"),
    ),
    ("a session", lambda tenant, id: tenant.login(userId="u-1"), ("sessions",)),
    ("who shares the email", lambda tenant, id: tenant.login(userId="u-4", email=EMAIL), ("logins",)),
    ("a name", lambda tenant, id: tenant.change(id, name="Jane"), ("user",)),
)
def test_what_is_no_longer_what_was_previewed_is_not_done(tenant, store, own, backend, happen, parts):
    id = tenant.known(userId="u-1", email=EMAIL)
    change = Correction("u-2", keep=False)
    seen = fingerprint(parts_of(preview_correction(own, backend, id, change)))
    happen(tenant, id)
    before = rows_of(store, tenant.id)
    preview, is_done = correct_as_previewed(own, backend, id, change, seen)
    assert (is_done, differing(parts_of(preview), seen)) == (False, parts)
    assert rows_of(store, tenant.id) == before


def test_what_is_refused_is_not_done_by_whoever_knows_its_fingerprint(tenant, store, own, backend):
    id = tenant.known(userId="u-1")
    preview = preview_correction(own, backend, id, Removal("u-1"))
    seen, before = fingerprint(parts_of(preview)), rows_of(store, tenant.id)
    assert correct_as_previewed(own, backend, id, Removal("u-1"), seen) == (preview, False)
    assert rows_of(store, tenant.id) == before


@pytest.mark.parametrize("seen", ["", "-", "é", "-" * 9])
def test_without_a_fingerprint_of_ours_everything_differs(tenant, own, backend, seen):
    id = tenant.known(userId="u-1")
    preview, is_done = correct_as_previewed(own, backend, id, Correction("u-2", keep=False), seen)
    parts = parts_of(preview)
    assert (is_done, differing(parts, seen)) == (False, tuple(parts))


def test_of_nobody_there_is_no_preview(own, backend):
    with pytest.raises(NotFound):
        preview_correction(own, backend, f"usr_{'0' * 32}", Removal("u-1"))
