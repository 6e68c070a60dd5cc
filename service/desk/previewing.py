"""What a correction of user IDs would do, without a correction; and the correction that was previewed.

Where the next logins lead is asked of the rules that decide them, about the user as they will be.
"""

from collections.abc import Iterator

from service.desk.correcting import REFUSALS, Decided, carry_out, decide, show_and_lock
from service.desk.fingerprints import Parts, fingerprint
from service.desk.transactions import one_transaction
from service.model.callers import Backend
from service.model.corrections import Change, NextLogin, Preview
from service.model.identifiers import Malformed
from service.model.identifiers import user_id as parse_user_id
from service.model.sessions import Session
from service.model.users import Claim, User
from service.rules import login
from service.rules.correcting import outcome
from service.rules.login import Create, Evidence
from service.store import AppStore
from service.times import now


@one_transaction
def preview_correction(store: AppStore, caller: Backend, id: str, change: Change) -> Preview:
    """Return what a change of a user's IDs would do; change nothing. Raises NotFound."""
    user = show_and_lock(store, id, to_change=False)
    return _preview(store, caller, user, change, decide(store, user, change))


@one_transaction
def correct_as_previewed(
    store: AppStore, caller: Backend, id: str, change: Change, seen: str
) -> tuple[Preview, bool]:
    """Change a user's IDs if that does what somebody has seen that it would; return what it does, and whether
    it was done.

    ``seen`` is the fingerprint of that. Raises NotFound.
    """
    user = show_and_lock(store, id, to_change=True)
    rule = decide(store, user, change)
    preview = _preview(store, caller, user, change, rule)
    if preview.refusal is not None or fingerprint(parts_of(preview)) != seen:
        return preview, False
    carry_out(store, caller.actor, user.id, user, change, rule)
    return preview, True


def parts_of(preview: Preview) -> Parts:
    """Return what a preview shows, by parts; the last one is what else may have changed about the user."""
    return {
        "ids": (preview.user.user_ids, preview.after.user_ids),
        "rule": (preview.rule, preview.refusal),
        "sessions": preview.devices,
        "logins": tuple(
            (one.user_id, one.email, one.rule, one.user and one.user.id) for one in preview.logins
        ),
        "user": (preview.user.id, preview.user.version),
    }


def _preview(store: AppStore, caller: Backend, user: User, change: Change, rule: Decided) -> Preview:
    after, gone = outcome(user, change, rule.then)
    ending: tuple[Session, ...] = ()
    if gone is not None:
        ending = store.sessions.of_user_id(user.id, store.users.home_of(user, gone), gone)
    return Preview(
        user,
        after,
        rule.name,
        rule.because,
        str(rule.then),
        REFUSALS.get(rule.then),
        devices=tuple(session.device for session in ending),
        logged_out=_living(ending, caller),
        logged_in=_living(store.sessions.of_user(user.id), caller),
        logins=tuple(_next_logins(store, user, after, change)),
    )


def _living(sessions: tuple[Session, ...], caller: Backend) -> int:
    at = now()
    return sum(session.expires_at(caller.app.settings) > at for session in sessions)


def _next_logins(store: AppStore, user: User, after: User, change: Change) -> Iterator[NextLogin]:
    """Explain a login under each ID that the user has or had, or is to have, and under each email. One that
    gives both is a case of its own only where another rule decides it."""
    having = {email: _having_email(store, after, email) for email in after.emails}
    for user_id in dict.fromkeys((*user.user_ids[:1], change.user_id, *user.user_ids)):
        try:
            parse_user_id(user_id)
        except Malformed as malformed:
            yield NextLogin(user_id, None, None, malformed.detail, None, None)
            continue
        owner = _owner(store, user, after, user_id)
        alone = _next_login(Claim(user_id), Evidence(owner))
        both = [
            _next_login(Claim(user_id, email), Evidence(owner, sharing)) for email, sharing in having.items()
        ]
        yield alone
        yield from (one for one in both if one.rule != alone.rule)
    for email, sharing in having.items():
        yield _next_login(Claim(None, email), Evidence(by_email=sharing))


def _owner(store: AppStore, user: User, after: User, user_id: str) -> User | None:
    """Return who has an ID after the change."""
    if user_id in after.user_ids:
        return after
    if user_id in user.user_ids:
        return None
    return store.users.with_user_id(user_id, verified=not user.is_unproven)


def _having_email(store: AppStore, after: User, email: str) -> tuple[User, ...]:
    """Return who has an email of a user's after the change, as the store does: the unclaimed one first, and
    of the others enough to know whether they share it."""
    having = store.users.with_email(email, verified=after.verified)
    everyone = (after, *(other for other in having if other.id != after.id))
    return tuple(sorted(everyone, key=lambda one: one.user_id is not None))


def _next_login(claim: Claim, evidence: Evidence) -> NextLogin:
    decision = login.decide(claim, evidence)
    plan = decision.plan
    whom = None if isinstance(plan, Create) else plan.user
    rule = decision.rule
    return NextLogin(claim.user_id, claim.email, rule.name, rule.because, login.kind_of(plan), whom)
