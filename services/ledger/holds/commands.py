"""Holds, in two phases: an amount is set aside, then captured, voided or left to expire.

A hold is checked against the floor and the ceiling of its accounts under the same lock as any posting, so what is available
can never be promised twice.
"""

import asyncio
from uuid import UUID

from libs.common.clock import Clock
from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger import EntryKind
from libs.common.db import Connection, Database
from libs.common.ids import derived_id
from libs.common.money import is_currency
from libs.common.observability.correlation import current
from services.ledger.accounts import accounts_of, codes_of
from services.ledger.core import Entry, Hold, HoldState, Line, read_cursor, write_cursor
from services.ledger.errors import AccountUnknown, EntryInvalid, HoldNotFound, HoldResolved, QueryInvalid
from services.ledger.holds import sql
from services.ledger.posting import Booking, Placing, PostingService, Releasing, holds_by_id

HOLDS_MAX = 500
"""Holds on one page at most."""

EXPIRIES_MAX = 500
"""Holds that one round of expiring lets go at most."""


class Holds:
    """What one ledger process decides and knows about holds."""

    def __init__(self, database: Database, service: PostingService, *, clock: Clock) -> None:
        self._database = database
        self._posting = service
        self._clock = clock

    async def place(self, request: contract.PlaceHold) -> contract.Hold:
        """Set an amount aside; the same id and content again is success.

        Raises:
            EntryInvalid: for an amount out of range, an unknown currency, one account on both sides, an end in the past.
            AccountUnknown: when the chart has no account of such a code.
            CurrencyNotTaken: when an account does not take the currency.
            FloorCrossed: when not that much is available.
            CeilingCrossed: when an account would hold more than its ceiling once it is captured.
            HoldConflict: when there is a hold of this id with other content.
        """
        if not is_currency(request.currency):
            raise EntryInvalid(f"{request.currency!r} is not an active ISO 4217 currency", code="unsupported_currency")
        async with self._database.connection() as connection:
            found = await accounts_of(connection, request.tenant_id, [request.debit_account, request.credit_account])
        for code in (request.debit_account, request.credit_account):
            if code not in found:
                raise AccountUnknown(f"the chart has no account {code}")
        hold = Hold(
            tenant_id=request.tenant_id,
            id=request.hold_id,
            debit_account_id=found[request.debit_account],
            credit_account_id=found[request.credit_account],
            currency=request.currency,
            amount_minor=request.amount_minor,
            placed_at=self._clock.now(),
            expires_at=request.expires_at,
        )
        placed = await self._posting.hold(Placing(hold=hold))
        codes = {account_id: code for code, account_id in found.items()}
        return _wire(placed.hold, codes)

    async def capture(self, request: contract.CaptureHold) -> contract.Hold:
        """Post all or a part of a hold and let the rest go; the same amount again is success.

        Raises:
            HoldNotFound: when the tenant has no such hold.
            HoldResolved: when it was captured with another amount, voided, or its time is over.
            HoldExceeded: when more is asked for than is held.
            EntryInvalid: for an amount out of range.
        """
        hold = await self._find(request.tenant_id, request.hold_id)
        amount_minor = hold.amount_minor if request.amount_minor is None else request.amount_minor
        entry = Entry(
            tenant_id=hold.tenant_id,
            id=derived_id(hold.id, "hold capture"),
            kind=EntryKind.HOLD_CAPTURE,
            content=f"capture of hold {hold.id}: {amount_minor} {hold.currency}",
            payment_intent_id=None,
            occurred_at=self._clock.now(),
            source_event_id=None,
            lines=tuple(
                Line(account_id=account_id, side=side, amount_minor=amount_minor, currency=hold.currency)
                for side, account_id in hold.sides
            ),
        )
        await self._posting.post(Booking(entry=entry, correlation=current(), captures=hold))
        return await self.get(request.tenant_id, request.hold_id)

    async def void(self, request: contract.VoidHold) -> contract.Hold:
        """Let a hold go; again is success.

        Raises:
            HoldNotFound: when the tenant has no such hold.
            HoldResolved: when it was captured or has expired.
        """
        hold = await self._find(request.tenant_id, request.hold_id)
        await self._posting.hold(Releasing(hold=hold, state=HoldState.VOIDED))
        return await self.get(request.tenant_id, request.hold_id)

    async def expire(self) -> int:
        """Let the holds go whose time is over; returns how many were found due. Several processes may do so at once."""
        async with self._database.connection() as connection:
            due = await sql.due_holds(connection, now=self._clock.now(), limit=EXPIRIES_MAX)
        answers = await asyncio.gather(
            *(self._posting.hold(Releasing(hold=hold, state=HoldState.EXPIRED)) for hold in due), return_exceptions=True
        )
        for answer in answers:
            # One that somebody voided or captured in this very moment needs nothing any more.
            if isinstance(answer, BaseException) and not isinstance(answer, HoldResolved):
                raise answer
        return len(due)

    async def get(self, tenant_id: str, hold_id: UUID) -> contract.Hold:
        """Read one hold.

        Raises:
            HoldNotFound: when the tenant has no such hold.
        """
        return (await self._shown([await self._find(tenant_id, hold_id)]))[0]

    async def page(self, request: contract.ListHolds) -> contract.HoldPage:
        """List a tenant's holds, newest first; a limit above 500 counts as 500.

        Raises:
            QueryInvalid: for a limit below 1, or a cursor that is not ours.
        """
        if request.limit < 1:
            raise QueryInvalid("limit must be at least 1", errors=(("/limit", "limit must be at least 1"),))
        limit = min(request.limit, HOLDS_MAX)
        async with self._database.connection() as connection:
            found = await sql.hold_page(
                connection,
                request.tenant_id,
                state=None if request.state is None else HoldState(request.state.value),
                before=None if request.cursor is None else read_cursor(request.cursor),
                # One more than wanted tells whether there is a next page.
                limit=limit + 1,
            )
        page = found[:limit]
        return contract.HoldPage(
            holds=await self._shown(page),
            next_cursor=write_cursor(page[-1].placed_at, page[-1].id) if len(found) > limit else None,
        )

    async def _find(self, tenant_id: str, hold_id: UUID) -> Hold:
        async with self._database.connection() as connection:
            found = await holds_by_id(connection, [(tenant_id, hold_id)])
        if not found:
            raise HoldNotFound(f"there is no hold {hold_id}")
        return found[tenant_id, hold_id]

    async def _shown(self, holds: list[Hold]) -> list[contract.Hold]:
        if not holds:
            return []
        async with self._database.connection() as connection:
            codes = await _codes(connection, holds)
        return [_wire(hold, codes) for hold in holds]


async def _codes(connection: Connection, holds: list[Hold]) -> dict[UUID, str]:
    accounts = {account_id for hold in holds for _, account_id in hold.sides}
    return await codes_of(connection, holds[0].tenant_id, list(accounts))


def _wire(hold: Hold, codes: dict[UUID, str]) -> contract.Hold:
    return contract.Hold(
        id=hold.id,
        debit_account=codes[hold.debit_account_id],
        credit_account=codes[hold.credit_account_id],
        currency=hold.currency,
        amount_minor=hold.amount_minor,
        captured_minor=hold.captured_minor,
        state=contract.HoldState(hold.state.value),
        placed_at=hold.placed_at,
        expires_at=hold.expires_at,
        resolved_at=hold.resolved_at,
        entry_id=hold.entry_id,
    )
