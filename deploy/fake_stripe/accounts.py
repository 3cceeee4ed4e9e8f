"""The accounts, their two modes and their keys: secret and restricted ones, several at a time, some of them expired."""

import hashlib
from collections.abc import Callable

import msgspec

from deploy.fake_stripe.books import Books, Object
from deploy.fake_stripe.clock import Clock
from deploy.fake_stripe.refusals import Refusal
from deploy.fake_stripe.settings import Settings

_TEST, _LIVE = ("sk_test_", "rk_test_"), ("sk_live_", "rk_live_")


class Key(msgspec.Struct, kw_only=True):
    """What a key opens."""

    books: Books
    """An account in one mode."""
    permissions: frozenset[str] | None = None
    """What a restricted key may do (`charge_read`, `payment_intent_write`); None: everything."""
    is_expired: bool = False
    """Whether it was rolled or deleted in the dashboard."""


class Account(msgspec.Struct, kw_only=True):
    """One account, in test mode and in live mode."""

    id: str
    settings: Settings
    test: Books
    live: Books


class Accounts:
    """All accounts. An unknown, well-formed key of test mode opens an account of its own."""

    def __init__(self, *, clock: Clock, announce: Callable[[Books, Object], None]) -> None:
        self._clock = clock
        self._announce = announce
        self._keys: dict[str, Key] = {}
        self._by_id: dict[str, Account] = {}

    def open(self, api_key: str) -> Key:
        """What a key opens.

        Raises:
            Refusal: 401 for a key that is none, of live mode and unknown, or expired.
        """
        key = self._keys.get(api_key)
        if key is None:
            if not api_key.startswith(_TEST) or not api_key.isascii():
                raise Refusal(401, f"Invalid API Key provided: {masked(api_key)}", is_executed=False)
            account = self._new(f"acct_{hashlib.sha256(api_key.encode()).hexdigest()[:16]}")
            key = self._keys[api_key] = Key(books=account.test)
        if key.is_expired:
            message = f"Expired API Key provided: {masked(api_key)}"
            raise Refusal(401, message, code="api_key_expired", is_executed=False)
        return key

    def of(self, books: Books) -> Account:
        """The account that books belong to."""
        return self._by_id[books.account_id]

    def add_key(self, api_key: str, *, of: str, permissions: frozenset[str] | None = None) -> Books:
        """Let a further key open the account of another one, in the mode that its name tells."""
        if not api_key.startswith((*_TEST, *_LIVE)):
            raise ValueError("a key begins with sk_test_, rk_test_, sk_live_ or rk_live_")
        account = self.of(self.open(of).books)
        books = account.live if api_key.startswith(_LIVE) else account.test
        self._keys[api_key] = Key(books=books, permissions=permissions)
        return books

    def connect(self, api_key: str, *, to: str) -> Books:
        """Connect the account of a key to the platform of another one, which may then act for it, in both modes."""
        account, platform = self.of(self.open(api_key).books), self.of(self.open(to).books)
        account.settings.application = f"ca_{platform.id.removeprefix('acct_')}"
        account.test.platform, account.live.platform = platform.test, platform.live
        return account.test

    def acting_for(self, books: Books, account_id: str | None) -> Books:
        """What a key opens for another account, the one of the header `Stripe-Account`.

        Raises:
            Refusal: 403, when that one is not connected.
        """
        if account_id in {None, books.account_id}:
            return books
        account = self._by_id.get(str(account_id))
        found = None if account is None else account.live if books.livemode else account.test
        if found is None or found.platform is not books:
            message = (
                f"The provided key does not have access to account '{account_id}' (or that account does not exist). "
                "Application access may have been revoked."
            )
            raise Refusal(403, message, code="account_invalid", is_executed=False)
        return found

    def whose_payment(self, identifier: str) -> Books | None:
        """The books that have a payment intent or a setup intent: a customer comes without any key."""
        every = [books for account in self._by_id.values() for books in (account.test, account.live)]
        return next(
            (each for each in every if identifier in each.payment_intents or identifier in each.setup_intents), None
        )

    def expire_key(self, api_key: str) -> None:
        """Let a key open nothing any more, as after it was rolled."""
        self.open(api_key).is_expired = True

    def _new(self, account_id: str) -> Account:
        settings = Settings()
        test, live = (
            Books(account_id, livemode=livemode, settings=settings, clock=self._clock, announce=self._announce)
            for livemode in (False, True)
        )
        test.other_mode, live.other_mode = live, test
        account = Account(id=account_id, settings=settings, test=test, live=live)
        self._by_id[account_id] = account
        return account


def masked(api_key: str) -> str:
    """Show a key as Stripe does in its errors."""
    if len(api_key) < 12:
        return "*" * len(api_key)
    return f"{api_key[:8]}{'*' * (len(api_key) - 12)}{api_key[-4:]}"


_PERMISSIONS = {
    "account": "account",
    "application_fees": "application_fee",
    "balance": "balance",
    "balance_transactions": "balance_transaction_source",
    "charges": "charge",
    "core": "webhook",
    "customers": "customer",
    "disputes": "dispute",
    "events": "event",
    "payment_intents": "payment_intent",
    "payment_methods": "payment_method",
    "payouts": "payout",
    "refunds": "charge",
    "setup_intents": "setup_intent",
    "webhook_endpoints": "webhook",
}
"""Which permission the calls below `/v1/...` need; a permission to write is one to read too."""


def permit(key: Key, api_key: str, *, method: str, path: str) -> None:
    """Hold a restricted key to its permissions.

    Raises:
        Refusal: 403, when it has not the one that the call needs.
    """
    if key.permissions is None:
        return
    needed = _PERMISSIONS[path.split("/")[2]]
    right = "read" if method == "GET" else "write"
    if f"{needed}_write" in key.permissions or (right == "read" and f"{needed}_read" in key.permissions):
        return
    raise Refusal(
        403,
        f"The provided key '{masked(api_key)}' does not have the required permissions for this endpoint on account "
        f"'{key.books.account_id}'. Having the 'rak_{needed}_{right}' permission would allow this request to continue.",
        is_executed=False,
    )
