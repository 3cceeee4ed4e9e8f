"""Entries as other services compare them with what they have."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import batched
from uuid import UUID

import asyncpg

from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.contracts.ledger_facts import (
    ENTRIES_MAX,
    ENTRY_EXPECTED_MAX,
    ENTRY_IDS_MAX,
    ENTRY_PAYMENTS_MAX,
    OTHER,
    PAYMENT_ENTRIES_MAX,
    EntryFact,
    EntryFactPage,
    ListEntryFacts,
)
from libs.common.contracts.ledger_roles import Role
from libs.common.db import Connection, Database
from libs.common.slices import one_slice
from services.ledger.accounts import RolesInTime, changes_of
from services.ledger.entries.sql import facts

_ROWS = 200
"""Rows that become facts without a pause: two milliseconds, in a process that posts at the same time."""
_OF_STATEMENTS = (
    EntryKind.PAYOUT_CREATED,
    EntryKind.PAYOUT_PAID,
    EntryKind.PAYOUT_FAILED,
    EntryKind.PAYOUT_DEBITED,
    EntryKind.MOVEMENT,
    EntryKind.MOVEMENT_EXCHANGED,
    EntryKind.AVAILABLE,
)
"""What the posting rules make of what belongs to no payment."""
_KINDS = {kind.value: kind for kind in EntryKind}
"""Looked up faster than the enumeration is called."""
_IDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:,[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})*")
_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)


async def entry_facts(
    database: Database, request: ListEntryFacts, *, payment_entries_max: int = PAYMENT_ENTRIES_MAX
) -> EntryFactPage:
    """Read entries of a tenant in the order of their payments; of one payment at most `payment_entries_max`.

    Raises:
        QueryInvalid: for a limit out of range, too many ids or such that are none, or columns, reversals or what was posted of anything but a range.
    """
    _check(request)
    if request.in_columns:
        return await _columns(database, request)
    if request.posted_from is not None and request.posted_until is not None:
        return await _posted(database, request, since=request.posted_from, before=request.posted_until)
    async with database.connection() as connection:
        rows, is_last, is_whole = await _page(connection, request, payment_entries_max)
        roles = RolesInTime(request.tenant_id, await changes_of(connection, request.tenant_id))
    items: list[EntryFact] = []
    always: dict[UUID, tuple[str, ...] | None] = {}
    for some in batched(rows, _ROWS):
        async with one_slice():
            items += [_fact(row, roles, always) for row in some]
    return EntryFactPage(
        items=tuple(items),
        next_after=None if is_last or not rows else rows[-1]["payment_intent_id"],
        is_whole=is_whole,
    )


async def _columns(database: Database, request: ListEntryFacts) -> EntryFactPage:
    """Read a page of a range, whose rows the database alone looks at."""
    async with database.connection() as connection:
        roles = RolesInTime(request.tenant_id, await changes_of(connection, request.tenant_id))
        columns, next_after = await facts.columns_of_range(
            connection,
            request.tenant_id,
            after=request.after or _FIRST,
            until=request.until or _LAST,
            limit=request.limit,
            accounts={account: "" if role is None else role.value for account, role in roles.only().items()},
            expected=request.expected,
        )
    return EntryFactPage(items=(), next_after=next_after, columns=columns)


async def _posted(database: Database, request: ListEntryFacts, *, since: datetime, before: datetime) -> EntryFactPage:
    """List a page of what was posted, of which the database alone looks at rows."""
    async with database.connection() as connection:
        found = await facts.posted(
            connection,
            request.tenant_id,
            since=since,
            after=request.after or _FIRST,
            before=before,
            until=request.until or _LAST,
            kinds=_OF_STATEMENTS,
            limit=request.limit,
        )
    return EntryFactPage(items=(), posted=found)


def _check(request: ListEntryFacts) -> None:
    if request.in_columns and (request.payment_intent_ids or request.entry_ids):
        raise _refused("in_columns", "is for a range alone")
    if request.expected and not request.in_columns:
        raise _refused("expected", "is for columns alone")
    if request.expected and not _IDS.fullmatch(request.expected):
        raise _refused("expected", "must be ids that are separated by commas")
    if (request.reversed_from is None) is not (request.reversed_until is None):
        raise _refused("reversed_until", "must be there with reversed_from, and only then")
    if request.reversed_from is not None and (request.in_columns or request.payment_intent_ids or request.entry_ids):
        raise _refused("reversed_from", "is for the entries of a range alone")
    if (request.posted_from is None) is not (request.posted_until is None):
        raise _refused("posted_until", "must be there with posted_from, and only then")
    is_narrow = request.in_columns or request.payment_intent_ids or request.entry_ids or request.reversed_from
    if request.posted_from is not None and is_narrow:
        raise _refused("posted_from", "is for all that was posted alone")
    for member, number, least, most in (
        ("limit", request.limit, 1, ENTRIES_MAX),
        ("expected", request.expected.count(",") + 1, 0, ENTRY_EXPECTED_MAX),
        ("payment_intent_ids", len(request.payment_intent_ids), 0, ENTRY_PAYMENTS_MAX),
        ("entry_ids", len(request.entry_ids), 0, ENTRY_IDS_MAX),
    ):
        if not least <= number <= most:
            raise _refused(member, f"must be {least} to {most}" if least else f"must have at most {most} items")


def _refused(member: str, sentence: str) -> QueryInvalid:
    return QueryInvalid(f"{member} {sentence}", errors=((f"/{member}", sentence),))


async def _page(
    connection: Connection, request: ListEntryFacts, payment_entries_max: int
) -> tuple[Sequence[asyncpg.Record], bool, bool]:
    """Read the rows of a page; whether they are the last ones, and whether they are all of their payments."""
    tenant_id, limit = request.tenant_id, request.limit
    if request.entry_ids:
        return await facts.facts_by_ids(connection, tenant_id, request.entry_ids), True, True
    # One more than is sent shows whether there are more.
    if request.reversed_from is not None and request.reversed_until is not None:
        rows = await facts.reversals(
            connection,
            tenant_id,
            posted=(request.reversed_from, request.reversed_until),
            after=request.after,
            until=request.until or _LAST,
            limit=limit + 1,
        )
        return rows[:limit], len(rows) <= limit, True
    if request.payment_intent_ids:
        rows = await facts.facts_of_payments(connection, tenant_id, request.payment_intent_ids, limit=limit + 1)
    else:
        rows = await facts.facts_in_range(
            connection, tenant_id, after=request.after or _FIRST, until=request.until or _LAST, limit=limit + 1
        )
    if len(rows) <= limit:
        return rows, True, True
    last: UUID = rows[-1]["payment_intent_id"]
    whole = [row for row in rows if row["payment_intent_id"] != last]
    if whole:
        return whole, False, True
    rows = await facts.facts_of_payments(connection, tenant_id, [last], limit=payment_entries_max + 1)
    return rows[:payment_entries_max], False, len(rows) <= payment_entries_max


def _names(roles: Sequence[Role]) -> tuple[str, ...]:
    """Return the names of roles: members of an enumeration are slow keys."""
    return tuple(role.value for role in roles)


def _fact(row: asyncpg.Record, roles: RolesInTime, always: dict[UUID, tuple[str, ...] | None]) -> EntryFact:
    """Read an entry; `always` keeps what accounts have played from first to last, None where that has changed."""
    (
        entry_id,
        kind,
        payment_intent_id,
        reverses,
        occurred_at,
        posted_at,
        is_reversed,
        currency,
        amount_minor,
        account_ids,
        amounts_minor,
    ) = row
    amounts: dict[str, int] = {}
    shared: dict[str, str] = {}
    for account_id, amount in zip(account_ids, amounts_minor, strict=True):
        if account_id not in always:
            constant = roles.always(account_id)
            always[account_id] = None if constant is None else _names(constant)
        played = always[account_id]
        if played is None:
            played = _names(roles.of(account_id, posted_at))
        name = played[0] if played else OTHER
        amounts[name] = amounts.get(name, 0) + amount
        if len(played) > 1:
            shared.update(dict.fromkeys(played[1:], name))
    return EntryFact(
        entry_id=entry_id,
        kind=_KINDS[kind],
        payment_intent_id=payment_intent_id,
        currency=currency,
        amount_minor=amount_minor,
        amounts=amounts,
        shared_roles=shared,
        occurred_at=occurred_at,
        posted_at=posted_at,
        reverses=reverses,
        is_reversed=bool(is_reversed),
    )
