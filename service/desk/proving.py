"""Read and check what is sent as a proof, and believe as far as the rules say.

The rules are those of ``rules/believing.py``, ``rules/covering.py`` and ``rules/sessions.py``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, assert_never

from service import proofs
from service.desk.limits import Limits
from service.desk.transactions import one_transaction
from service.encryption import Encryption
from service.logs import get_logger
from service.model import identifiers
from service.model.apps import Key, ProofKind
from service.model.attributes import Said, attributes_or_why_not
from service.model.callers import Backend, EndUser, Widget
from service.model.errors import FieldError, NotAllowed, ProofInvalid, ProofRequired, Refused, pointer_to
from service.model.identifiers import Malformed, email_key
from service.model.logins import LoginRequest
from service.model.purchases import StoreAccount
from service.model.users import Claim, User
from service.proofs import Proven
from service.rules import believing, covering, sessions
from service.rules.believing import Act, Proof, Says
from service.rules.covering import Form, Member, Take, Tell
from service.rules.sessions import Allow, Asks, Show
from service.store import AppStore
from service.store.engine.prepared import Question
from service.times import MINUTE, now

# Keys, with what is kept of them under our own.
Secrets = tuple[tuple[Key, str], ...]
# What is believed of a claim, and what is left out of it, as it can't be used.
Believed = tuple[Claim, tuple[FieldError, ...]]


def believe(
    store: AppStore, encryption: Encryption, caller: Backend | Widget, request: LoginRequest, limits: Limits
) -> tuple[Claim, bool, tuple[FieldError, ...]]:
    """Return the claim as far as it is believed, whether it is verified, and what is left out of it.

    Raises ProofRequired and ProofInvalid, Refused for an identifier that is none where nothing else says who
    it is, and TooMany.
    """
    rule = believing.decide(
        believing.Caller.BACKEND if isinstance(caller, Backend) else believing.Caller.WIDGET,
        _says(request),
        _form(request.proof),
        caller.app.settings.identity_verification,
    )
    match rule.then:
        case Act.PROVE:
            claim, ignored = _proven(store, encryption, caller, request, limits)
            return claim, True, ignored
        case Act.BELIEVE:
            return request.claim, True, request.ignored
        case Act.CLAIM | Act.ANONYMOUS:
            # Of whoever proves nothing there is nothing else to be believed.
            nothing, left_out = _described(request.claim.attributes, {}, is_backend=False)
            return replace(request.claim, attributes=nothing), False, request.ignored + left_out
        case Act.REFUSE:
            raise Refused(*request.ignored)
        case Act.REQUIRE:
            raise ProofRequired
        case never:
            assert_never(never)


def asked_ahead(store: AppStore, limits: Limits) -> tuple[Question, Question]:
    """Ask for what a proof is checked against: the app's identity secrets, and how many have failed."""
    return store.keys.asked_identity_secrets(), limits.asked_failures()


def require_may_prove(caller: EndUser, asks: Asks) -> None:
    """Raise NotAllowed unless a session may ask for this with a proof."""
    rule = sessions.allow(
        asks, unproven=caller.user.is_unproven, purchases=caller.app.settings.client_purchases
    )
    if rule.then is Allow.REFUSE:
        raise NotAllowed


def require_proof(
    store: AppStore,
    encryption: Encryption,
    caller: EndUser,
    of: str | StoreAccount,
    proof: str | None,
    limits: Limits,
) -> Proven:
    """Return what a proof says that shows that a user ID or a store account is the session's.

    Raises ProofRequired and ProofInvalid; TooMany as ``believe``.
    """
    user = caller.user
    # Beside a proof of an account nothing is claimed, and its failure counts as one to show who it is.
    claim = Claim(of) if isinstance(of, str) else Claim()
    counted = claim if isinstance(of, str) else Claim(user.user_id, user.email)
    request = LoginRequest(claim, None, proof)
    match sessions.show(Asks.ALIAS if isinstance(of, str) else Asks.STORE_ACCOUNT, _form(proof)).then:
        case Show.REQUIRE:
            raise ProofRequired
        case Show.REFUSE:
            limits.require_few_failures()
            limits.count_failure(counted)
            raise ProofInvalid
        case Show.USER_ID:
            with _failures_counted(limits, counted):
                proven, key = _check(store, encryption, request)
                _taken_from(proven, request, is_backend=False)
        case Show.STORE_ACCOUNT:
            with _failures_counted(limits, counted):
                proven, key = _check(store, encryption, request)
                if not names(proven, user) or _account_of(proven) != of:
                    raise ProofInvalid
        case never:
            assert_never(never)
    _note_use(store, key)
    return proven


def names(proven: Proven, user: User) -> bool:
    """Return whether a proof names a user: by one of their user IDs, or by their email if they have none."""
    if user.user_id is not None:
        return proven.user_id in user.user_ids
    try:
        email = identifiers.email(identifiers.json_string(proven.email))
    except Malformed:
        return False
    is_theirs = email is not None and email_key(email) == email_key(user.email or "")
    return is_theirs and proven.user_id is None


def _account_of(proven: Proven) -> StoreAccount | None:
    """Read the store account that a proof names, if it names one and says nothing else of it."""
    said = proven.store_account
    if not isinstance(said, dict) or said.keys() != {"store", "account"}:
        return None
    try:
        texts = {name: identifiers.store_text(identifiers.json_string(said[name])) for name in said}
    except Malformed:
        return None
    return StoreAccount(texts["store"], texts["account"])


def _says(request: LoginRequest) -> Says:
    if request.claim.names_somebody:
        return Says.AN_IDENTITY
    return Says.NOTHING_USABLE if request.ignored else Says.NOBODY


def _form(proof: str | None) -> Proof:
    if proof is None:
        return Proof.NONE
    return Proof.JWT if proofs.is_jwt(proof) else Proof.HMAC


def _proven(
    store: AppStore, encryption: Encryption, caller: Backend | Widget, request: LoginRequest, limits: Limits
) -> Believed:
    secrets, failures = (isinstance(caller, Widget) and caller.ahead) or (None, None)
    with _failures_counted(limits, request.claim, failures):
        proven, key = _check(store, encryption, request, secrets)
        believed = _taken_from(proven, request, is_backend=isinstance(caller, Backend))
    _note_use(store, key)
    return believed


@contextmanager
def _failures_counted(limits: Limits, claim: Claim, failures: int | None = None) -> Iterator[None]:
    """Count a proof that fails to show who is claimed. Raises TooMany where too many did."""
    limits.require_few_failures(failures)
    try:
        yield
    except ProofInvalid:
        limits.count_failure(claim)
        raise


def _check(
    store: AppStore, encryption: Encryption, request: LoginRequest, secrets: Secrets | None = None
) -> tuple[Proven, Key]:
    """Read the proof with every live secret of the app that proves in this way; return what it says, and
    which one it was."""
    proof = request.proof or ""
    form = Form.JWT if proofs.is_jwt(proof) else Form.HMAC
    of_user_id = request.claim.user_id is not None
    opened = (
        (key, encryption.decrypt(sealed))
        for key, sealed in (store.keys.identity_secrets() if secrets is None else secrets)
        if key.proof is not None and covering.may_have_made(key.proof, form, of_user_id=of_user_id)
    )
    keys = {secret: key for key, secret in opened if secret is not None}
    if form is Form.JWT:
        proven, secret = proofs.read_jwt(proof, tuple(keys), store.app_id, now() // 1000)
    else:
        proven, secret = proofs.read_hmac(proof, tuple(keys), request.claim.user_id, request.email_as_sent)
    return proven, keys[secret]


def _note_use(store: AppStore, key: Key) -> None:
    """Note when a key proves something, once a minute."""
    at = now()
    if (key.last_used_at or 0) >= at - MINUTE:
        return
    if key.proof is ProofKind.BOTH:
        get_logger().warning("identity key proves in both ways: rotate it", app=store.app_id, key=key.id)
    _note(store, key.id, at)


@one_transaction
def _note(store: AppStore, key: str, at: int) -> None:
    store.keys.touch(key, at)


def _taken_from(proven: Proven, request: LoginRequest, *, is_backend: bool) -> Believed:
    """Take the identity from a proof, and of what stands beside it what is believed.

    Raises ProofInvalid for a proof of another or of nobody, and Refused for an identifier that is none.
    """
    claim, ignored = request.claim, list(request.ignored)
    try:
        user_id = None if proven.user_id is None else identifiers.user_id(proven.user_id)
        email = _usable("email", proven.email, identifiers.email, ignored if user_id is not None else None)
        name = _usable("name", proven.name, identifiers.name, ignored)
        said = _usable_attributes(proven.attributes, ignored)
    except Malformed as malformed:
        raise Refused.member("proof", malformed.code, malformed.detail) from None
    if user_id is None and email is None:
        raise ProofInvalid

    def taken(member: Member, said: str | None, beside: str | None) -> str | None:
        form = Form.JWT if proven.covers_all else Form.HMAC
        match covering.cover(member, said, beside, form=form, by_backend=is_backend).then:
            case Take.PROVEN:
                return said
            case Take.SENT:
                return beside
            case Take.REFUSE:
                raise ProofInvalid
            case never:
                assert_never(never)

    attributes, left_out = _described(claim.attributes, said, is_backend=is_backend)
    believed = Claim(
        taken(Member.USER_ID, user_id, claim.user_id),
        taken(Member.EMAIL, email, claim.email),
        taken(Member.NAME, name, claim.name),
        attributes,
    )
    return believed, tuple(ignored) + left_out


def _described(sent: Said, proven: Said, *, is_backend: bool) -> tuple[Said, tuple[FieldError, ...]]:
    """Return which attributes are believed, of those that a proof says and those that were sent; and which of
    these were left out."""
    believed, left_out = dict(proven), []
    for name in {**sent, **proven}:
        match covering.describe(name, proven, sent, by_backend=is_backend).then:
            case Tell.PROVEN:
                continue
            case Tell.SENT:
                believed[name] = sent[name]
            case Tell.LEAVE_OUT:
                detail = "Neither the backend nor a proof says it."
                left_out.append(FieldError(pointer_to("/attributes", name), "not-proven", detail))
            case never:
                assert_never(never)
    return believed, tuple(left_out)


def _usable_attributes(members: Any, ignored: list[FieldError]) -> Said:
    """Read the attributes of a proof, as ``_usable`` does a name."""
    said, unusable = attributes_or_why_not(members)
    ignored += [error for error in unusable if error not in ignored]
    return said


def _usable(
    member: str, value: Any, parse: Callable[[str], str | None], ignored: list[FieldError] | None
) -> str | None:
    """Read an email or a name of a proof. What can't be used is left out, and added to ``ignored`` as that
    member of a body is; without that list this raises Malformed."""
    try:
        return None if value is None else parse(identifiers.json_string(value))
    except Malformed as malformed:
        if ignored is None:
            raise
        error = FieldError(f"/{member}", malformed.code, malformed.detail)
        if error not in ignored:
            ignored.append(error)
        return None
