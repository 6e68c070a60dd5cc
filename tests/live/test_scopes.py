"""Who is told that a conversation has news: whoever sees it, and nobody else."""

import pytest

from service.model.conversations import Scope, Side
from service.model.identifiers import digest


def test_a_user_and_agents_are_told_and_nobody_else(streams, agent, tenant, other_tenant):
    token = tenant.session(userId="jane")
    jane, bob = streams.follow(token), streams.follow(tenant.session(userId="bob"))
    stranger, other = streams.follow(other_tenant.session(userId="jane")), streams.follow(other_tenant.sk)

    conversation = tenant.begin(token)
    jane.wait_told(conversation)
    agent.wait_told(conversation)

    theirs = other_tenant.begin(other_tenant.session(userId="jim"))
    other.wait_told(theirs)
    own = tenant.begin(tenant.session(userId="bob", deviceId="d" * 20))
    bob.wait_told(own)
    # What is committed in the midst of a reading may be told twice.
    assert [set(one.told) for one in (bob, other, stranger)] == [{own}, {theirs}, set()]
    assert set(jane.told) == {conversation}


CHANGES = {
    "a user's message": lambda tenant, token, id: tenant.write(id, token),
    "an agent's message": lambda tenant, _, id: tenant.write(id),
    "it is resolved": lambda tenant, token, id: patch(tenant, token, id, "resolved"),
    "it is reopened": lambda tenant, token, id: [
        patch(tenant, token, id, status) for status in ("resolved", "open")
    ],
}


def patch(tenant, token, id, status):
    assert tenant.call("PATCH", f"/v1/conversations/{id}", token, {"status": status}).status_code == 200


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_in_a_conversation_is_news(streams, agent, tenant, change):
    token = tenant.session(userId="jane")
    conversation = tenant.begin(token)
    jane = streams.follow(token)
    jane.told.clear()
    change(tenant, token, conversation)
    jane.wait_told(conversation)
    agent.wait_told(conversation)


def test_each_device_of_a_user_is_told_unless_conversations_stay_on_theirs(streams, agent, tenant, untold):
    phone, laptop = (tenant.session(userId="jane", deviceId=device * 20) for device in "pl")
    on_phone, on_laptop = streams.follow(phone), streams.follow(laptop)
    conversation = tenant.begin(phone)
    on_phone.wait_told(conversation)
    on_laptop.wait_told(conversation)

    # Of a running stream too it is the setting of now that counts.
    tenant.set(conversationScope="device")
    untold(conversation, on_laptop)

    from_agent = tenant.begin(tenant.sk, user=tenant.known(userId="jane", deviceId="q" * 20))
    on_phone.wait_told(from_agent)
    on_laptop.wait_told(from_agent)


def test_who_proved_nothing_is_told_of_what_began_on_their_own_device(streams, tenant, untold):
    tenant.set(identityVerification="off")
    one, other = (tenant.try_login(key=tenant.pk, userId="jane").json["session"]["token"] for _ in range(2))
    first, second = streams.follow(one), streams.follow(other)

    conversation = tenant.begin(one)

    first.wait_told(conversation)
    untold(conversation, second)
    assert second.told == []


def test_whoever_became_one_is_told_what_was_another_s_and_whoever_stands_apart_is_not(
    streams, tenant, untold
):
    jane, bob = tenant.known(userId="jane"), tenant.known(userId="bob")
    token = tenant.session(userId="jane")
    of_bob = tenant.begin(tenant.session(userId="bob"))
    merge = tenant.merge(bob, jane)
    follower = streams.follow(token)

    tenant.write(of_bob)
    follower.wait_told(of_bob)

    tenant.undo(merge)
    follower.wait_over()
    untold(of_bob, streams.follow(tenant.session(userId="jane")))


def test_whose_conversations_are_others_by_now_has_to_read_all_anew(streams, tenant):
    jane, bob = tenant.known(userId="jane"), tenant.known(userId="bob")
    bystander = streams.follow(tenant.session(userId="jim"))
    follower = streams.follow(tenant.session(userId="jane"))

    merge = tenant.merge(bob, jane)
    follower.wait_over()

    follower = streams.follow(tenant.session(userId="jane"))
    tenant.undo(merge)
    follower.wait_over()
    assert not bystander.over.is_set()


def test_several_streams_of_one_credential_are_told(streams, tenant):
    token = tenant.session(userId="jane")
    tabs = [streams.follow(token) for _ in range(3)]
    conversation = tenant.begin(token)
    for tab in tabs:
        tab.wait_told(conversation)


PHONE, LAPTOP = "p" * 20, "l" * 20


@pytest.mark.parametrize("of_user", [False, True], ids=["anybody's", "a user's"])
@pytest.mark.parametrize("device", [None, PHONE, LAPTOP], ids=["any device", "phone", "laptop"])
@pytest.mark.parametrize("and_agents", [False, True], ids=["users began", "anybody began"])
def test_a_scope_holds_what_the_store_finds_by_it(tenant, store, of_user, device, and_agents):
    on_phone, of_another = tenant.session(userId="jane", deviceId=PHONE), tenant.session(userId="bob")
    jane, bob = tenant.known(userId="jane"), tenant.known(userId="bob")
    begun = {
        tenant.begin(on_phone): (jane, digest(PHONE)),
        tenant.begin(tenant.sk, user=jane): (jane, None),
        tenant.begin(of_another, message="Hi"): (bob, "another"),
    }
    scope = Scope(Side.USER, jane if of_user else None, device and digest(device), and_agents)

    found = store.of(tenant.id).conversations.page(scope, None, None, 100)

    assert {one.id for one in found} == {id for id, place in begun.items() if scope.includes(*place)}
