"""What a proof covers, and which keys may have made it: each situation has its rule."""

import pytest

from service.model.apps import ProofKind
from service.rules.covering import (
    COVERING,
    DESCRIBING,
    KEYS,
    Form,
    KeyFor,
    Member,
    Sender,
    Signed,
    Take,
    Tell,
    cover,
    describe,
    may_have_made,
)
from tests.support.cases import cases

ID, EMAIL = "u-1", "jane@example.org"


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("by_backend", [True, False], ids=["backend", "client"])
@pytest.mark.parametrize(
    ("member", "proven", "sent", "name"),
    [
        pytest.param(Member.USER_ID, ID, None, "nothing-beside", id="no user ID"),
        pytest.param(Member.USER_ID, ID, ID, "nothing-beside", id="the same user ID"),
        pytest.param(Member.USER_ID, ID, "U-1", "proof-of-another", id="another user ID"),
        pytest.param(Member.USER_ID, None, ID, "proof-of-another", id="a user ID alone"),
        pytest.param(Member.EMAIL, EMAIL, None, "nothing-beside", id="no email"),
        pytest.param(Member.EMAIL, EMAIL, "Jane@example.org", "nothing-beside", id="the same email"),
        pytest.param(Member.EMAIL, EMAIL, "joe@example.org", "proof-of-another", id="another email"),
        pytest.param(Member.NAME, "Jane", None, "nothing-beside", id="no name"),
        pytest.param(Member.NAME, "Jane", "Janet", "name-of-the-proof", id="another name"),
        pytest.param(Member.NAME, None, "Jane", "name-beside", id="a name alone"),
    ],
)
def test_what_stands_beside_a_proof_is_in_it_or_is_a_name(member, proven, sent, name, form, by_backend):
    assert cover(member, proven, sent, form=form, by_backend=by_backend).name == name


@pytest.mark.parametrize(
    ("form", "by_backend", "name", "take"),
    [
        (Form.JWT, True, "proof-of-another", Take.REFUSE),
        (Form.JWT, False, "proof-of-another", Take.REFUSE),
        (Form.HMAC, True, "email-of-the-backend", Take.SENT),
        (Form.HMAC, False, "email-of-a-client", Take.PROVEN),
    ],
)
def test_an_hmac_covers_no_email_beside_the_user_id(form, by_backend, name, take):
    rule = cover(Member.EMAIL, None, EMAIL, form=form, by_backend=by_backend)

    assert (rule.name, rule.then) == (name, take)


def test_no_client_is_believed_what_its_proof_does_not_say_but_a_name():
    believed = {
        situation[0]
        for situation in COVERING.situations()
        if COVERING.decide(*situation).then is Take.SENT and Sender.CLIENT in situation
    }

    assert believed == {Member.NAME}


@cases(
    "proven, sent, by_a_backend, by_a_client",
    ("not sent", {"a": 1}, {}, "attribute-proven", "attribute-proven"),
    ("the same", {"a": 1}, {"a": 1}, "attribute-proven", "attribute-proven"),
    ("another", {"a": 1}, {"a": True}, "attribute-of-the-proof", "attribute-of-a-client"),
    ("removed beside", {"a": 1}, {"a": None}, "attribute-of-the-proof", "attribute-of-a-client"),
    ("alone", {}, {"a": 1}, "attribute-of-the-backend", "attribute-of-a-client"),
    ("removed alone", {"b": 1}, {"a": None}, "attribute-of-the-backend", "attribute-of-a-client"),
)
def test_an_attribute_is_said_by_a_proof_or_by_the_backend(proven, sent, by_a_backend, by_a_client):
    rules = [describe("a", proven, sent, by_backend=by_backend).name for by_backend in (True, False)]
    assert rules == [by_a_backend, by_a_client]


def test_no_client_is_believed_an_attribute_that_its_proof_does_not_say():
    of_clients = {DESCRIBING.decide(*one).then for one in DESCRIBING.situations() if Sender.CLIENT in one}
    assert of_clients == {Tell.PROVEN, Tell.LEAVE_OUT}


@pytest.mark.parametrize(
    ("key", "signed", "name"),
    [
        (ProofKind.JWT, Signed.JWT, "key-for-jwt"),
        (ProofKind.JWT, Signed.HMAC_OF_USER_ID, "key-for-another"),
        (ProofKind.JWT, Signed.HMAC_OF_EMAIL, "key-for-another"),
        (ProofKind.HMAC, Signed.JWT, "key-for-another"),
        (ProofKind.HMAC, Signed.HMAC_OF_USER_ID, "key-for-hmac"),
        (ProofKind.HMAC, Signed.HMAC_OF_EMAIL, "key-for-another"),
        (ProofKind.HMAC_EMAIL, Signed.JWT, "key-for-another"),
        (ProofKind.HMAC_EMAIL, Signed.HMAC_OF_USER_ID, "key-for-another"),
        (ProofKind.HMAC_EMAIL, Signed.HMAC_OF_EMAIL, "key-for-hmac-email"),
        *((ProofKind.BOTH, signed, "key-for-both") for signed in Signed),
    ],
)
def test_a_key_proves_in_its_way(key, signed, name):
    assert KEYS.decide(KeyFor[key.name], signed).name == name
    form = Form.JWT if signed is Signed.JWT else Form.HMAC
    made = may_have_made(key, form, of_user_id=signed is Signed.HMAC_OF_USER_ID)
    assert made is (name != "key-for-another")
