"""Holds, in two phases: an amount is set aside, then captured, voided or left to expire.

A hold is checked against the floor and the ceiling of its accounts under the same lock as any posting, so what is available
can never be promised twice.
"""

import asyncio

from libs.common.clock import Clock
from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_errors import AccountUnknown, HoldResolved
from libs.common.db import Database
from libs.common.ids import derived_id
from libs.common.money import UnsupportedCurrency, is_currency, is_own_unit
from libs.common.observability.correlation import current
from services.ledger.accounts import accounts_of
from services.ledger.core import Entry, HoldState, Line
from services.ledger.holds import queries, sql
from services.ledger.holds.schemas import hold_requested, hold_shown
from services.ledger.posting import Booking, Placing, PostingService, Releasing
from services.ledger.units import missing_unit, missing_units

EXPIRIES_MAX = 500
"""Holds that one round of expiring lets go at most."""


class HoldCommands:
    """What one ledger process decides about holds."""

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
            ApprovalRequired: when the tenant lets nobody change its books alone.
        """
        if not (is_currency(request.currency) or is_own_unit(request.currency)):
            raise UnsupportedCurrency(f"{request.currency!r} is neither an active ISO 4217 currency nor an own unit")
        async with self._database.connection() as connection:
            for code in await missing_units(connection, request.tenant_id, [request.currency]):
                raise UnsupportedCurrency(missing_unit(code), errors=(("/currency", missing_unit(code)),))
            found = await accounts_of(connection, request.tenant_id, [request.debit_account, request.credit_account])
        for code in (request.debit_account, request.credit_account):
            if code not in found:
                raise AccountUnknown(f"the chart has no account {code}")
        hold = hold_requested(request, found, at=self._clock.now())
        placed = await self._posting.hold(Placing(hold=hold))
        codes = {account_id: code for code, account_id in found.items()}
        return hold_shown(placed.hold, codes)

    async def capture(self, request: contract.CaptureHold) -> contract.Hold:
        """Post all or a part of a hold and let the rest go; the same amount again is success.

        Raises:
            HoldNotFound: when the tenant has no such hold.
            HoldResolved: when it was captured with another amount, voided, or its time is over.
            HoldExceeded: when more is requested than is held.
            ApprovalRequired: when the tenant lets nobody change its books alone, since after the hold was placed.
            EntryInvalid: for an amount out of range.
        """
        hold = await queries.find(self._database, request.tenant_id, request.hold_id)
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
        return await queries.get(self._database, request.tenant_id, request.hold_id)

    async def void(self, request: contract.VoidHold) -> contract.Hold:
        """Let a hold go; again is success.

        Raises:
            HoldNotFound: when the tenant has no such hold.
            HoldResolved: when it was captured or has expired.
        """
        hold = await queries.find(self._database, request.tenant_id, request.hold_id)
        await self._posting.hold(Releasing(hold=hold, state=HoldState.VOIDED))
        return await queries.get(self._database, request.tenant_id, request.hold_id)

    async def expire(self) -> int:
        """Let the holds go whose time is over; returns how many were due. Several processes may do so at once."""
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
