"""Journal entries and balances, as clients see them."""

from typing import Annotated

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger import AccountBalance, AccountType, JournalEntry, Side
from libs.common.money import format_minor

_DEBIT_SIDE = frozenset({AccountType.ASSET, AccountType.EXPENSE})


class EntryLineBody(msgspec.Struct, frozen=True, kw_only=True):
    """One debit or credit."""

    side: Side
    account: str
    amount: str
    currency: str


class EntryBody(msgspec.Struct, frozen=True, kw_only=True):
    """One business event in the books."""

    id: str
    payment_intent_id: str | None
    posted_at: str
    kind: str
    occurred_at: str
    effective_at: Annotated[
        str | None, msgspec.Meta(description="When it counts: later than `occurred_at` where that period was closed.")
    ]
    reverses: Annotated[str | None, msgspec.Meta(description="The entry that it takes back, where it is a reversal.")]
    lines: list[EntryLineBody]


class BalanceBody(msgspec.Struct, frozen=True, kw_only=True):
    """What one account holds in one currency."""

    account: str
    currency: str
    debits_total: str
    credits_total: str
    balance: Annotated[str, msgspec.Meta(description="Credits minus debits, whatever the type of account.")]
    account_type: AccountType
    normal_side: Side
    normal_balance: Annotated[str, msgspec.Meta(description="Positive in the account's normal direction.")]
    pending_debits: Annotated[str | None, msgspec.Meta(description="Held for debits; null but for the present.")]
    pending_credits: Annotated[str | None, msgspec.Meta(description="Held for credits; null but for the present.")]
    available: Annotated[
        str | None,
        msgspec.Meta(description="`normal_balance` less what is held against it; null but for the present."),
    ]


def entry_body(entry: JournalEntry) -> EntryBody:
    """Show a journal entry as clients see it."""
    return EntryBody(
        id=str(entry.id),
        payment_intent_id=None if entry.payment_intent_id is None else str(entry.payment_intent_id),
        posted_at=iso(entry.posted_at),
        kind=entry.kind,
        occurred_at=iso(entry.occurred_at),
        effective_at=None if entry.effective_at is None else iso(entry.effective_at),
        reverses=None if entry.reverses is None else str(entry.reverses),
        lines=[
            EntryLineBody(
                side=line.side,
                account=line.account,
                amount=format_minor(line.amount_minor, line.currency),
                currency=line.currency,
            )
            for line in entry.lines
        ],
    )


def balance_body(balance: AccountBalance) -> BalanceBody:
    """Show a balance as clients see it."""
    net_credit = balance.credits_minor - balance.debits_minor
    normal_side = Side.DEBIT if balance.account_type in _DEBIT_SIDE else Side.CREDIT
    normal = net_credit if normal_side is Side.CREDIT else -net_credit
    against = balance.pending_debits_minor if normal_side is Side.CREDIT else balance.pending_credits_minor

    def shown(amount_minor: int | None) -> str | None:
        return None if amount_minor is None else format_minor(amount_minor, balance.currency)

    return BalanceBody(
        account=balance.account,
        currency=balance.currency,
        debits_total=format_minor(balance.debits_minor, balance.currency),
        credits_total=format_minor(balance.credits_minor, balance.currency),
        balance=format_minor(net_credit, balance.currency),
        account_type=balance.account_type,
        normal_side=normal_side,
        normal_balance=format_minor(normal, balance.currency),
        pending_debits=shown(balance.pending_debits_minor),
        pending_credits=shown(balance.pending_credits_minor),
        available=shown(None if against is None else normal - against),
    )
