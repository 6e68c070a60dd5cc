"""Store accounts, each of which belongs to one user of its world at a time, and what was bought there."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from service.model.identifiers import new_id
from service.model.purchases import Purchase, StoreAccount
from service.model.sessions import Token
from service.store.database import Database
from service.store.devices import user_of_session
from service.store.engine.prepared import Prepared, Question, Rows
from service.store.forgetting import some
from service.store.tables import Purchases, StoreAccounts, UserIds, Users
from service.store.users import proven


class PurchaseStore:
    """The store accounts and purchases of an app."""

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self._app = app

    def owner(self, account: StoreAccount) -> tuple[str, str] | None:
        """Return whose an account is, and who brought it, who may be part of them, by our ids."""
        row = self._database.row(
            StoreAccounts.select(StoreAccounts.user, StoreAccounts.home).where(
                (StoreAccounts.app == self._app) & (StoreAccounts.digest == _digest(account))
            )
        )
        return (row[0], row[1]) if row else None

    def lock(self, account: StoreAccount) -> None:
        """Keep others from deciding by an account until the transaction ends."""
        self._database.lock(self._app, f"store account {_digest(account)}")

    def claim(self, account: StoreAccount, user: str, home: str, at: int) -> None:
        """Make an account a user's, whosever it was."""
        fields: dict[Any, Any] = {
            StoreAccounts.user: user,
            StoreAccounts.home: home,
            StoreAccounts.claimed_at: at,
        }
        self._database.change(
            StoreAccounts.insert(
                app=self._app,
                digest=_digest(account),
                verified=account.verified,
                user=user,
                home=home,
                store=account.store,
                account=account.account,
                claimed_at=at,
            ).on_conflict(
                conflict_target=[StoreAccounts.app, StoreAccounts.digest],
                update=fields,
            )
        )

    def add(
        self,
        account: StoreAccount,
        *,
        product: str,
        transaction: str,
        purchased_at: int,
        expires_at: int | None,
    ) -> str | None:
        """Add a purchase under an account, and return its id; None if that transaction is known."""
        row = self._database.row(
            Purchases.insert(
                app=self._app,
                account=_digest(account),
                digest=hashlib.sha256(transaction.encode()).hexdigest(),
                id=new_id("pur"),
                product=product,
                transaction=transaction,
                purchased_at=purchased_at,
                expires_at=expires_at,
            )
            .on_conflict_ignore()
            .returning(Purchases.id)
        )
        return row[0] if row else None

    def of_user(self, user: str) -> tuple[Purchase, ...]:
        """Return what was bought under a user's accounts, the oldest first."""
        return _as_purchases(self._database.rows(_of_user(self._app, user)))

    def shown_of(self, user: str) -> tuple[Purchase, ...]:
        """As ``of_user``, with what was bought by whoever claims in the unproven world to have a user ID of
        theirs."""
        return _as_purchases(self._database.rows(_shown_of(self._app, user)))

    def shown_of_session(self, token: Token) -> Question:
        """As ``shown_of``, for whoever's session has a token."""
        return Question(_shown_of_session(self._app, *token), _as_purchases)

    def accounts(self, user: str) -> tuple[StoreAccount, ...]:
        """Return a user's accounts, the oldest first."""
        rows = self._database.rows(
            StoreAccounts.select(StoreAccounts.store, StoreAccounts.account, StoreAccounts.verified)
            .where((StoreAccounts.app == self._app) & (StoreAccounts.user == user))
            .order_by(StoreAccounts.claimed_at, StoreAccounts.digest)
        )
        return tuple(StoreAccount(store, account, bool(world)) for store, account, world in rows)

    def accounts_of(self, user: str) -> tuple[str, ...]:
        """Return a user's accounts, by their digests."""
        rows = self._database.rows(
            StoreAccounts.select(StoreAccounts.digest)
            .where((StoreAccounts.app == self._app) & (StoreAccounts.user == user))
            .order_by(StoreAccounts.claimed_at, StoreAccounts.digest)
        )
        return tuple(digest for (digest,) in rows)

    def digests_of(self, users: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Return the accounts of each of these users, by their digests, and who brought each."""
        found: dict[str, list[tuple[str, str]]] = {user: [] for user in users}
        theirs = (StoreAccounts.app == self._app) & self._database.is_among(StoreAccounts.user, found)
        columns = StoreAccounts.user, StoreAccounts.digest, StoreAccounts.home
        rows = self._database.rows(StoreAccounts.select(*columns).where(theirs).order_by(*columns))
        for user, digest, home in rows:
            found[user].append((digest, home))
        return found

    def move(self, user: str, into: str) -> None:
        """Make all accounts of a user another's."""
        self._database.change(
            StoreAccounts.update(user=into).where(
                (StoreAccounts.app == self._app) & (StoreAccounts.user == user)
            )
        )

    def give_back(self, user: str, to: str, homes: Sequence[str]) -> None:
        """Make those accounts of a user another's that these brought, who are part of that other."""
        self._database.change(
            StoreAccounts.update(user=to).where(
                (StoreAccounts.app == self._app)
                & (StoreAccounts.user == user)
                & StoreAccounts.home.in_(homes)
            )
        )

    def erase(self, users: Sequence[str], limit: int | None = None) -> int:
        """Erase the accounts of these users, up to ``limit`` if there is one, and what was bought under them
        before; return how many there were of both."""
        theirs = (StoreAccounts.app == self._app) & StoreAccounts.user.in_(users)
        accounts = StoreAccounts.select(StoreAccounts.digest).where(theirs)
        bought = (Purchases.app == self._app) & Purchases.account.in_(accounts)
        these = some(self._database, Purchases.digest, bought, limit, Purchases.account)
        purchases = self._database.change(Purchases.delete().where(these))
        if limit is not None and purchases >= limit:
            return purchases
        bare = some(self._database, StoreAccounts.digest, theirs, limit)
        return purchases + self._database.change(StoreAccounts.delete().where(bare))


@Prepared
def _of_user(app: Any, user: Any) -> Any:
    return _under(app, _accounts(app, StoreAccounts.user == user))


def _shown(app: Any, user: Any) -> Any:
    theirs = UserIds.select(UserIds.digest).where((UserIds.app == app) & (UserIds.user == user))
    claims = UserIds.alias()
    claimants = claims.select(claims.user).where(
        (claims.app == app) & (claims.verified == False) & claims.digest.in_(theirs)  # noqa: E712 - SQL
    )
    own = _accounts(app, StoreAccounts.user == user)
    return _under(app, own | _accounts(app, StoreAccounts.user.in_(claimants)))


_shown_of = Prepared(_shown)


@Prepared
def _shown_of_session(app: Any, device: Any, digest: Any) -> Any:
    return _shown(app, user_of_session(app, device, digest))


def _accounts(app: Any, condition: Any) -> Any:
    return StoreAccounts.select(StoreAccounts.digest).where((StoreAccounts.app == app) & condition)


def _under(app: Any, accounts: Any) -> Any:
    """Select what was bought under accounts, by their digests. It is only claimed where either the account is
    of the unproven world, or the user whose it is by now."""
    # Joined by a condition on the accounts alone, SQLite would look at every purchase first.
    owner = (Users.app == StoreAccounts.app) & (Users.id == StoreAccounts.user)
    return (
        Purchases.select(
            Purchases.id,
            StoreAccounts.store,
            Purchases.product,
            Purchases.transaction,
            Purchases.purchased_at,
            Purchases.expires_at,
            StoreAccounts.verified & proven(),
        )
        .join(
            StoreAccounts,
            on=((StoreAccounts.app == Purchases.app) & (StoreAccounts.digest == Purchases.account)),
        )
        .join(Users, on=owner)
        .where((Purchases.app == app) & Purchases.account.in_(accounts))
        .order_by(Purchases.purchased_at, Purchases.id)
    )


def _as_purchases(rows: Rows) -> tuple[Purchase, ...]:
    return tuple(map(_as_purchase, rows))


def _as_purchase(row: tuple[Any, ...]) -> Purchase:
    id, store, product, transaction, purchased_at, expires_at, is_proven = row
    return Purchase(id, store, product, transaction, purchased_at, expires_at, claimed=not is_proven)


def _digest(account: StoreAccount) -> str:
    return account_digest(account.store, account.account, account.verified)


def account_digest(store: str, account: str, verified: bool) -> str:
    """Return the digest of a store account of one of the worlds."""
    # A store's name and an account hold no NUL, so no two run together alike.
    world = "" if verified else "\0unproven"
    return hashlib.sha256(f"{store}\0{account}{world}".encode()).hexdigest()
