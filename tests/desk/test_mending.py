"""While a deploy rolls, servers of the former release serve as well: by what they leave nobody is shown what
is another's, ``check`` names it, and ``tidy`` mends it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import pairwise

import pytest

from service.desk import mending
from service.desk.erasing import tidy
from service.desk.mending import AT_ONCE, in_parts, mend
from service.store import AppStore
from service.store.checks import CHECKS
from service.store.tables import DuplicateKeys, Users
from tests.support.attachments import sent
from tests.support.cases import cases
from tests.support.former import as_the_former_release
from tests.support.rows import rows_of

WORK, HOME, OTHER = "lena@work.example", "lena@home.example", "lena@other.example"


@pytest.fixture
def former(store, tenant) -> Callable[[], AbstractContextManager[None]]:
    """A server of the former release does what is done inside."""
    return lambda: as_the_former_release(store, tenant.id)


@pytest.fixture
def violated(store, tenant) -> Callable[[], set[str]]:
    """Ask which of the store's invariants do not hold for the app."""
    return lambda: {question.__name__ for question in CHECKS if list(question(store.of(tenant.id)))}


@pytest.fixture
def mended(store, tenant, violated) -> Callable[[], None]:
    """Tidy the app, which is sound then, so that nothing is left to be done."""

    def tidied():
        tidy(
            store.of(tenant.id),
            store.apps.with_id(tenant.id),
            idle_days=90,
            empty_days=90,
            cleared_days=30,
            event_days=30,
        )
        return rows_of(store, tenant.id)

    def require() -> None:
        before = tidied()
        assert (violated(), tidied()) == (set(), before)

    return require


@pytest.fixture
def two(tenant) -> tuple[str, str]:
    """Two users of whom an email and something else was said, and who left contacts."""
    return tuple(
        one_who_left_a_contact(tenant, name, userId=f"u-{name}", email=email, attributes={"of": name})
        for name, email in (("work", WORK), ("home", HOME))
    )


def one_who_left_a_contact(tenant, name, **claim):
    login = tenant.login(**claim)
    left = tenant.call("PUT", "/v1/me/contact", login["session"]["token"], {"name": name})
    assert left.status_code == 200
    return login["user"]["id"]


def shown(tenant, id):
    user = tenant.user(id)
    return user["attributes"], {contact["name"] for contact in user["contacts"]}


def of_me(tenant, user_id):
    token = tenant.session(userId=user_id)
    return tenant.get("/v1/me", token).json["user"]["attributes"]


# --- attributes


@cases("merged_by", ("this release", False), ("the former one", True))
def test_after_an_undo_by_the_former_release_nobody_shows_what_is_the_others(
    tenant, two, former, violated, mended, merged_by
):
    stays, goes = two
    if merged_by:
        with former():
            merge = tenant.merge(goes, stays)
    else:
        merge = tenant.merge(goes, stays)
    assert of_me(tenant, "u-home") == {"of": "work"}
    tenant.login(userId="u-home", attributes={"of": "home", "news": 1})
    assert of_me(tenant, "u-work") == {"of": "home", "news": 1}

    with former():
        tenant.undo(merge)

    assert of_me(tenant, "u-work") == {}
    assert of_me(tenant, "u-home") == {"of": "home"}
    assert "attributes_are_shown" in violated()
    mended()
    assert shown(tenant, stays) == ({"of": "work"}, {"work"})
    assert shown(tenant, goes) == ({"of": "home", "news": 1}, {"home"})


def test_what_was_said_before_is_shown_once_it_is_said_again(tenant, two, former, mended):
    merge = tenant.merge(*reversed(two))
    with former():
        tenant.undo(merge)
    login = tenant.login(userId="u-work", attributes={"of": "work"})
    assert (login["resolution"]["changes"], login["user"]["attributes"]) == (["attributes"], {"of": "work"})
    assert shown(tenant, two[0])[0] == {"of": "work"}
    mended()


def test_who_says_something_else_shows_it(tenant, two, former, violated, mended):
    tenant.set(revenuecat="on")
    blue = {"attributes": {"color": {"value": "blue"}}}
    with former():
        said = tenant.call("POST", "/v1/subscribers/u-work/attributes", tenant.sk, blue)
    assert said.status_code == 200
    assert (shown(tenant, two[0])[0], violated()) == ({"of": "work"}, {"attributes_are_shown"})
    mended()
    assert shown(tenant, two[0])[0] == {"color": "blue", "of": "work"}


def test_what_was_said_before_there_were_attributes_to_show_is_shown(tenant, store, two, mended):
    carol = tenant.known(userId="u-3", attributes={"gone": 1})
    tenant.change(carol, attributes={"gone": None})
    joined = tenant.known(attributes={"page": 1})
    tenant.merge(joined, two[0])
    store.database.change(Users.update(attributes=None).where(Users.app == tenant.id))
    assert [shown(tenant, id)[0] for id in (*two, carol)] == [{"of": "work", "page": 1}, {}, {}]
    mended()
    assert [shown(tenant, id)[0] for id in (*two, carol)] == [{"of": "work", "page": 1}, {"of": "home"}, {}]


# --- who was erased


def test_of_who_is_erased_nothing_is_left(tenant, store, two, former, violated, mended):
    stays, goes = two
    last = one_who_left_a_contact(tenant, "last", userId="u-last", attributes={"of": "last"})
    tenant.merge(goes, stays)
    with former():
        for id in (stays, last):
            tenant.erase(id)

    assert violated() == {"erased_users_hold_nothing"}
    assert {row[1] for row in rows_of(store, tenant.id)["contacts"]} == {stays, goes, last}
    mended()
    rows = rows_of(store, tenant.id)
    assert (rows["contacts"], rows["attributes"], rows["fields"]) == ([], [], [])
    assert store.database.rows(Users.select(Users.attributes).where(Users.app == tenant.id)) == [(None,)] * 3


# --- contacts


def test_contacts_of_who_is_merged_are_the_others(tenant, two, former, violated, mended):
    stays, goes = two
    with former():
        tenant.merge(goes, stays)
    assert (shown(tenant, stays)[1], "things_are_where_their_home_is" in violated()) == ({"work"}, True)
    mended()
    assert shown(tenant, stays)[1] == {"work", "home"}


def test_contacts_of_who_stands_again_are_theirs(tenant, two, former, violated, mended):
    stays, goes = two
    last = tenant.known(userId="u-last")
    tenant.merge(stays, last)
    merge = tenant.merge(goes, last)
    other = tenant.known(userId="u-other")
    with former():
        tenant.undo(merge)
        tenant.merge(goes, other)
    assert "things_are_where_their_home_is" in violated()
    mended()
    assert [shown(tenant, id)[1] for id in (last, other)] == [{"work"}, {"home"}]


# --- files


def test_files_that_waited_of_who_was_erased_are_forgotten(tenant, store, former, violated, mended):
    login = tenant.login(userId="jane")
    file = sent(tenant, None, login["session"]["token"])["id"]
    with former():
        tenant.erase(login["user"]["id"])
    assert violated() == {"erased_users_hold_nothing"}
    mended()
    assert store.of(tenant.id).attachments.due(0, 10) == (file,)


# --- emails


def test_a_further_email_that_has_no_key_finds_its_user(tenant, two, former, violated, mended):
    stays, goes = two
    with former():
        tenant.merge(goes, stays)
    assert tenant.find(email=HOME) == []
    assert "emails_find_their_user" in violated()
    mended()
    assert [user["id"] for user in tenant.find(email=HOME)] == [stays]
    assert tenant.known(email=HOME) == stays


def test_a_further_email_that_has_the_key_of_an_earlier_one_finds_its_user(
    tenant, two, former, violated, mended
):
    stays, goes = two
    tenant.merge(goes, stays)
    with former():
        tenant.login(userId="u-home", email=OTHER)
        tenant.login(userId="u-work", email=WORK)
    assert violated() == {"emails_find_their_user"}
    mended()
    assert tenant.known(email=OTHER) == stays
    assert tenant.find(email=HOME) == []


def test_an_email_that_was_removed_finds_nobody_still(tenant, two, mended):
    stays, goes = two
    tenant.merge(goes, stays)
    tenant.change(stays, email=None)
    mended()
    assert tenant.find(email=HOME) == []


def test_who_came_by_an_email_meanwhile_keeps_it_and_a_person_decides(tenant, store, former, violated):
    stays, goes = tenant.known(email=WORK), tenant.known(email=HOME)
    with former():
        tenant.merge(goes, stays)
    rival = tenant.known(email=HOME)
    mend(store.of(tenant.id))
    assert tenant.known(email=HOME) == rival
    assert violated() == {"emails_find_their_user"}
    tenant.merge(rival, stays)
    mend(store.of(tenant.id))
    assert (tenant.known(email=HOME), violated()) == (stays, set())


def test_many_who_were_not_compared_yet_are_compared_a_few_at_a_time(tenant, store, former):
    def look():
        rows = store.database.rows(
            DuplicateKeys.select(DuplicateKeys.user).where(DuplicateKeys.app == tenant.id)
        )
        seen.append({user for (user,) in rows})

    with former():
        for number in range(2 * AT_ONCE + 1):
            tenant.known(userId=f"u-{number}", email=f"{number}@shop.example")
    seen = []
    mend(store.of(tenant.id), rest=look)
    look()
    new = [len(after - before) for before, after in pairwise(seen)]
    assert [count for count in new if count] == [AT_ONCE, AT_ONCE, 1]


def test_of_those_who_are_compared_by_more_a_transaction_compares_fewer(tenant, store, monkeypatch):
    monkeypatch.setattr(mending, "AT_ONCE", 4)
    for user in range(4):
        one_who_left_a_contact(tenant, "Kim", userId=f"u-{user}", email=f"{user}@shop.example")
    # As it was before anybody was compared.
    store.database.change(DuplicateKeys.delete().where(DuplicateKeys.app == tenant.id))
    own = store.of(tenant.id)
    [found] = own.leftovers.unseen()
    assert [len(part) for part in in_parts(found)] == [2, 2]
    mend(own)
    assert [*own.leftovers.unseen()] == []


def test_who_comes_while_others_are_mended_is_not_waited_for(tenant, store, former):
    def come():
        came.append(tenant.known(userId=f"late-{len(came)}", email=f"late-{len(came)}@shop.example"))
        assert len(came) < 9, "they are mended for as long as somebody comes"

    came = []
    with former():
        tenant.known(userId="u-1", email="1@shop.example")
        mend(store.of(tenant.id), rest=come)
    assert came


# --- meanwhile


@pytest.fixture
def meanwhile(monkeypatch) -> Callable[[Callable[[], object]], None]:
    """Have something happen once, of another's doing, right before the next transaction begins."""

    def set_up(happen: Callable[[], object]) -> None:
        coming, begin = [happen], AppStore.transaction

        def wait_and_begin(store: AppStore) -> AbstractContextManager[None]:
            if coming:
                # In a thread of its own, and so in a transaction of its own.
                with ThreadPoolExecutor(1) as other:
                    other.submit(coming.pop()).result()
            return begin(store)

        monkeypatch.setattr(AppStore, "transaction", wait_and_begin)

    return set_up


def said_by_a_subscriber(tenant, stays, goes):
    tenant.set(revenuecat="on")
    blue = {"attributes": {"color": {"value": "blue"}}}
    tenant.call("POST", "/v1/subscribers/u-work/attributes", tenant.sk, blue)


def contacts_are_left(tenant, stays, goes):
    tenant.merge(goes, stays)


def an_email_is_left(tenant, stays, goes):
    tenant.merge(tenant.known(email=OTHER), stays)


@cases(
    "does",
    ("says something", said_by_a_subscriber),
    ("leaves contacts", contacts_are_left),
    ("leaves an email", an_email_is_left),
)
def test_who_is_erased_while_they_are_mended_is_left_alone(
    tenant, store, two, former, violated, meanwhile, does
):
    with former():
        does(tenant, *two)
    meanwhile(lambda: tenant.erase(two[0]))
    mend(store.of(tenant.id))
    mend(store.of(tenant.id))
    assert violated() == set()
