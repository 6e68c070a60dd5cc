"""Purchase and restore: a store account shows that two IDs are one person, or changes hands."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import assert_never

from service.desk.editing import require_part
from service.desk.history import AuditLog
from service.desk.idempotency_keys import made_before, note_made
from service.desk.limits import Limits
from service.desk.merging import merge, present
from service.desk.proving import names, require_may_prove, require_proof
from service.desk.sessions import set_flag
from service.desk.transactions import one_transaction
from service.encryption import Encryption
from service.model.apps import App
from service.model.callers import Backend, EndUser
from service.model.errors import Conflict, NotFound, ProofInvalid, Refused
from service.model.events import EventType
from service.model.history import Event
from service.model.idempotency_keys import IdempotencyKey
from service.model.identifiers import digest
from service.model.logins import Resolution, Restored
from service.model.purchases import Purchase, StoreAccount
from service.model.sessions import Token
from service.model.users import User
from service.proofs import Proven
from service.rules.restoring import Act, decide, in_order, outcome, owner_is, shares
from service.rules.sessions import Asks
from service.rules.table import Rule
from service.store import AppStore
from service.store.engine.prepared import Question
from service.times import now


@dataclass(frozen=True)
class Bought:
    """A purchase that is told of: by product and transaction, with times in milliseconds."""

    product: str
    transaction: str
    purchased_at: int | None = None
    expires_at: int | None = None


@dataclass(frozen=True)
class RestoreRequest:
    """What a restore sends, or a purchase if something was ``bought``: a backend for which user, and perhaps
    on which device, and a session what shows that the account is theirs."""

    account: StoreAccount
    bought: Bought | None = None
    user_id: str | None = None
    device_id: str | None = field(default=None, repr=False)
    proof: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Claimant:
    """Who says that an account is theirs: the user, under whose ID they were called (``home``), whether
    they restore, and whether their device shares its account."""

    user: User
    home: str
    restores: bool
    shares: bool


def restore(
    store: AppStore,
    encryption: Encryption,
    caller: Backend | EndUser,
    request: RestoreRequest,
    limits: Limits,
    key: IdempotencyKey | None = None,
) -> Restored:
    """Make a store account the caller's: by a purchase under it, or by a restore.

    A session's word is no evidence, so it has a proof that names its user and the account. Raises NotFound
    for an unknown user ID, NotAllowed where the app's clients may not, Conflict where the account stays
    another's, ProofRequired, ProofInvalid and TooMany, and Refused for an idempotency key that was used for
    something else; a repeat is answered with the user as they are now.
    """
    match caller:
        case EndUser():
            require_may_prove(caller, Asks.STORE_ACCOUNT)
            if request.user_id is not None:
                raise Refused.member("userId", "agents-only", "This member goes with a secret key.")
            proven = require_proof(store, encryption, caller, request.account, request.proof, limits)
            find = partial(_own_user, store, caller, proven)
        case Backend():
            if request.proof is not None:
                raise Refused.member("proof", "sessions-only", "This member goes with a session token.")
            if request.user_id is None:
                raise Refused.member("userId", "required", "A backend says for whom.")
            find = partial(_user_of, store, request.user_id)
        case never:
            assert_never(never)
    return _restore(store, caller, find, request, key)


@one_transaction
def _restore(
    store: AppStore,
    caller: Backend | EndUser,
    find: Callable[[], tuple[User, str]],
    request: RestoreRequest,
    key: IdempotencyKey | None,
) -> Restored:
    # A backend is believed, and a session has a proof.
    app, actor = caller.app, replace(caller.actor, proven=True)
    log = AuditLog(store, actor, now())
    before = made_before(store, key, log.at)
    user, home = find()
    if before is not None:
        rule_name, because = json.loads(before)
        return Restored(with_purchases(store, user), Resolution(rule_name, because, ()))
    claimant = Claimant(user, home, request.bought is None, _shares(store, caller, user, request.device_id))
    rule, user = settle(store, app, request.account, claimant, log)
    if request.bought is not None:
        record(store, user, home, request.account, request.bought, log)
    note_made(store, key, json.dumps([rule.name, rule.because]), user.id, home)
    return Restored(with_purchases(store, user), Resolution(rule.name, rule.because, ()))


def settle(
    store: AppStore, app: App, account: StoreAccount, claimant: Claimant, log: AuditLog
) -> tuple[Rule[Act], User]:
    """Decide whose a store account is from now on in the claimant's world, and carry it out; return the rule,
    and whoever the claimant is then. Raises Conflict where it stays another's."""
    account = _known_to(claimant.user, account)
    store.purchases.lock(account)
    owner, brought_by = _owner(store, account) or (None, None)
    whose = owner_is(owner, claimant.user)
    rule = decide(owner=whose, restores=claimant.restores, shares=claimant.shares)
    match outcome(rule, app.settings.restore_behavior):
        case Act.CLAIM:
            _claim(store, account, claimant, log)
            if owner is not None:
                # What was bought under it is shown of another from now on.
                log.changed(owner.id)
                log.changed(claimant.user.id)
            return rule, claimant.user
        case Act.MERGE if owner is not None:
            return rule, _become_one(store, owner, brought_by, claimant, rule.name, log)
        case Act.NOTHING | Act.MERGE:
            return rule, claimant.user
        case Act.REFUSE:
            raise Conflict("store-account-taken", "the store account is another user's")
        case never:
            assert_never(never)


def _known_to(user: User, account: StoreAccount) -> StoreAccount:
    """Return which account a user means: that of their world."""
    return replace(account, verified=not user.is_unproven)


def _owner(store: AppStore, account: StoreAccount) -> tuple[User, str] | None:
    """Find whose an account is, and who brought it. Where a merge led it out of its world it waits there for
    nobody; and that of an anonymous user who was cleared is nobody's, as no end user is them again."""
    owner_id, home = store.purchases.owner(account) or ("", "")
    owner = store.users.with_id(owner_id)
    waits = owner is None or owner.cleared or owner.is_unproven is account.verified
    return None if owner is None or waits else (owner, home)


def record(
    store: AppStore, user: User, home: str, account: StoreAccount, bought: Bought, log: AuditLog
) -> None:
    """Write down what a user bought, or ``home`` who is part of them, unless the transaction is known."""
    at = log.at if bought.purchased_at is None else bought.purchased_at
    id = store.purchases.add(
        _known_to(user, account),
        product=bought.product,
        transaction=bought.transaction,
        purchased_at=at,
        expires_at=bought.expires_at,
    )
    if id is None:
        return
    log.note(home, Event.PURCHASE, after={"purchase": id, "product": bought.product})
    what = account.store, bought.product, bought.transaction, at, bought.expires_at
    purchase = Purchase(id, *what, claimed=user.is_unproven)
    log.tell(EventType.PURCHASE_RECORDED, user.id, user=user, purchase=purchase)


def _user_of(store: AppStore, user_id: str) -> tuple[User, str]:
    """Find whom a backend means, and the user to whom the ID was given. Raises NotFound."""
    for verified in (True, False):
        found = store.users.with_user_id_and_home(user_id, verified=verified)
        if found is not None:
            return found
    raise NotFound


def _own_user(store: AppStore, caller: EndUser, proven: Proven) -> tuple[User, str]:
    """Find whose a session is, and the user to whom the ID was given that the proof names.

    Raises InvalidCredential if they are gone, and ProofInvalid if the proof names them no more: a merge may
    have been undone since it was read.
    """
    user, home = present(store, caller), caller.session.home
    if proven.user_id is not None:
        found = store.users.with_user_id_and_home(proven.user_id, verified=True)
        owner, home = found or (None, home)
        if owner is None or owner.id != user.id:
            raise ProofInvalid
    elif not names(proven, user):
        raise ProofInvalid
    return user, home


def _shares(store: AppStore, caller: Backend | EndUser, user: User, device_id: str | None) -> bool:
    """Return whether the device shares its store account, if the call has one."""
    device = None
    if isinstance(caller, EndUser):
        device = store.devices.find(caller.session.device)
    elif device_id is not None:
        device = store.devices.find(digest(device_id))
    return shares(None if device is None else device.sharing, user)


def _claim(store: AppStore, account: StoreAccount, claimant: Claimant, log: AuditLog) -> None:
    store.users.lock(claimant.user, to_change=False)
    require_part(store, claimant.home, claimant.user)
    store.purchases.claim(account, claimant.user.id, claimant.home, log.at)
    log.compare(claimant.user.id)


def _become_one(
    store: AppStore,
    owner: User,
    brought_by: str | None,
    claimant: Claimant,
    rule: str,
    log: AuditLog,
) -> User:
    """Merge two users. Who goes becomes part of whoever the account shows them to be, and stands apart with
    them."""
    stays, goes = in_order(owner, claimant.user)
    home = claimant.home if stays is claimant.user else brought_by
    return merge(store, goes, stays, rule, log, home)[1]


@one_transaction
def allow_sharing(
    store: AppStore,
    caller: Backend | EndUser,
    device: str,
    allowed: bool,
    key: IdempotencyKey | None = None,
) -> bool:
    """Set whether a device, by its digest, shares its store account, and return it; as ``set_flag``."""
    set_flag(store, caller, device, lambda: store.devices.set_sharing((device,), allowed), key)
    return allowed


def purchases_ahead(store: AppStore, token: Token) -> Question:
    """Ask what ``with_purchases`` shows, of whoever's session has a token."""
    return store.purchases.shown_of_session(token)


def with_purchases(store: AppStore, user: User, found: tuple[Purchase, ...] | None = None) -> User:
    """Return a user with what was bought under their store accounts, and with what is claimed under an ID of
    theirs, the oldest first; with what was ``found`` of that, if it was asked ahead."""
    return replace(user, purchases=store.purchases.shown_of(user.id) if found is None else found)
