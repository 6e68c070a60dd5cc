"""What was said at another desk is told to whom it was said, and its agents' notes are not."""

import json

import pytest

from service.model.conversations import Side
from tests.moving.test_records import EXAMPLES, entries
from tests.moving.test_sourcing import counted, rules_in, take
from tests.support.cases import cases

__all__ = ["take"]

QUESTION = {"id": 1, "content": "Where is it?", "message_type": 0}
SENDER = {"id": 9101, "identifier": "u-17"}
TALK = {"id": 9201, "status": "open", "meta": {"sender": SENDER}, "messages": [QUESTION]}

PROFILE = "shop_profile_20240201100000000-9101"


def issue(*messages, **members):
    """Return an issue of Helpshift's, whose messages are from these sides, each of a writer of that name."""
    said = [
        {"body": "Hello", "author": {"id": side, "name": side, "emails": [f"{side}@example.org"]}}
        | ({"origin": side} if side in ("end-user", "helpshift") else {})
        for side in messages
    ]
    return {"id": 1, "state_data": {"state": "new"}, "messages": said} | members


def spoken(said, source):
    found = [entry.spoken for entry in entries(said, source) if entry.spoken]
    assert len(found) == 1
    return found[0]


def lines(*said):
    return "".join(f"{json.dumps(one)}\n" for one in said)


def talks(tenant, user_id):
    """Return the messages of each conversation of a user, as they see them."""
    session = tenant.session(userId=user_id)
    return [
        [(one["author"]["kind"], one["author"]["name"], one["body"]) for one in tenant.messages(id, session)]
        for id in tenant.conversations(session)
    ]


@cases(
    "name, owner, question, agent, left",
    ("Chatwoot", "chatwoot", "9101", "Where is it?", "Ann", 2),
    ("Intercom", "intercom", "9101", "Where is it?\nIt is late.", "Ann", 2),
    ("Zendesk", "zendesk", "9101", "Where is it?", None, 1),
    ("Helpshift", "helpshift", PROFILE, 'Where is it?\nIt is "late".', "Ann", 0),
)
def test_a_conversation_is_the_same_wherever_it_comes_from(name, owner, question, agent, left):
    found = spoken((EXAMPLES / f"{name}.jsonl").read_bytes(), name)

    conversation, messages = found.transcript.conversation, found.transcript.messages
    assert (found.owner_id, found.left) == (owner, left)
    assert (conversation.subject, conversation.status.value) == ("My order", "resolved")
    assert [(one.author.kind, one.author.name, one.body) for one in messages] == [
        (Side.USER, None, question),
        (Side.AGENT, agent, "On its way."),
    ]
    assert conversation.created_at == messages[0].created_at == 1706781700000
    assert conversation.updated_at == messages[1].created_at == 1706781900000


@cases(
    "contacts, owner",
    ("nobody", [], ""),
    ("a group", [{"id": "1", "external_id": "u-1"}, {"id": "2", "external_id": "u-2"}], "1"),
)
def test_a_conversation_is_that_of_who_began_it(contacts, owner):
    said = {"id": "9", "contacts": {"contacts": contacts}, "conversation_parts": {"conversation_parts": []}}

    assert spoken(lines(said), "intercom").owner_id == owner


def test_two_accounts_of_a_desk_may_call_two_conversations_alike():
    ids = {
        spoken(lines(TALK | {"created_at": at}), "chatwoot").transcript.conversation.id
        for at in (1706781700, 1706781701)
    }

    assert len(ids) == 2


def test_a_conversation_without_times_was_when_it_was_read_and_a_bare_one_is_nobodys():
    found = spoken(lines({"id": 1, "messages": [17]}), "chatwoot")

    assert found.transcript.conversation.created_at > 1706781700000
    assert (found.owner, found.transcript.messages) == ({}, ())


@cases(
    "said, owner_id, names, sides",
    ("by its profile", issue("end-user", hs_user_id="end-user"), "end-user", True, "u"),
    ("by another one", issue("end-user", hs_user_id="p-1"), "p-1", False, "u"),
    ("an agent began it", issue("helpshift", "end-user"), "end-user", True, "au"),
    ("an agent alone", issue("helpshift"), "", False, "a"),
    ("no side is told", issue("jane", "ann", "jane"), "jane", False, "uau"),
    ("nothing was said", issue(), "", False, ""),
)
def test_an_issue_is_that_of_its_profile_or_its_first_user(said, owner_id, names, sides):
    found = spoken(lines(said), "helpshift")

    assert (found.owner_id, bool(found.owner)) == (owner_id, names)
    assert "".join(one.author.kind.value[0] for one in found.transcript.messages) == sides


def test_an_issue_of_whom_an_email_alone_is_known_makes_nobody_unless_emails_are_trusted(tenant, take):
    text = lines(issue("helpshift", "end-user"))

    _, said = take(text, source="helpshift")
    assert (rules_in(said), tenant.find(email="end-user@example.org")) == ({"no-owner": 1}, [])

    take(text, "--trust-emails", source="helpshift")
    assert len(tenant.find(email="end-user@example.org")) == 1
    assert tenant.find(email="helpshift@example.org") == []


def test_a_user_reads_what_was_said_and_goes_on(shop, tenant, take):
    text = (EXAMPLES / "chatwoot.jsonl").read_bytes()
    take(text, source="chatwoot")

    assert talks(tenant, "u-17") == [[("user", "Jane Doe", "Where is it?"), ("agent", "Ann", "On its way.")]]
    session = tenant.session(userId="u-17")
    (conversation,) = tenant.conversations(session)
    said = tenant.call("POST", f"/v1/conversations/{conversation}/messages", session, {"body": "Thanks"})
    assert said.status_code == 201
    _, again = take(text, source="chatwoot")
    assert "        1 conversations, 0 of them new" in counted(again)
    assert len(talks(tenant, "u-17")[0]) == 3
    assert shop.run("check")[0] == 0


@cases(
    "said, verified",
    ("an HMAC", {"hmac_verified": True}, [True, True]),
    ("no HMAC", {"hmac_verified": False}, [False, True]),
    ("nothing of it", {}, [True, True]),
)
def test_what_somebody_wrote_of_whom_the_desk_had_no_proof_is_not_verified(tenant, take, said, verified):
    answer = {"id": 2, "content": "On its way.", "message_type": 1}
    talk = TALK | {"meta": {"sender": SENDER} | said, "messages": [QUESTION, answer]}

    take(lines(talk), source="chatwoot")

    (conversation,) = tenant.conversations(tenant.session(userId="u-17"))
    assert [one["verified"] for one in tenant.messages(conversation, tenant.sk)] == verified


@pytest.mark.parametrize("dry", [("--dry-run",), ()], ids=["trial", "import"])
def test_a_conversation_may_tell_itself_whose_it_is(tenant, take, dry):
    unproven = TALK | {"id": 9202, "meta": {"sender": {"id": 9102, "email": "bob@example.org"}}}
    silent = TALK | {"id": 9203, "messages": []}

    twice = TALK, unproven, silent, TALK | {"id": 9204}, TALK
    _, said = take(lines(*twice), *dry, source="chatwoot")

    assert rules_in(said) == {"new-user-id": (1, 1, 0), "no-owner": 1, "nothing-said": 1}
    assert "        3 conversations, 2 of them new" in counted(said)
    assert tenant.find(userId="u-17") == [] if dry else len(talks(tenant, "u-17")) == 2


def test_a_conversation_of_whoever_was_left_out_makes_nobody(tenant, take):
    agent = {"id": 9104, "name": "Ann", "email": "ann@example.org", "role": "agent"}
    requester = {"id": 9104, "email": "ann@example.org"}
    ticket = {"id": 1, "requester": requester, "comments": [{"id": 2, "body": "Hello", "author_id": 9104}]}

    _, said = take(lines(ticket, agent), "--trust-emails", source="zendesk")

    assert rules_in(said) == {"agent": 1, "no-owner": 1}
    assert tenant.find(email="ann@example.org") == []


def test_a_conversation_of_somebody_who_is_one_with_another_is_read_by_both(shop, tenant, take):
    merge = tenant.merge(tenant.known(userId="u-17"), tenant.known(userId="u-1"))

    take(lines(TALK), source="chatwoot")

    assert len(talks(tenant, "u-1")) == 1
    tenant.undo(merge)
    assert shop.run("check")[0] == 0
