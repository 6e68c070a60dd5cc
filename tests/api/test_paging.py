"""Pages of conversations and messages: nothing twice, nothing missing, and cursors that open nothing."""

import base64

import pytest
import time_machine

from service.model.conversations import Author, Conversation, Message, Side, Status
from service.model.identifiers import new_id
from tests.support.cases import cases

MANY = 230
NOON = 1_800_000_000  # seconds since 1970
LISTS = ("conversations", "messages")


@pytest.fixture(params=LISTS)
def path(request, tenant, jane):
    """Each list that has pages, with something in it."""
    id = tenant.begin(jane, "0")
    return {"conversations": "/v1/conversations", "messages": f"/v1/conversations/{id}/messages"}[
        request.param
    ]


@pytest.fixture
def three(tenant, jane, path):
    """Have two more things in the list."""
    for number in (1, 2):
        if path.endswith("messages"):
            tenant.write(path.split("/")[3], jane, str(number))
        else:
            tenant.begin(jane)


def get(tenant, key, path, **query):
    return tenant.client.get(path, query_string=query, headers={"Authorization": f"Bearer {key}"})


def refusal(answer):
    """The pointers and codes of a refusal, or the status of anything else."""
    if answer.status_code != 422:
        return answer.status_code
    return [(error["pointer"], error["code"]) for error in answer.json["errors"]]


def page(tenant, key, path, **query):
    answer = get(tenant, key, path, **query)
    assert answer.status_code == 200, answer.text
    assert set(answer.json) == {"data", "nextCursor"}
    return [item["id"] for item in answer.json["data"]], answer.json["nextCursor"]


def walk(tenant, key, path, between=lambda: None, **query):
    """Read page after page to the end, doing something between any two."""
    pages, cursors = [], [None]
    while cursors[-1] is not None or not pages:
        given = {"cursor": cursors[-1]} if pages else {}
        ids, cursor = page(tenant, key, path, **query, **given)
        assert cursor is None or cursor not in cursors, "the pages go round in a circle"
        cursors.append(cursor)
        pages.append(ids)
        between()
    return pages


def flat(pages):
    return [id for ids in pages for id in ids]


def fill(store, tenant, user, at, many=MANY, status=Status.OPEN):
    """Add conversations that were all last active at one moment; return their ids as lists show them."""
    ids = [new_id("cnv") for _ in range(many)]
    with store.transaction():
        for id in ids:
            conversation = Conversation(id, user, None, status, 0, 1, at, at)
            first = Message(new_id("msg"), 1, Author(Side.AGENT, None), "Hello", True, at)
            own = store.of(tenant.id).conversations
            own.create(conversation, Side.AGENT, None, user)
            own.add_first(id, first)
    return sorted(ids, reverse=True)


@pytest.mark.parametrize("limit", [1, 7, 99, 100], ids="by-{}".format)
@pytest.mark.parametrize("side", ["user", "agent"])
def test_conversations_of_one_moment_are_listed_once_each(tenant, store, login, side, limit):
    many = 25 if limit == 1 else MANY
    ids = fill(store, tenant, login["user"]["id"], NOON * 1000, many)
    key = {"user": login["session"]["token"], "agent": tenant.sk}[side]
    pages = walk(tenant, key, "/v1/conversations", limit=limit)
    assert flat(pages) == ids
    assert [len(ids) for ids in pages[:-1]] == [limit] * (len(pages) - 1)
    assert pages[-1]


def test_moments_before_and_after_a_shared_one_keep_their_place(tenant, store, login, jane):
    user = login["user"]["id"]
    moments = [fill(store, tenant, user, NOON * 1000 + shift, 8) for shift in (-1, 0, 1)]
    assert flat(walk(tenant, jane, "/v1/conversations", limit=3)) == flat(reversed(moments))


def test_a_filter_holds_on_every_page(tenant, store, login):
    jane, mike = login["user"]["id"], tenant.known(userId="mike")
    janes = fill(store, tenant, jane, NOON * 1000, 40)
    resolved = fill(store, tenant, jane, NOON * 1000, 40, Status.RESOLVED)
    mikes = fill(store, tenant, mike, NOON * 1000, 40, Status.RESOLVED)
    path = "/v1/conversations"
    found = [
        flat(walk(tenant, tenant.sk, path, limit=9, **query))
        for query in ({"user": jane}, {"status": "resolved"}, {"user": jane, "status": "resolved"}, {})
    ]

    everything = sorted(janes + resolved + mikes, reverse=True)
    assert found == [
        sorted(janes + resolved, reverse=True),
        sorted(resolved + mikes, reverse=True),
        resolved,
        everything,
    ]


@pytest.mark.parametrize("side", ["user", "agent"])
def test_what_begins_between_two_pages_neither_repeats_nor_hides_anything(tenant, store, side):
    with time_machine.travel(NOON, tick=False):
        login = tenant.login(userId="jane")
        jane = login["session"]["token"]
        ids = fill(store, tenant, login["user"]["id"], NOON * 1000, 40)
        key = {"user": jane, "agent": tenant.sk}[side]
        pages = walk(tenant, key, "/v1/conversations", lambda: tenant.begin(jane), limit=7)
    seen = flat(pages)
    assert len(seen) == len(set(seen))
    assert [id for id in seen if id in set(ids)] == ids


def test_what_becomes_active_between_two_pages_does_not_repeat_and_hides_no_other(tenant, store, login, jane):
    ids = fill(store, tenant, login["user"]["id"], NOON * 1000 - 10**12, 30)
    active = iter(ids[::-1])  # from the far end, so each but those already listed moves to the top
    pages = walk(tenant, jane, "/v1/conversations", lambda: tenant.write(next(active), jane, "More"), limit=7)
    seen = flat(pages)
    moved = set(ids) - set(seen)
    assert seen == [id for id in ids if id not in moved]
    top, _ = page(tenant, jane, "/v1/conversations")
    assert moved < set(top)


def test_a_cursor_may_be_used_again_and_in_any_order(tenant, store, login, jane):
    fill(store, tenant, login["user"]["id"], NOON * 1000, 9)
    _, second = page(tenant, jane, "/v1/conversations", limit=3)
    middle, third = page(tenant, jane, "/v1/conversations", limit=3, cursor=second)
    last, _ = page(tenant, jane, "/v1/conversations", limit=3, cursor=third)
    again = [page(tenant, jane, "/v1/conversations", limit=3, cursor=cursor)[0] for cursor in (third, second)]
    assert again == [last, middle]


def test_messages_of_one_moment_are_listed_once_each_in_the_order_of_writing(tenant):
    with time_machine.travel(NOON, tick=False):
        jane = tenant.session(userId="jane")
        id = tenant.begin(jane, "0")
        path = f"/v1/conversations/{id}/messages"
        [first], _ = page(tenant, jane, path)
        written = [tenant.write(id, jane, str(number))["id"] for number in range(1, 24)]
        pages = [walk(tenant, key, path, limit=7) for key in (jane, tenant.sk)]
    assert [len(ids) for ids in pages[0]] == [7, 7, 7, 3]
    assert flat(pages[0]) == flat(pages[1]) == [first, *written]


def test_a_message_written_between_two_pages_is_still_reached(tenant, jane):
    id = tenant.begin(jane, "0")
    path = f"/v1/conversations/{id}/messages"
    for number in range(1, 8):
        tenant.write(id, jane, str(number))
    more = iter(range(5))
    written = []

    def one_more():
        if next(more, None) is not None:
            written.append(tenant.write(id, tenant.sk, "More")["id"])

    pages = walk(tenant, jane, path, one_more, limit=2)

    assert flat(pages)[8:] == written
    assert len(flat(pages)) == len(set(flat(pages))) == 13


def test_twenty_are_listed_where_no_limit_is_given(tenant, store, login, jane):
    ids = fill(store, tenant, login["user"]["id"], NOON * 1000, 21)
    listed, cursor = page(tenant, jane, "/v1/conversations")
    assert listed == ids[:20]
    assert page(tenant, jane, "/v1/conversations", cursor=cursor) == (ids[20:], None)


@pytest.mark.parametrize("limit", ["1", "2", "3", "100"])
def test_a_limit_is_kept_to_and_the_last_page_says_that_it_is(tenant, jane, path, three, limit):
    ids, cursor = page(tenant, jane, path, limit=limit)
    assert len(ids) == min(3, int(limit))
    assert (cursor is None) == (int(limit) >= 3)


LIMITS_OUT_OF_BOUNDS = [
    "0", "-1", "101", "1000000000", "9" * 400, "1.0", "1e1", "", " 5", "+5", "5 ", "ten", "٣", "1_0", "0x5",
    "5\0",
]  # fmt: skip


def test_a_limit_out_of_bounds_is_refused(tenant, jane, path):
    refused = {limit: refusal(get(tenant, jane, path, limit=limit)) for limit in LIMITS_OUT_OF_BOUNDS}
    assert refused == dict.fromkeys(LIMITS_OUT_OF_BOUNDS, [("/limit", "not-a-whole-number")])


def test_a_parameter_that_there_is_not_is_refused(tenant, jane, path):
    assert refusal(get(tenant, jane, path, offset=20)) == [("/offset", "unknown")]


def encoded(plain):
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


NO_CURSORS = [
    "", " ", "null", "undefined", "0", "-", "=", "====", "!", "\0", "ü", "\N{ADULT}", "AAAAA", "A" * 4000,
    "/////", "%", "' OR 1=1 --", "cnv_" + "0" * 32,
    encoded(b""), encoded(b"."), encoded(b"1"), encoded(b".cnv_0"), encoded(b"-1.cnv_0"),
    encoded(b"1.0.cnv_0"), encoded(b"1e3.cnv_0"), encoded(b"nan.cnv_0"), encoded(b" 1.cnv_0"),
    encoded(b"1.cnv_0\n"), encoded(b"1.CNV"), encoded(b"1.cnv_\x00"), encoded(b"\xff\xfe.cnv_0"),
    encoded("\N{ARABIC-INDIC DIGIT ONE}.cnv_0".encode()), encoded(b"9223372036854775808.cnv_0"),
    encoded(b"9" * 400 + b".cnv_0"), encoded(b"1." + b"a" * 400), encoded(b'{"at": 1}'),
    encoded(b"1.cnv_0' OR 1=1 --"),
]  # fmt: skip


def test_a_cursor_that_no_answer_held_is_refused(tenant, jane, path):
    refused = {cursor: refusal(get(tenant, jane, path, cursor=cursor)) for cursor in NO_CURSORS}
    assert refused == dict.fromkeys(NO_CURSORS, [("/cursor", "invalid-cursor")])


@cases(
    "cursor",
    ("zero", b"0."),
    ("zero-and-id", b"0.cnv_0"),
    ("largest", b"9223372036854775807.cnv_f"),
    ("largest-without-id", b"9223372036854775807."),
    ("other-id", b"1.zzz"),
    ("leading-zeros", b"0001.cnv_0"),
)
def test_a_cursor_of_ones_own_making_opens_nothing_but_ones_own(tenant, jane, path, three, cursor):
    mike = tenant.session(userId="mike")
    mikes = tenant.begin(mike)
    own = flat(walk(tenant, jane, path))
    ids, _ = page(tenant, jane, path, cursor=encoded(cursor), limit=100)
    assert set(ids) <= set(own)
    assert mikes not in ids


def test_a_cursor_of_another_users_list_shows_nothing_of_theirs(tenant, store, login, jane):
    mike = tenant.login(userId="mike")
    own = fill(store, tenant, login["user"]["id"], NOON * 1000, 6)
    fill(store, tenant, mike["user"]["id"], NOON * 1000, 6)
    _, cursor = page(tenant, mike["session"]["token"], "/v1/conversations", limit=3)
    ids, _ = page(tenant, jane, "/v1/conversations", cursor=cursor)
    assert set(ids) <= set(own)


def test_a_cursor_of_another_apps_list_shows_nothing_of_it(tenant, other_tenant, store, login):
    there = other_tenant.known(userId="jane")
    own = fill(store, tenant, login["user"]["id"], NOON * 1000, 6)
    fill(store, other_tenant, there, NOON * 1000, 6)
    _, cursor = page(other_tenant, other_tenant.sk, "/v1/conversations", limit=3)
    ids, _ = page(tenant, tenant.sk, "/v1/conversations", cursor=cursor)
    assert set(ids) <= set(own)


def test_a_cursor_of_one_list_in_the_other_opens_nothing_but_ones_own(tenant, jane):
    id = tenant.begin(jane, "0")
    for number in range(3):
        tenant.write(id, jane, str(number))
        tenant.begin(jane)
    paths = "/v1/conversations", f"/v1/conversations/{id}/messages"
    own = [set(page(tenant, jane, path)[0]) for path in paths]
    _, of_conversations = page(tenant, jane, paths[0], limit=1)
    _, of_messages = page(tenant, jane, paths[1], limit=1)
    conversations, _ = page(tenant, jane, paths[0], cursor=of_messages)
    messages, _ = page(tenant, jane, paths[1], cursor=of_conversations)

    assert set(conversations) <= own[0]
    assert set(messages) <= own[1]


def test_a_cursor_names_nobody_else(tenant, store, login, jane):
    mike = tenant.known(userId="mike")
    fill(store, tenant, login["user"]["id"], NOON * 1000, 4)
    theirs = fill(store, tenant, mike, NOON * 1000, 4)
    _, cursor = page(tenant, jane, "/v1/conversations", limit=2)
    plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    assert not [id for id in [*theirs, mike] if id in plain]
