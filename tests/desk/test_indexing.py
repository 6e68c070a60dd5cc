"""The index of what was written: whoever works fills it, a search finds by it what it found without it, and
of what was erased nothing is left in it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from urllib.parse import unquote, urlsplit

import pytest

from service.desk import indexing, searching
from service.desk.apps import erase_app
from service.desk.erasing import tidy
from service.desk.indexing import index_some
from service.desk.searching import search
from service.model.conversations import Author, Conversation, Message, Side, Status, Transcript
from service.model.errors import StoreUnavailable
from service.model.events import Event, EventType
from service.model.words import pieces_of
from service.store.database import Database
from service.store.events import EventStore
from service.store.tables import Conversations, Events, Messages, SearchIndex, SearchProgress
from tests.support.cases import cases
from tests.support.following import all_told
from tests.support.marks import LONG

CANARY = "Zeppelinfahrt"


@pytest.fixture
def mine(store, tenant):
    """The store of the app."""
    return store.of(tenant.id)


@pytest.fixture
def token(tenant):
    return tenant.session(userId="u-kim")


@pytest.fixture
def index(tenant, mine) -> Callable[[], None]:
    """Put all that was written by now into the index."""

    def fill() -> None:
        all_told(tenant)
        while index_some(mine):
            pass

    return fill


@pytest.fixture
def found(mine) -> Callable[[str], list[str]]:
    """Search, and return the subjects of the first page."""
    return lambda text: [one.subject for one in search(mine, text, cursor=None, limit=50).data]


@pytest.fixture
def narrow(monkeypatch):
    """Without the index no more than the latest conversation is looked through."""
    monkeypatch.setattr(searching, "CONVERSATIONS", 1)


@pytest.fixture
def parcel(tenant, token):
    """A conversation that is not the latest."""
    id = tenant.begin(token, "Where is my Päckchen?", subject="Parcel")
    tenant.begin(token, "Nothing of that", subject="Later")
    return id


def indexed(mine, *columns):
    """Return the rows of the index, of their conversations and numbers if not of others."""
    columns = columns or (SearchIndex.conversation, SearchIndex.number)
    return sorted(mine.database.rows(SearchIndex.select(*columns).where(SearchIndex.app == mine.app_id)))


# --- what is found


@pytest.mark.usefixtures("narrow", "parcel")
@cases(
    "what",
    ("a word", "where"),
    ("a part of a word", "äckch"),
    ("letters of another case", "PÄCK"),
    ("words of the subject and a message", "parcel päckchen"),
    ("one that is too short for the index beside one that is not", "my parcel"),
    ("what engines take for operators", '"parcel" (where*, -my):*'),
)
def test_what_the_index_holds_is_found_wherever_it_is(index, found, what):
    assert found("parcel") == []
    index()
    assert found(what) == ["Parcel"]


@pytest.mark.usefixtures("narrow", "parcel")
def test_what_holds_all_pieces_but_not_the_word_is_not_found(tenant, token, index, found):
    tenant.begin(token, "abcx bcde", subject="Pieces")
    tenant.begin(token, "Nothing of that")
    index()
    assert found("bcde") == ["Pieces"]
    assert found("abcde") == []
    assert found("parcel zeppelin") == []


@pytest.mark.usefixtures("narrow")
@cases("text", ("Japanese", "注文"), ("Thai", "ที่ไหน"), ("Hindi", "पार्सल"))
def test_scripts_without_spaces_are_found_by_parts(tenant, token, index, found, text):
    tenant.begin(token, f"ご{text}の商品", subject="Parcel")
    tenant.begin(token, "Nothing of that")
    index()
    assert found(text) == ["Parcel"]


def test_what_was_just_written_is_found_beside_what_the_index_holds(tenant, token, parcel, index, found):
    index()
    tenant.write(parcel, token, "It has a crooked ribbon")
    assert found("ribbon päckchen") == ["Parcel"]
    index()
    assert found("ribbon päckchen") == ["Parcel"]


@pytest.mark.usefixtures("parcel")
def test_pages_come_in_the_order_of_the_inbox(tenant, token, mine, index):
    names = [f"Parcel {number:02}" for number in range(5)]
    for name in names:
        tenant.begin(token, subject=name)
    index()
    cursor, seen = None, []
    while cursor is not None or not seen:
        page = search(mine, "parcel", cursor=cursor, limit=2)
        seen += [one.subject for one in page.data]
        cursor = page.next
    assert seen == [*reversed(names), "Parcel"]


@pytest.mark.usefixtures("parcel")
def test_a_search_by_the_index_goes_to_no_other_conversation_after_many_messages(
    mine, tenant, token, index, monkeypatch
):
    tenant.begin(token, subject="Parcel 2")
    index()
    monkeypatch.setattr(searching, "MESSAGES", 1)
    first = search(mine, "parcel", cursor=None, limit=50)
    second = search(mine, "parcel", cursor=first.next, limit=50)
    assert [[one.subject for one in page.data] for page in (first, second)] == [["Parcel 2"], ["Parcel"]]
    assert second.next is None


@pytest.mark.usefixtures("narrow", "parcel")
@cases(
    "limits, what, finds",
    ("words that are too short", {}, "my is", []),
    ("a word that nearly everything holds", {"MAX_HAVING": 0}, "parcel", []),
    ("too much that the index does not hold", {"MAX_RECENT": -1}, "parcel", []),
)
def test_where_the_index_is_of_no_use_so_many_are_looked_through(
    index, found, monkeypatch, limits, what, finds
):
    index()
    for name, value in limits.items():
        monkeypatch.setattr(searching, name, value)
    assert found(what) == finds


@pytest.mark.usefixtures("narrow", "parcel")
def test_nothing_of_another_app_is_found_by_the_index(other_tenant, store, index):
    index()
    assert search(store.of(other_tenant.id), "parcel", cursor=None, limit=50).data == ()


# --- filling


def test_an_app_in_which_nothing_has_happened_has_no_index(store):
    assert not index_some(store.of("app_nobody"))
    assert store.of("app_nobody").search.progress() is None


def test_the_index_holds_each_text_once_whatever_is_looked_at_again(mine, tenant, token, parcel, index):
    index()
    before = indexed(mine)
    assert [one for one in before if one[0] == parcel] == [(parcel, 0), (parcel, 1)]
    tenant.write(parcel, token)
    tenant.call("POST", f"/v1/conversations/{parcel}/read", tenant.sk)
    index()
    mine.database.change(
        SearchProgress.update(filled="").where(SearchProgress.app == mine.app_id),
    )
    index()
    assert indexed(mine) == sorted([*before, (parcel, 2)])


def test_each_step_puts_in_a_few(mine, tenant, token, parcel, index, found, monkeypatch):
    for name in ("EVENTS", "CONVERSATIONS", "MESSAGES"):
        monkeypatch.setattr(indexing, name, 1)
    for number in range(3):
        tenant.write(parcel, token, f"numbered{number}")
    index()
    assert [number for id, number in indexed(mine) if id == parcel] == [0, 1, 2, 3, 4]
    assert found("numbered2") == ["Parcel"]


@pytest.mark.usefixtures("narrow", "parcel")
def test_what_an_import_brings_is_put_in_too(mine, tenant, index, found):
    index()
    user = tenant.known(userId="u-kim")
    conversation = Conversation("cnv_brought", user, "Brought along", Status.OPEN, 0, 1, 1, 1)
    message = Message("msg_brought", 1, Author(Side.USER, None, user), "From another desk", True, 1)
    with mine.transaction():
        mine.newcomers.add_transcripts([(user, user, Transcript(conversation, (message,)))])
    assert mine.search.recent(10) is None
    index()
    assert found("brought desk") == ["Brought along"]


@pytest.mark.usefixtures("parcel")
def test_whoever_was_away_for_longer_than_events_are_kept_begins_anew(mine, tenant, token, index, found):
    index()
    tenant.begin(token, "Meanwhile", subject="Meanwhile")
    all_told(tenant)
    place = mine.search.progress().place
    mine.database.change(
        Events.delete().where((Events.app == mine.app_id) & (Events.xid <= mine.feed.end()[0]))
    )
    assert mine.search.progress().is_lost
    assert mine.search.recent(10) is None
    index()
    assert mine.search.progress().place != place
    assert len([one for one in indexed(mine) if one[1] == 0]) == 3
    assert found("meanwhile") == ["Meanwhile"]


def test_on_a_server_that_numbers_anew_it_goes_on_where_it_was(mine, tenant, token, parcel, index, found):
    index()
    with mine.transaction():
        mine.feed.renumber()
    tenant.write(parcel, token, "Restored elsewhere")
    assert found("elsewhere") == ["Parcel"]
    index()
    assert (parcel, 2) in indexed(mine)
    assert len([one for one in indexed(mine) if one[0] == parcel]) == 3


@pytest.mark.usefixtures("parcel")
def test_no_two_fill_one_index_at_once(mine, tenant, index, config):
    all_told(tenant)
    if mine.database.is_sqlite:
        # Whoever writes has all of it.
        assert mine.search.try_lock()
        return
    other = Database(config.database_url, LONG)
    with other.transaction():
        other.lock(mine.app_id, "search")
        other.ping()
        assert not index_some(mine)
    other.close()
    assert index_some(mine)


def test_who_fills_the_index_does_not_wait_for_who_erases(mine, tenant, token, parcel, config):
    if mine.database.is_sqlite:
        return
    all_told(tenant)
    assert index_some(mine)
    other = Database(config.database_url, LONG)
    with other.transaction():
        other.change(Messages.update(body="").where(Messages.app == mine.app_id))
        with pytest.raises(StoreUnavailable):
            index_some(mine)
    other.close()
    assert index_some(mine)
    assert {pieces for _, number, pieces in indexed(mine, *_ALL) if number == 1} == {""}


_ALL = SearchIndex.conversation, SearchIndex.number, SearchIndex.pieces


# --- forgetting


def left_of(mine, config) -> bool:
    """Return whether anything is left of what makes the canary be found, wherever an engine keeps it."""
    pieces = pieces_of(mine.app_id, CANARY)
    kept = {piece for (text,) in indexed(mine, SearchIndex.pieces) for piece in text.replace("'", "").split()}
    if pieces & kept:
        return True
    if not mine.database.is_sqlite:
        return False
    with closing(sqlite3.connect(unquote(urlsplit(config.database_url).path)[1:])) as connection:
        connection.execute("CREATE VIRTUAL TABLE temp.kept USING fts5vocab('main', 'search_index', 'row')")
        words = {word for (word,) in connection.execute("SELECT term FROM temp.kept")}
        shadows = [
            str(row)
            for table in ("content", "data")
            for row in connection.execute(
                f"SELECT * FROM search_index_{table}"  # noqa: S608 - our own names
            )
        ]
    return bool(pieces & words) or any(piece in row for piece in pieces for row in shadows)


@pytest.fixture
def tidied(store, tenant, mine):
    days = {"idle_days": 90, "empty_days": 90, "cleared_days": 90, "event_days": 30}
    return lambda: tidy(mine, store.apps.with_id(tenant.id), **days)


def test_of_whoever_is_erased_nothing_is_in_the_index(mine, tenant, token, index, tidied, config, found):
    tenant.begin(token, CANARY, subject=CANARY)
    stays = tenant.begin(tenant.session(userId="u-lee"), "Parcel", subject="Parcel")
    index()
    assert left_of(mine, config)
    tenant.erase(tenant.known(userId="u-kim"))
    assert {id for id, _ in indexed(mine)} == {stays}
    tidied()
    assert not left_of(mine, config)
    index()
    assert found("parcel") == ["Parcel"]


def test_of_what_somebody_wrote_in_anothers_conversation_nothing_is_in_the_index(
    mine, tenant, index, tidied, config
):
    goes, stays = (tenant.known(userId=id) for id in ("u-goes", "u-stays"))
    thread = tenant.begin(tenant.session(userId="u-stays"), "Hello", subject="Parcel")
    merge = tenant.merge(goes, stays)
    tenant.write(thread, tenant.session(userId="u-goes"), CANARY)
    tenant.undo(merge)
    index()
    assert left_of(mine, config)
    tenant.erase(goes)
    assert indexed(mine) == [(thread, 0), (thread, 1)]
    tidied()
    assert not left_of(mine, config)


def test_a_merge_leaves_the_index_as_it_is(mine, tenant, token, parcel, index, found):
    index()
    before = indexed(mine)
    other = tenant.known(userId="u-other")
    merge = tenant.merge(other, tenant.known(userId="u-kim"))
    assert found("päckchen") == ["Parcel"]
    tenant.undo(merge)
    index()
    assert indexed(mine) == before


def test_of_an_app_that_is_deleted_nothing_is_in_the_index(store, mine, tenant, token, index, config):
    tenant.begin(token, CANARY)
    index()
    erase_app(store, tenant.id)
    assert indexed(mine) == []
    assert mine.search.progress() is None


def test_what_the_former_release_erased_leaves_the_index_when_it_is_tidied(
    mine, tenant, token, parcel, index, tidied
):
    if mine.database.is_sqlite:
        return
    index()
    for table, id in ((Messages, Messages.conversation), (Conversations, Conversations.id)):
        mine.database.change(table.delete().where((table.app == mine.app_id) & (id == parcel)))
    tidied()
    assert parcel not in {id for id, _ in indexed(mine)}
    assert indexed(mine)


def test_what_commits_late_is_followed(mine, tenant, token, parcel, index, found, config):
    """What is told earlier is followed, and yet nothing is missed of a transaction that began before."""
    if mine.database.is_sqlite:
        return
    index()
    late = Database(config.database_url, LONG)
    this = (Conversations.app == mine.app_id) & (Conversations.id == parcel)
    said = {"app": mine.app_id, "conversation": parcel, "created_at": 1}
    with late.transaction():
        late.change(Conversations.update(messages=2).where(this))
        late.change(
            Messages.insert(number=2, id="msg_late", side="agent", body=CANARY, verified=True, **said)
        )
        event = Event("evt_late", EventType.MESSAGE_CREATED, 1, "usr_1", parcel, "msg_late")
        EventStore(late, mine.app_id).add(event)
        tenant.begin(token, "Told earlier")
        while index_some(mine):
            pass
    late.close()
    assert found(CANARY) == ["Parcel"]
    index()
    assert (parcel, 2) in indexed(mine)
    assert found(CANARY) == ["Parcel"]
