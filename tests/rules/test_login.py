"""The rules of login: each situation has its rule, and each rule its plan."""

import pytest

from service.model.users import Claim, User
from service.rules.login import (
    LOGIN,
    Attach,
    Create,
    Email,
    Evidence,
    Use,
    UserId,
    decide,
    decide_identify,
    email_situation,
    rule_of_creation,
    unchanged,
    user_id_situation,
)

ID, EMAIL = "u-17", "jane@example.org"

KNOWN = User("usr_known", ID, "jane@old.example", "Jane", (), 1)
UNCLAIMED = User("usr_unclaimed", None, EMAIL, "Jane", (), 2)
CLAIMED = User("usr_claimed", "u-18", EMAIL, "Jane", (), 3)
CLAIMED_TOO = User("usr_claimed_too", "u-19", EMAIL, "Janet", (), 4)
ANONYMOUS = User("usr_anonymous", "$anon:0b8f0d1c-5a0e-4f0e-8d53-1c6f5f1f5c5e", None, None, (), 5)

CLAIMED_IDS = {UserId.NOT_GIVEN: None, UserId.UNKNOWN: ID, UserId.KNOWN: ID}
HOLDERS = {
    Email.NOT_GIVEN: (),
    Email.UNKNOWN: (),
    Email.UNCLAIMED: (UNCLAIMED,),
    Email.CLAIMED: (CLAIMED,),
    Email.SHARED: (CLAIMED, CLAIMED_TOO),
}


def arranged(user_id: UserId, email: Email) -> tuple[Claim, Evidence]:
    """Make a claim and the evidence that together are a situation."""
    claim = Claim(CLAIMED_IDS[user_id], None if email is Email.NOT_GIVEN else EMAIL)
    return claim, Evidence(KNOWN if user_id is UserId.KNOWN else None, HOLDERS[email])


SITUATIONS = [
    (UserId.KNOWN, Email.NOT_GIVEN, "known-user-id", Use(KNOWN)),
    (UserId.KNOWN, Email.UNKNOWN, "known-user-id", Use(KNOWN, EMAIL)),
    (UserId.KNOWN, Email.UNCLAIMED, "known-user-id", Use(KNOWN, EMAIL)),
    (UserId.KNOWN, Email.CLAIMED, "known-user-id", Use(KNOWN, EMAIL)),
    (UserId.KNOWN, Email.SHARED, "known-user-id", Use(KNOWN, EMAIL)),
    (UserId.UNKNOWN, Email.NOT_GIVEN, "new-user-id", Create(ID, None, None)),
    (UserId.UNKNOWN, Email.UNKNOWN, "new-user-id", Create(ID, EMAIL, None)),
    (UserId.UNKNOWN, Email.UNCLAIMED, "attach-user-id", Attach(UNCLAIMED, ID)),
    (UserId.UNKNOWN, Email.CLAIMED, "new-user-id", Create(ID, EMAIL, None)),
    (UserId.UNKNOWN, Email.SHARED, "new-user-id", Create(ID, EMAIL, None)),
    (UserId.NOT_GIVEN, Email.NOT_GIVEN, "anonymous", Create(None, None, None)),
    (UserId.NOT_GIVEN, Email.UNKNOWN, "new-email", Create(None, EMAIL, None)),
    (UserId.NOT_GIVEN, Email.UNCLAIMED, "known-email", Use(UNCLAIMED)),
    (UserId.NOT_GIVEN, Email.CLAIMED, "known-email", Use(CLAIMED)),
    (UserId.NOT_GIVEN, Email.SHARED, "shared-email", Create(None, EMAIL, None)),
]


def named(value: object) -> str | None:
    return str(value.name).lower().replace("_", "-") if isinstance(value, UserId | Email) else None


@pytest.mark.parametrize(
    ("user_id", "email", "rule", "plan"),
    [pytest.param(*case, id=f"{named(case[0])}-and-{named(case[1])}") for case in SITUATIONS],
)
def test_each_situation_has_its_rule_and_plan(user_id, email, rule, plan):
    claim, evidence = arranged(user_id, email)

    decision = decide(claim, evidence)

    assert (user_id_situation(claim, evidence), email_situation(claim, evidence)) == (user_id, email)
    assert (decision.rule.name, decision.plan) == (rule, plan)


def test_these_are_all_situations():
    tested = [case[:2] for case in SITUATIONS]

    assert len(tested) == 15
    assert set(tested) == set(LOGIN.situations())


# One for each rule, by its name: what is claimed, what is known of it, what comes of it.
EXAMPLES = {
    "known-user-id": (
        Claim("u-17", "jane@new.example", "Jane Doe"),
        Evidence(by_user_id=KNOWN),
        Use(KNOWN, "jane@new.example", "Jane Doe"),
        ("email", "name"),
    ),
    "attach-user-id": (
        Claim("u-17", "jane@example.org", "Jane Doe"),
        Evidence(by_email=(UNCLAIMED, CLAIMED)),
        Attach(UNCLAIMED, "u-17", name="Jane Doe"),
        ("userId", "name"),
    ),
    "new-user-id": (
        Claim("u-17", "jane@example.org", "Jane"),
        Evidence(by_email=(CLAIMED,)),
        Create("u-17", "jane@example.org", "Jane"),
        (),
    ),
    "known-email": (
        Claim(None, "jane@example.org", "Jane Doe"),
        Evidence(by_email=(CLAIMED,)),
        Use(CLAIMED, None, "Jane Doe"),
        ("name",),
    ),
    "shared-email": (
        Claim(None, "jane@example.org", "Jane"),
        Evidence(by_email=(CLAIMED, CLAIMED_TOO)),
        Create(None, "jane@example.org", "Jane"),
        (),
    ),
    "new-email": (
        Claim(None, "jane@example.org", "Jane"),
        Evidence(),
        Create(None, "jane@example.org", "Jane"),
        (),
    ),
    "anonymous": (
        Claim(name="Jane"),
        Evidence(anonymous=ANONYMOUS),
        Use(ANONYMOUS, None, "Jane"),
        ("name",),
    ),
}


@pytest.mark.parametrize("rule", [rule.name for rule in LOGIN.rules])
def test_every_rule_has_an_example(rule):
    claim, evidence, plan, changes = EXAMPLES[rule]

    decision = decide(claim, evidence)

    assert (decision.rule.name, decision.plan, decision.changes) == (rule, plan, changes)


def test_an_unclaimed_user_comes_before_any_number_of_claimed_ones():
    evidence = Evidence(by_email=(UNCLAIMED, CLAIMED, CLAIMED_TOO))

    decision = decide(Claim(email=EMAIL), evidence)

    assert decision.plan == Use(UNCLAIMED)


def test_an_anonymous_user_is_used_for_no_other_claim():
    decision = decide(Claim(email=EMAIL), Evidence(anonymous=ANONYMOUS))

    assert decision.plan == Create(None, EMAIL, None)


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        pytest.param(Claim(ID), (), id="nothing given"),
        pytest.param(Claim(ID, "jane@old.example", "Jane"), (), id="the same again"),
        pytest.param(Claim(ID, "Jane@old.example"), ("email",), id="email in other letters"),
        pytest.param(Claim(ID, name="jane"), ("name",), id="name in other letters"),
        pytest.param(Claim(ID, "jane@new.example", "Jane"), ("email",), id="email alone differs"),
    ],
)
def test_only_what_differs_is_a_change(claim, changes):
    decision = decide(claim, Evidence(by_user_id=KNOWN))

    assert decision.changes == changes


@pytest.mark.parametrize("stored_name", [None, "Kim", "Lee"])
@pytest.mark.parametrize("stored_email", [None, "kim@example.org", "lee@example.org"])
@pytest.mark.parametrize("name", [None, "Kim"])
@pytest.mark.parametrize("email", [None, "kim@example.org"])
def test_a_login_changes_nothing_of_those_who_have_these_fields(email, name, stored_email, stored_name):
    claim, user = Claim("u-1", email, name), User("usr_1", "u-1", stored_email, stored_name, (), 0, True)
    has_them = all(value in (None, getattr(user, field)) for field, value in unchanged(claim).items())

    decision = decide(claim, Evidence(by_user_id=user))

    assert (decision.changes == ()) == has_them


def test_a_login_by_email_leaves_the_email_as_it_is_written():
    decision = decide(Claim(email="JANE@example.org"), Evidence(by_email=(CLAIMED,)))

    assert decision.plan == Use(CLAIMED)
    assert decision.changes == ()


CLIENT_MADE = User("usr_client", "$RCAnonymousID:" + "a" * 32, None, None, (), 6, verified=False)


@pytest.mark.parametrize(
    ("known", "before", "rule", "plan"),
    [
        pytest.param(KNOWN, None, "known-user-id", Use(KNOWN), id="known, and nobody was there"),
        pytest.param(KNOWN, CLIENT_MADE, "known-user-id", Use(KNOWN), id="known, and a client was there"),
        pytest.param(KNOWN, CLAIMED, "known-user-id", Use(KNOWN), id="known, and another was there"),
        pytest.param(None, CLIENT_MADE, "attach-user-id", Attach(CLIENT_MADE, ID), id="a client was there"),
        pytest.param(None, ANONYMOUS, "new-user-id", Create(ID, None, None), id="a device's user was there"),
        pytest.param(None, CLAIMED, "new-user-id", Create(ID, None, None), id="another was there"),
        pytest.param(None, None, "new-user-id", Create(ID, None, None), id="nobody was there"),
    ],
)
def test_to_identify_is_to_log_in_by_the_same_rules(known, before, rule, plan):
    decision = decide_identify(ID, known, before)

    assert (decision.rule.name, decision.plan) == (rule, plan)


@pytest.mark.parametrize(("user_id", "rule"), [(ID, "new-user-id"), (None, "anonymous")])
def test_whoever_is_made_is_made_by_a_rule(user_id, rule):
    assert rule_of_creation(user_id).name == rule
