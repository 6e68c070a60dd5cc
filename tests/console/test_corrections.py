"""User IDs at the console: a preview, what was shown is done, and nothing else ever."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.console.conftest import Agent, field_of, held_by, require_words, text_of
from tests.support.cases import cases

SECOND = "u-kim-2"


@pytest.fixture
def kim(scene):
    return f"/console/users/{scene.kim}"


def preview_removal(agent, kim, user_id):
    return agent.post(f"{kim}/aliases/preview", userId=user_id)


def preview_correction(agent, kim, user_id, **fields):
    return agent.post(f"{kim}/user-id/preview", userId=user_id, **fields)


def confirm(agent, path, shown, **fields):
    sent = {name: field_of(shown, name) for name in ("userId", "fingerprint")}
    return agent.post(path, **sent | fields)


def may_be_confirmed(shown):
    return 'name="fingerprint"' in shown.text


def is_logged_in(tenant, token):
    return tenant.get("/v1/me", token).status_code == 200


# --- a preview ---------------------------------------------------------------------------------------


def test_a_users_page_leads_to_what_may_be_done_with_each_id(agent, tenant, scene, kim):
    tenant.alias(scene.kim, SECOND)
    shown = agent.get(kim)
    for user_id in ("u-kim", SECOND):
        assert f'aria-label="Take away {user_id} …"' in shown.text
    assert f'<a href="{kim}/user-id">Correct …</a>' in shown.text


@pytest.mark.parametrize("who", ["unclaimed", "anonymous"])
def test_who_has_no_user_id_of_their_own_is_given_one(agent, tenant, who):
    id = tenant.known(**({"email": "jane@example.org"} if who == "unclaimed" else {}))
    assert "Give a user ID …" in text_of(agent.get(f"/console/users/{id}"))
    asked = agent.get(f"/console/users/{id}/user-id")
    assert "Give a user ID to" in text_of(asked)
    assert 'name="keep"' not in asked.text
    shown = preview_correction(agent, f"/console/users/{id}", "u-1")
    require_words(shown, "first-user-id", "Give the ID")
    assert confirm(agent, f"/console/users/{id}/user-id", shown).status_code == 303
    assert tenant.user(id)["userId"] == "u-1"


def test_the_preview_says_what_it_would_do_to_take_an_id_away_and_changes_nothing(agent, tenant, scene, kim):
    tenant.alias(scene.kim, SECOND)
    tenant.session(userId=SECOND)
    before = tenant.get(f"/v1/users/{scene.kim}/export").json
    require_words(
        preview_removal(agent, kim, SECOND),
        "Nothing has changed yet.",
        f"{SECOND} taken away",
        "alias-removed",
        "The user is known by the primary ID as before.",
        "it is nobody's; the primary ID stays",
        "1 of 2 devices",
        f"Now User ID u-kim Further IDs {SECOND}",
        "Then User ID u-kim Further IDs none",
        "u-kim this user A user has this user ID, which outranks any email. known-user-id",
        f"{SECOND} a new user",
        "new-user-id",
        "kim@example.org this user",
        "known-email",
    )
    assert tenant.get(f"/v1/users/{scene.kim}/export").json == before


@cases(
    "fields, words",
    ("the old one goes", {}, ("user-id-corrected", "1 of 1 device:", "u-kim a new user")),
    ("the old one is kept", {"keep": "yes"}, ("user-id-renamed", "no device", "u-kim this user")),
)
def test_the_preview_says_what_a_correction_would_do_and_changes_nothing(
    agent, tenant, scene, kim, fields, words
):
    before = tenant.get(f"/v1/users/{scene.kim}/export").json
    shown = preview_correction(agent, kim, SECOND, **fields)
    require_words(shown, f"{SECOND} as the user ID", *words, f"Then User ID {SECOND}")
    assert tenant.get(f"/v1/users/{scene.kim}/export").json == before


def test_a_login_that_would_give_an_id_back_is_said_to(agent, kim):
    require_words(
        preview_removal(agent, kim, "u-kim"),
        "it is nobody's; the user is unclaimed",
        "u-kim and kim@example.org this user, who is given the ID",
        "attach-user-id",
    )


def test_a_login_that_no_device_can_make_is_said_to_be_refused(agent, tenant, scene, kim):
    visit = tenant.login()["user"]["userId"]
    tenant.alias(scene.kim, visit)
    require_words(preview_removal(agent, kim, visit), f"{visit} nobody: it is refused")


def test_of_a_user_whom_nobody_proved_the_logins_are_those_without_a_proof(agent, tenant, scene):
    tenant.known(userId="u-2")
    claimed = tenant.claimed("u-1")
    shown = preview_correction(agent, f"/console/users/{claimed}", "u-2")
    require_words(shown, "These are logins without a proof", "user-id-corrected", "u-2 this user")
    assert confirm(agent, f"/console/users/{claimed}/user-id", shown).status_code == 303
    assert tenant.user(claimed)["userId"] == "u-2"


def test_where_there_is_nothing_to_do_the_preview_says_so(agent, kim):
    shown = preview_correction(agent, kim, "u-kim")
    assert shown.status_code == 200
    require_words(shown, "There is nothing to do.", "id-is-primary")
    assert not may_be_confirmed(shown)


# --- what may not be ---------------------------------------------------------------------------------


@cases(
    "user_id, status, words",
    ("the last one", "u-lee", 409, "neither a user ID nor an email. nothing-left"),
    ("one that is not theirs", "u-kim", 404, "The user has no such ID. not-found"),
)
def test_an_id_that_may_not_be_taken_away_has_no_button(agent, tenant, scene, user_id, status, words):
    shown = preview_removal(agent, f"/console/users/{scene.lee}", user_id)
    assert (shown.status_code, may_be_confirmed(shown)) == (status, False)
    require_words(shown, "This cannot be done.", words)
    assert "Nothing has changed yet." not in text_of(shown)


def test_an_id_that_would_leave_a_second_unclaimed_user_has_no_button(agent, tenant, scene):
    tenant.known(email="lee@example.org")
    tenant.change(scene.lee, email="lee@example.org")
    shown = preview_removal(agent, f"/console/users/{scene.lee}", "u-lee")
    assert (shown.status_code, may_be_confirmed(shown)) == (409, False)
    require_words(shown, "An unclaimed user has the email that would be left. unclaimed-email")


def test_the_id_of_another_leads_to_them_and_has_no_button(agent, scene, kim):
    shown = preview_correction(agent, kim, "u-lee")
    assert (shown.status_code, may_be_confirmed(shown)) == (409, False)
    require_words(shown, "Another user has this user ID. alias-taken", "u-lee Lee")
    assert f'href="/console/users/{scene.lee}"' in shown.text


@pytest.mark.parametrize("path", ["user-id", "aliases"])
def test_what_is_refused_is_not_done_without_a_button_either(agent, tenant, scene, path):
    answer = agent.post(f"/console/users/{scene.lee}/{path}", userId="u-kim", fingerprint="")
    assert answer.status_code == (409 if path == "user-id" else 404)
    require_words(answer, "This cannot be done.")
    assert tenant.user(scene.lee)["userId"] == "u-lee"


@pytest.mark.parametrize("typed", ["", "null", "$anon:1", "a\u200bb", "x" * 751])
def test_what_is_no_user_id_is_asked_for_again_with_what_was_typed(agent, tenant, scene, kim, typed):
    answer = preview_correction(agent, kim, typed, keep="yes")
    assert answer.status_code == 422
    assert f'name="userId" value="{typed}"' in answer.text
    assert 'value="yes" checked' in answer.text
    assert 'role="alert"' in answer.text


def test_white_space_around_a_typed_id_is_none_of_it(agent, kim):
    assert field_of(preview_correction(agent, kim, f" {SECOND}\u200b "), "userId") == SECOND


@pytest.mark.parametrize("path", ["user-id", "aliases", "aliases/preview"])
def test_a_form_without_an_id_is_refused(agent, kim, path):
    assert agent.post(f"{kim}/{path}").status_code == 422


# --- what was shown is done --------------------------------------------------------------------------


def test_an_id_is_taken_away_as_it_was_shown(agent, tenant, scene, kim):
    tenant.alias(scene.kim, SECOND)
    under_it, other = tenant.session(userId=SECOND), tenant.session(userId="u-kim")
    answer = confirm(agent, f"{kim}/aliases", preview_removal(agent, kim, SECOND))
    require_words(
        agent.follow(answer), "The user ID was taken away.", f"The user ID “{SECOND}” was taken away."
    )
    assert tenant.user(scene.kim)["aliases"] == []
    assert [is_logged_in(tenant, token) for token in (under_it, other)] == [False, True]


@cases("fields, aliases", ("the old one goes", {}, []), ("the old one is kept", {"keep": "yes"}, ["u-kim"]))
def test_an_id_is_corrected_as_it_was_shown(agent, tenant, scene, kim, fields, aliases):
    shown = preview_correction(agent, kim, SECOND, **fields)
    kept = {"keep": field_of(shown, "keep")} if fields else {}
    answer = confirm(agent, f"{kim}/user-id", shown, **kept)
    require_words(agent.follow(answer), "The user ID was corrected.", f"was corrected to “{SECOND}”.")
    assert (tenant.user(scene.kim)["userId"], tenant.user(scene.kim)["aliases"]) == (SECOND, aliases)


@cases(
    "happen, different",
    ("another ID", lambda tenant, scene: tenant.alias(scene.kim, "u-3"), "the user’s IDs, where the next"),
    ("a login", lambda tenant, scene: tenant.login(userId="u-kim"), "who is logged out. Look"),
    (
        "a name",
        lambda tenant, scene: tenant.change(scene.kim, name="K"),
        "something else about the user. Look",
    ),
    ("the new ID", lambda tenant, scene: tenant.login(userId=SECOND), "the rule that decides"),
)
def test_what_changed_since_is_named_and_nothing_is_done(agent, tenant, scene, kim, happen, different):
    shown = preview_correction(agent, kim, SECOND)
    happen(tenant, scene)
    before = tenant.get(f"/v1/users/{scene.kim}/export").json
    answer = confirm(agent, f"{kim}/user-id", shown)
    assert answer.status_code == 409
    require_words(answer, "Nothing was changed, as something is no longer what you were shown:", different)
    assert tenant.get(f"/v1/users/{scene.kim}/export").json == before


def test_what_is_shown_again_can_be_confirmed(agent, tenant, scene, kim):
    shown = preview_correction(agent, kim, SECOND)
    assert tenant.correct_id(scene.kim, "u-3").status_code == 200
    again = confirm(agent, f"{kim}/user-id", shown)
    require_words(again, "Now User ID u-3", f"Then User ID {SECOND}")
    assert confirm(agent, f"{kim}/user-id", again).status_code == 303
    assert tenant.user(scene.kim)["userId"] == SECOND


def test_who_became_part_of_another_meanwhile_takes_no_id_of_theirs_along(agent, tenant, scene, kim):
    shown = preview_removal(agent, kim, "u-kim")
    tenant.merge(scene.kim, scene.lee)
    answer = confirm(agent, f"{kim}/aliases", shown)
    assert answer.status_code == 409
    require_words(answer, "Now User ID u-lee Further IDs u-kim")
    assert f'action="/console/users/{scene.lee}/aliases"' in answer.text
    assert tenant.user(scene.lee)["aliases"] == ["u-kim"]


@pytest.mark.parametrize("fingerprint", ["", "x", "é", "-"])
def test_without_a_preview_nothing_is_done(agent, tenant, scene, kim, fingerprint):
    answer = agent.post(f"{kim}/user-id", userId=SECOND, fingerprint=fingerprint)
    assert answer.status_code == 409
    assert may_be_confirmed(answer)
    assert tenant.user(scene.kim)["userId"] == "u-kim"


@pytest.mark.parametrize("sent", [{"userId": "u-3"}, {"keep": "yes"}], ids=["another ID", "another choice"])
def test_a_preview_of_something_else_confirms_nothing(agent, tenant, scene, kim, sent):
    answer = confirm(agent, f"{kim}/user-id", preview_correction(agent, kim, SECOND), **sent)
    assert answer.status_code == 409
    assert tenant.user(scene.kim)["userId"] == "u-kim"


def test_of_several_who_confirm_at_once_one_does_it(app, agent, tenant, scene, kim):
    shown = preview_correction(agent, kim, SECOND)
    others = [Agent(app.test_client(), agent.token) for _ in range(4)]
    for other in others:
        other.client.set_cookie("usher_console", held_by(agent), path="/console")
    with ThreadPoolExecutor(len(others)) as threads:
        answers = list(threads.map(lambda other: confirm(other, f"{kim}/user-id", shown), others))
    # For whoever comes second there is nothing to do any more.
    assert sorted(answer.status_code for answer in answers) == [303, 409, 409, 409]
    events = [entry["event"] for entry in tenant.history(scene.kim)]
    assert events.count("user-id-changed") == 1
