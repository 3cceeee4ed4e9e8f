"""Account statement and general journal as clients see them: as JSON and as rows of a table."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any
from uuid import UUID

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger import AccountType, Side
from libs.common.contracts.ledger_reports import EntryReport, JournalRecord, StatementLine, StatementPage
from libs.common.money import format_minor
from services.api.books.schemas.entries import EntryLineBody

NOBODY = UUID(int=0)
"""The payment of what belongs to none."""
_OF_PAYMENT = "Of the payment that it belongs to, for callers who may read payments (`payments:read`)."
_DEBIT_SIDE = frozenset({AccountType.ASSET, AccountType.EXPENSE})


type Payments = Mapping[UUID, tuple[str | None, str]]
"""Of payments, the order and the merchant's reference of the customer."""
type PaymentsOf = Callable[[str, Collection[UUID]], Awaitable[Payments]]
"""Reads those of a tenant's payments."""

NO_PAYMENTS: Payments = MappingProxyType({})


class _Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where an entry comes from."""

    number: Annotated[
        str | None,
        msgspec.Meta(description="Its place in the record, for ever: chain, group of it, entry of that; `c3-17-1`."),
    ]
    posted_at: str
    occurred_at: str
    kind: str
    description: str | None
    made_by: Annotated[str | None, msgspec.Meta(description="Who made it, where a person did.")]
    approved_by: Annotated[str | None, msgspec.Meta(description="Who approved it, where somebody had to.")]
    payment_intent_id: str | None
    order_id: Annotated[str | None, msgspec.Meta(description=_OF_PAYMENT)]
    customer_ref: Annotated[str | None, msgspec.Meta(description=_OF_PAYMENT)]
    conversion_id: Annotated[str | None, msgspec.Meta(description="The exchange of currencies that it is one side of.")]


def _origin(of: JournalRecord | StatementLine, payments: Payments) -> dict[str, Any]:
    order_id, customer_ref = payments.get(of.payment_intent_id or NOBODY, (None, None))
    return {
        "number": of.number,
        "posted_at": iso(of.posted_at),
        "occurred_at": iso(of.occurred_at),
        "kind": of.kind,
        "description": of.description,
        "made_by": of.made_by,
        "approved_by": of.approved_by,
        "payment_intent_id": _text(of.payment_intent_id),
        "order_id": order_id,
        "customer_ref": customer_ref,
        "conversion_id": _text(of.conversion_id),
    }


def _text(identifier: UUID | None) -> str | None:
    return None if identifier is None else str(identifier)


class StatementItem(_Origin, frozen=True, kw_only=True):
    """One posting on the account."""

    entry_id: str
    side: Side
    amount: str
    balance: Annotated[str, msgspec.Meta(description="Right after it; positive in the account's normal direction.")]


class StatementBody(msgspec.Struct, frozen=True, kw_only=True):
    """What happened on one account in one currency: the opening balance and the lines make the closing balance."""

    account: str
    label: str
    account_type: AccountType
    normal_side: Side
    currency: str
    opening_balance: Annotated[str, msgspec.Meta(description="Before the period, on every page.")]
    closing_balance: Annotated[str, msgspec.Meta(description="At the end of the period, on every page.")]
    lines: list[StatementItem]
    next_cursor: str | None


class JournalItem(_Origin, frozen=True, kw_only=True):
    """One entry of the journal."""

    id: str
    effective_at: Annotated[
        str | None, msgspec.Meta(description="When it counts: later than `occurred_at` where that period was closed.")
    ]
    reverses: Annotated[str | None, msgspec.Meta(description="The entry that it takes back, where it is a reversal.")]
    lines: list[EntryLineBody]


class EntryItem(JournalItem, frozen=True, kw_only=True):
    """One entry with what the journal has of it."""

    reversed_by: Annotated[str | None, msgspec.Meta(description="The entry that takes it back, where one does.")]


class JournalBody(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the journal, oldest first."""

    data: list[JournalItem]
    next_cursor: str | None


def statement_body(page: StatementPage, payments: Payments = NO_PAYMENTS) -> StatementBody:
    """Show a page of a statement; balances are positive in the account's normal direction."""
    normal_side = Side.DEBIT if page.account_type in _DEBIT_SIDE else Side.CREDIT

    def balance(debits_minor: int, credits_minor: int) -> str:
        net = debits_minor - credits_minor
        return format_minor(net if normal_side is Side.DEBIT else -net, page.currency)

    return StatementBody(
        account=page.account,
        label=page.label,
        account_type=page.account_type,
        normal_side=normal_side,
        currency=page.currency,
        opening_balance=balance(page.opening_debits_minor, page.opening_credits_minor),
        closing_balance=balance(page.closing_debits_minor, page.closing_credits_minor),
        lines=[
            StatementItem(
                **_origin(line, payments),
                entry_id=str(line.entry_id),
                side=line.side,
                amount=format_minor(line.amount_minor, page.currency),
                balance=balance(line.debits_after_minor, line.credits_after_minor),
            )
            for line in page.lines
        ],
        next_cursor=page.next_cursor,
    )


def entry_item(found: EntryReport, payments: Payments = NO_PAYMENTS) -> EntryItem:
    """Show one entry, and whether it was taken back."""
    shown = msgspec.structs.asdict(journal_item(found.entry, payments))
    return EntryItem(**shown, reversed_by=_text(found.reversed_by))


def journal_item(entry: JournalRecord, payments: Payments = NO_PAYMENTS) -> JournalItem:
    """Show one entry of the journal."""
    return JournalItem(
        **_origin(entry, payments),
        id=str(entry.id),
        effective_at=None if entry.effective_at is None else iso(entry.effective_at),
        reverses=_text(entry.reverses),
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


_LATER = ("number", "made_by", "approved_by", "order_id", "customer_ref", "conversion_id")
"""Columns that were added later, after those of before."""
STATEMENT_COLUMNS = (
    *("posted_at", "occurred_at", "entry_id", "kind", "description", "payment_intent_id"),
    *("debit", "credit", "balance", "currency"),
    *_LATER,
)
JOURNAL_COLUMNS = (
    *("entry_id", "posted_at", "occurred_at", "kind", "description", "payment_intent_id"),
    *("account", "label", "debit", "credit", "currency"),
    *(*_LATER, "effective_at", "reverses"),
)


def statement_rows(lines: Iterable[StatementItem], currency: str) -> Iterator[Sequence[str]]:
    """Lay a statement's lines out as rows, debits and credits apart."""
    for line in lines:
        yield (
            *(line.posted_at, line.occurred_at, line.entry_id, line.kind, line.description or ""),
            line.payment_intent_id or "",
            *_apart(line.side, line.amount),
            *(line.balance, currency),
            *_later(line),
        )


def edge_row(what: str, at: datetime | None, balance: str, currency: str) -> Sequence[str]:
    """Lay an opening or closing balance out as a row."""
    row = ("" if at is None else iso(at), "", "", what, "", "", "", "", balance, currency)
    return (*row, *("" for _ in _LATER))


def journal_rows(entries: Iterable[JournalRecord], payments: Payments = NO_PAYMENTS) -> Iterator[Sequence[str]]:
    """Lay entries out as rows, one per line, debits and credits apart."""
    for entry in entries:
        shown = journal_item(entry, payments)
        for line, labelled in zip(shown.lines, entry.lines, strict=True):
            yield (
                *(shown.id, shown.posted_at, shown.occurred_at, shown.kind, shown.description or ""),
                *(shown.payment_intent_id or "", line.account, labelled.label),
                *_apart(line.side, line.amount),
                line.currency,
                *_later(shown),
                *(shown.effective_at or "", shown.reverses or ""),
            )


def _later(shown: StatementItem | JournalItem) -> list[str]:
    return [getattr(shown, name) or "" for name in _LATER]


def _apart(side: Side, amount: str) -> tuple[str, str]:
    return (amount, "") if side is Side.DEBIT else ("", amount)
