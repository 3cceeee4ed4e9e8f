"""Entries that people make, from codes and decimals to lines on accounts: everything that is checked before they are posted."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import batched
from time import perf_counter
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from libs.common.contracts.ledger import EntryKind, Side
from libs.common.contracts.ledger_errors import AccountUnknown, CurrencyMixed, EntryInvalid, EntryUnbalanced
from libs.common.contracts.ledger_journal import ManualEntry, ManualLine
from libs.common.errors import Invalid, Rejected
from libs.common.money import InvalidAmount, UnsupportedCurrency, parse_amount
from services.ledger.core import Account, Entry, Line
from services.ledger.units import missing_unit

DESCRIPTION_LENGTH_MAX = 500

_ITEMS = 50
"""Entries of a list that are handled without a pause."""

_REST_SECONDS_MAX = 0.02
"""The longest pause between them."""

_encoder = msgspec.json.Encoder()


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why an entry is refused, and where in the call's body."""

    code: str
    """Kind of problem."""
    detail: str
    """The problem as a sentence."""
    pointer: str
    """JSON pointer: `/entries/17/lines/0/account`."""


def fault_of(reason: Rejected, *, place: int) -> Fault:
    """Name where in a call an entry was refused; without a place of its own, the entry as a whole is meant."""
    within = reason.errors[0][0] if isinstance(reason, Invalid) and reason.errors else ""
    return Fault(code=reason.reason, detail=reason.detail, pointer=f"/entries/{place}{within}")


async def identified(entries: Sequence[ManualEntry], *, source: str) -> list[ManualEntry]:
    """Give each entry without an id the one that its source and its place always lead to."""
    found: list[ManualEntry] = []
    async for some in in_turn(entries):
        found += [
            entry
            if entry.id is not None
            else msgspec.structs.replace(entry, id=uuid5(NAMESPACE_URL, f"{source}/{place}"))
            for place, entry in enumerate(some, start=len(found))
        ]
    return found


async def fingerprint(what: str, entries: Sequence[ManualEntry]) -> bytes:
    """Digest what is requested, 32 bytes: the same meaning has the same fingerprint, that of `[what, entries]` as JSON."""
    digest = hashlib.sha256(b"[" + _encoder.encode(what) + b",[")
    separator = b""
    async for some in in_turn(entries):
        digest.update(separator + _encoder.encode(some)[1:-1])
        separator = b","
    digest.update(b"]]")
    return digest.digest()


async def in_turn[T](items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield items a few at a time; between them everything else of this process has as much time as they took.

    With one turn only, a request of ten turns would wait for ten times a few of these.
    """
    for some in batched(items, _ITEMS):
        begun = perf_counter()
        yield some
        await asyncio.sleep(min(_REST_SECONDS_MAX, perf_counter() - begun))


def codes(entries: Iterable[ManualEntry]) -> set[str]:
    """Collect the codes of all accounts that are named."""
    return {line.account for entry in entries for line in entry.lines}


def currencies(entries: Iterable[ManualEntry]) -> set[str]:
    """Collect the codes of everything that amounts are in."""
    return {line.currency for entry in entries for line in entry.lines}


def manual_entry(
    entry: ManualEntry,
    *,
    tenant_id: str,
    accounts: Mapping[str, Account],
    missing_units: Collection[str],
    now: datetime,
) -> Entry:
    """Make the journal entry that a person wants, debits first.

    What they wrote is the content, so that the same again is a replay; the hour is a part of it only where they named one.

    Raises:
        AccountUnknown: when a line names an account that is not in the chart.
        Invalid: for an amount, a currency or a description that cannot be, lines that do not balance or are not in one
            currency. `errors` has the place within the entry.
    """
    if not 1 <= len(entry.description) <= DESCRIPTION_LENGTH_MAX or "\0" in entry.description:
        raise _wrong(EntryInvalid, f"description must have 1 to {DESCRIPTION_LENGTH_MAX} characters", "/description")
    lines: list[Line] = []
    for place, line in enumerate(entry.lines):
        # What the ledger closes by itself stands in the books, also in a currency that has left the table.
        lines.append(_line(line, accounts, withdrawn=entry.kind is not msgspec.UNSET, pointer=f"/lines/{place}"))
        if line.currency in missing_units:
            raise _wrong(UnsupportedCurrency, missing_unit(line.currency), f"/lines/{place}/currency")
        if line.currency != entry.lines[0].currency:
            sentence = (
                f"the lines of an entry must be in one currency, not {entry.lines[0].currency} and {line.currency}"
            )
            raise _wrong(CurrencyMixed, sentence, f"/lines/{place}/currency")
    occurred_at = _instant(entry.occurred_at)
    lines.sort(key=lambda line: line.side is Side.CREDIT)
    content = _encoder.encode(
        (
            entry.description,
            occurred_at,
            [(line.account_id, line.side, line.amount_minor, line.currency) for line in lines],
        )
    )
    kind = EntryKind.MANUAL if entry.kind is msgspec.UNSET else EntryKind(entry.kind)
    assert entry.id is not None
    try:
        return Entry(
            tenant_id=tenant_id,
            id=entry.id,
            kind=kind,
            content=f"{kind} entry {content.decode()}",
            payment_intent_id=None,
            occurred_at=occurred_at or now,
            source_event_id=None,
            lines=tuple(lines),
        )
    except (EntryInvalid, EntryUnbalanced, InvalidAmount, UnsupportedCurrency) as fault:
        raise _wrong(type(fault), fault.detail, "/lines") from fault


def _instant(occurred_at: datetime | None) -> datetime | None:
    try:
        return None if occurred_at is None else occurred_at.astimezone(UTC)
    except OverflowError as fault:
        raise _wrong(EntryInvalid, "occurred_at must be within the years 1 to 9999 in UTC", "/occurred_at") from fault


def _line(line: ManualLine, accounts: Mapping[str, Account], *, withdrawn: bool, pointer: str) -> Line:
    account = accounts.get(line.account)
    if account is None:
        raise _wrong(AccountUnknown, f"the chart has no account {line.account}", f"{pointer}/account")
    try:
        amount_minor = parse_amount(line.amount, line.currency, withdrawn=withdrawn, own=True)
    except (InvalidAmount, UnsupportedCurrency) as fault:
        member = "currency" if isinstance(fault, UnsupportedCurrency) else "amount"
        raise _wrong(type(fault), fault.detail, f"{pointer}/{member}") from fault
    return Line(account_id=account.id, side=line.side, amount_minor=amount_minor, currency=line.currency)


def _wrong(kind: type[Invalid], sentence: str, pointer: str) -> Invalid:
    return kind(sentence, errors=((pointer, sentence),))


def entry_id(entry: ManualEntry) -> UUID:
    """Return the id that an entry has been given."""
    assert entry.id is not None
    return entry.id
