"""Keys at the console: when each was last used, and how one is made, rotated and deleted."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from service.model.apps import ProofKind
from service.store.tables import Keys
from tests.console.conftest import NOBODY, field_of, held_by, require_words, text_of
from tests.support.cases import cases
from tests.support.logbook import on_standard_output

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def page(tenant):
    return f"/console/apps/{tenant.id}/keys"


def plain_on(page):
    found = re.search(r'<code class="secret">([^<]*)</code>', page.text)
    return found and found[1]


def id_of(tenant, kind):
    return next(key["id"] for key in tenant.list_keys() if key["kind"] == kind)


def make(operator, page, **fields):
    return operator.post(page, kind="secret", **fields)


def test_the_page_says_when_each_was_last_used(operator, tenant, page):
    require_words(operator.get(page), f"{id_of(tenant, 'secret')} never used made")
    with time_machine.travel(NOON, tick=False) as clock:
        tenant.get("/v1/users")
        require_words(operator.get("/console/sign-in"), "Usher console")
        operator.sign_in(tenant.admin_key)
        require_words(operator.get(page), "in use made", "last used 21 Nov 2026, 12:00 UTC")
        clock.shift(timedelta(days=7))
        operator.sign_in(tenant.admin_key)
        require_words(operator.get(page), "at rest made", "last used 21 Nov 2026, 12:00 UTC")


@cases(
    "fields, begins",
    ("secret", {"kind": "secret"}, "sk_"),
    ("publishable", {"kind": "publishable"}, "pk_"),
    ("identity", {"kind": "identity", "proof": "hmac"}, "ik_"),
)
def test_a_new_key_is_shown_once_and_is_in_no_address_and_no_log(
    operator, tenant, page, capsys, fields, begins
):
    with on_standard_output():
        made = operator.post(page, key="k", **fields)
        listed = operator.get(page)
    plain = plain_on(made)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    assert plain.startswith(begins)
    assert plain not in listed.text
    told = capsys.readouterr().out
    assert "/console/apps/<app>/keys" in told
    assert plain not in told
    assert held_by(operator) not in told
    if begins == "sk_":
        assert tenant.get("/v1/users", plain).status_code == 200


def test_a_form_that_is_sent_twice_leaves_one_key_and_it_is_the_one_shown_last(operator, tenant, page):
    key = field_of(operator.get(page), "key")
    first, again = (make(operator, page, key=key) for _ in range(2))
    require_words(again, "The key that it showed then opens nothing any more")
    assert len(tenant.list_keys()) == 3
    assert [tenant.get("/v1/users", plain_on(one)).status_code for one in (first, again)] == [401, 200]

    used = make(operator, page, key=key)
    assert used.status_code == 409
    require_words(used, "The key that this made is in use.")


@cases(
    "fields",
    ("none", {"kind": ""}),
    ("no kind", {"kind": "x"}),
    ("no proof", {"kind": "secret", "proof": "jwt"}),
)
def test_what_no_key_is_is_not_made(operator, tenant, page, fields):
    assert operator.post(page, **fields).status_code == 422
    assert len(tenant.list_keys()) == 2


def test_a_rotated_key_works_beside_the_new_one_until_it_is_deleted(operator, tenant, page):
    old = id_of(tenant, "secret")
    asked = operator.get(f"{page}/{old}/rotate")
    require_words(asked, "nothing breaks", "once the old one is not used any more, delete it")
    made = make(operator, page, key=field_of(asked, "key"), rotates=field_of(asked, "rotates"))
    require_words(made, f"The one before, {old} , still opens what it did.")

    for key in (tenant.sk, plain_on(made)):
        assert tenant.get("/v1/users", key).status_code == 200
    listed = text_of(operator.get(page))
    assert listed.count("There is a newer one.") == 1
    assert listed.index(old) < listed.index("There is a newer one.")


@cases("made, proofs", ("one way", "jwt", ["jwt"]), ("the other", "hmac", ["hmac"]))
def test_an_identity_key_is_rotated_to_one_of_its_own_way(operator, tenant, page, made, proofs):
    operator.post(page, kind="identity", proof=made)
    other = {"jwt": "hmac", "hmac": "jwt"}[made]
    operator.post(page, kind="identity", proof=other)
    assert "There is a newer one." not in text_of(operator.get(page))
    asked = operator.get(f"{page}/{id_of(tenant, 'identity')}/rotate")
    require_words(asked, "Proofs that were made with the old one hold")
    assert field_of(asked, "proof") == proofs[0]


def test_one_that_proves_in_both_ways_is_rotated_to_the_way_that_is_chosen(operator, tenant, page, store):
    operator.post(page, kind="identity")
    id = id_of(tenant, "identity")
    is_it = (Keys.app == tenant.id) & (Keys.id == id)
    with store.transaction():
        store.database.change(Keys.update(proof=ProofKind.BOTH.value).where(is_it))
    require_words(operator.get(page), "in both ways: rotate it")
    asked = operator.get(f"{page}/{id}/rotate")
    assert re.findall(r'type="radio" name="proof" value="(\S+)"', asked.text) == ["jwt", "hmac", "hmac-email"]


def test_one_that_was_never_used_is_deleted_after_a_question(operator, tenant, page):
    id = id_of(tenant, "publishable")
    require_words(operator.get(f"{page}/{id}/delete"), "It was never used.", "It is the last of its kind")
    deleted = operator.follow(operator.post(f"{page}/{id}/delete"))
    require_words(deleted, "The key was deleted.")
    assert tenant.try_login(key=tenant.pk).status_code == 401


def test_one_that_is_in_use_goes_only_where_that_is_known(operator, tenant, page):
    make(operator, page)
    id = id_of(tenant, "secret")
    shown = operator.get(f"{page}/{id}/delete")
    assert "I know that it is in use" not in shown.text
    tenant.get("/v1/users")

    kept = operator.post(f"{page}/{id}/delete")
    assert kept.status_code == 409
    require_words(
        kept, "Nothing was deleted: the key is in use.", "Whoever uses it is refused", "I know that"
    )
    assert "the last of its kind" not in text_of(kept)
    assert tenant.get("/v1/users").status_code == 200

    operator.post(f"{page}/{id}/delete", inUse="yes")
    assert tenant.get("/v1/users").status_code == 401


def test_of_one_at_rest_the_question_says_since_when(operator, tenant, page):
    with time_machine.travel(NOON, tick=False) as clock:
        tenant.get("/v1/users")
        clock.shift(timedelta(days=40))
        operator.sign_in(tenant.admin_key)
        asked = operator.get(f"{page}/{id_of(tenant, 'secret')}/delete")
    require_words(asked, "It was last used 21 Nov 2026, 12:00 UTC", "Something that runs once a month")


def test_a_key_of_another_app_is_one_that_there_is_not(operator, tenant, other_tenant, page):
    theirs = id_of(other_tenant, "secret")
    for id in (theirs, f"key_{NOBODY}", "x"):
        for path in ("rotate", "delete"):
            assert operator.get(f"{page}/{id}/{path}").status_code == 404
        assert operator.post(f"{page}/{id}/delete").status_code == 404
    assert len(other_tenant.list_keys()) == 2
    assert "The one before" not in text_of(make(operator, page, rotates=theirs))
