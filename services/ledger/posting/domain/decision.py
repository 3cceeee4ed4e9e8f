"""Deciding a group, one instruction after the other, as if each had come alone. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import assert_never
from uuid import UUID

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger_errors import (
    AccountUnknown,
    ApprovalRequired,
    CurrencyNotTaken,
    EntryConflict,
    HoldConflict,
    HoldExceeded,
    HoldNotFound,
    HoldResolved,
    PeriodClosed,
)
from libs.common.errors import Rejected
from services.ledger.core import Balance, Entry, Hold, HoldState, require_within_limits
from services.ledger.posting.domain.approval import Policy
from services.ledger.posting.domain.instructions import (
    Booking,
    Held,
    Instruction,
    Outcome,
    Placing,
    Posted,
    Refused,
    Releasing,
    Replayed,
    tenant_of,
)

_TICK = timedelta(microseconds=1)
"""The distance between two entries of a group; the resolution of PostgreSQL's clock."""

type BalanceKey = tuple[str, UUID, str]
"""Tenant, account, currency."""

type EntryKey = tuple[str, UUID]
"""Tenant, entry."""

type HoldKey = tuple[str, UUID]
"""Tenant, hold."""


class ExistingEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An entry that is in the books, as far as a replay needs to know it."""

    digest: bytes
    posted_at: datetime


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it is written: with its instants, and what each line leaves on its account."""

    entry: Entry
    digest: bytes
    posted_at: datetime
    effective_at: datetime
    balances_after: Sequence[Balance]
    """One per line, in their order."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a group changes, and the outcome of each of its instructions."""

    outcomes: list[Outcome | Held]
    """One per instruction, in their order."""
    posted: list[NewEntry]
    """The entries to write, with the balance after each of their lines, in the order of record."""
    balances: dict[BalanceKey, Balance]
    """The balances that changed, as they are after the group."""
    placed: dict[HoldKey, Hold]
    """The holds that are new, as they are after the group."""
    resolved: dict[HoldKey, Hold]
    """The holds that existed before and changed."""


def decide(
    instructions: Sequence[Instruction],
    *,
    balances: Mapping[BalanceKey, Balance],
    existing: Mapping[EntryKey, ExistingEntry],
    now: datetime,
    closed: Mapping[str, datetime] | None = None,
    holds: Mapping[HoldKey, Hold] | None = None,
    not_taken: Collection[BalanceKey] = (),
    policies: Mapping[str, Policy] | None = None,
) -> Decision:
    """Decide a group.

    `balances` holds the locked balance of every account that exists, `existing` the entries of these ids that the books
    have already, `closed` the first open instant of each tenant that has closed a period, `holds` the holds of these ids,
    `not_taken` the accounts that exist but do not take the currency, and `policies` what each tenant lets nobody do
    alone. Each entry is recorded after everything on its accounts, whatever the clocks of several machines show, so that the
    order of record is on each account the order of posting; and a microsecond after the entry before it, unless one of its
    accounts was posted to later than now.
    """
    group = _Group(
        balances=balances,
        existing=existing,
        now=now,
        closed=closed or {},
        holds=holds or {},
        not_taken=not_taken,
        policies=policies or {},
    )
    for instruction in instructions:
        try:
            match instruction:
                case Booking():
                    outcome: Outcome | Held = group.book(instruction)
                case Placing():
                    outcome = group.place(instruction)
                case Releasing():
                    outcome = group.release(instruction)
                case _:
                    assert_never(instruction)
        except Rejected as reason:
            subject = instruction.entry.id if isinstance(instruction, Booking) else instruction.hold.id
            outcome = Refused(entry_id=subject, reason=reason)
        group.outcomes.append(outcome)
    if group.has_later:
        # Their places in the group follow the instants, and each account has its entries in their order as before.
        group.posted.sort(key=attrgetter("posted_at"))
    return Decision(
        outcomes=group.outcomes,
        posted=group.posted,
        balances=group.changed,
        placed=group.placed,
        resolved=group.resolved,
    )


class _Group:
    """The books in memory while a group is decided."""

    def __init__(
        self,
        *,
        balances: Mapping[BalanceKey, Balance],
        existing: Mapping[EntryKey, ExistingEntry],
        now: datetime,
        closed: Mapping[str, datetime],
        holds: Mapping[HoldKey, Hold],
        not_taken: Collection[BalanceKey],
        policies: Mapping[str, Policy],
    ) -> None:
        self._books = dict(balances)
        self._existing = dict(existing)
        self._holds = dict(holds)
        self._closed = closed
        self._not_taken = not_taken
        self._policies = policies
        self._now = now
        self._at = now
        last = max([b.posted_at for b in balances.values() if b.posted_at is not None], default=None)
        self.has_later = last is not None and last >= now
        """Whether one of the balances was posted to at a later instant than now, by another process."""
        self.outcomes: list[Outcome | Held] = []
        self.posted: list[NewEntry] = []
        self.changed: dict[BalanceKey, Balance] = {}
        self.placed: dict[HoldKey, Hold] = {}
        self.resolved: dict[HoldKey, Hold] = {}

    def book(self, booking: Booking) -> Outcome:
        entry = booking.entry
        digest = entry.digest
        key = (entry.tenant_id, entry.id)
        before = self._existing.get(key)
        if before is not None:
            if before.digest != digest and booking.captures is not None:
                raise HoldResolved(f"the hold {booking.captures.id} was captured with another amount")
            if before.digest != digest:
                raise EntryConflict(f"the entry {entry.id} exists in the books with other content")
            return Replayed(entry_id=entry.id, posted_at=before.posted_at)
        self._require_approval(booking)
        at = self._after_accounts(entry) if self.has_later else self._at
        effective_at = self._effective_at(entry)
        touched: dict[BalanceKey, Balance] = {}
        # As it was placed, whatever the caller has sent.
        captured = None if booking.captures is None else self._capturable(booking.captures, entry)
        if captured is not None:
            touched = self._freed(captured)
        after: list[Balance] = []
        for line in entry.lines:
            balance_key = (entry.tenant_id, line.account_id, line.currency)
            balance = (touched.get(balance_key) or self._balance(balance_key)).after(line, posted_at=at)
            touched[balance_key] = balance
            after.append(balance)
        self._require_limits(touched)
        # Nothing is refused from here on.
        self._change(touched)
        if captured is not None:
            self._resolve(captured.captured_by(entry, at=self._now))
        self._existing[key] = ExistingEntry(digest=digest, posted_at=at)
        self.posted.append(
            NewEntry(entry=entry, digest=digest, posted_at=at, effective_at=effective_at, balances_after=after)
        )
        self._at += _TICK
        return Posted(entry_id=entry.id, posted_at=at)

    def place(self, placing: Placing) -> Held:
        hold = placing.hold
        before = self._holds.get((hold.tenant_id, hold.id))
        if before is not None:
            if not before.is_same_promise_as(hold):
                raise HoldConflict(f"there is a hold {hold.id} with other content")
            return Held(hold=before)
        hold.require_future()
        self._require_approval(placing)
        touched: dict[BalanceKey, Balance] = {}
        for side, account_id in hold.sides:
            key = (hold.tenant_id, account_id, hold.currency)
            touched[key] = self._balance(key).pending(side, hold.amount_minor)
        self._require_limits(touched)
        self._change(touched)
        self._holds[hold.tenant_id, hold.id] = self.placed[hold.tenant_id, hold.id] = hold
        return Held(hold=hold)

    def release(self, releasing: Releasing) -> Held:
        hold = self._hold(releasing.hold)
        if hold.state is releasing.state:
            return Held(hold=hold)
        if hold.state is not HoldState.OPEN:
            raise HoldResolved(f"the hold {hold.id} is {hold.state.lower()} already")
        self._change(self._freed(hold))
        return Held(hold=self._resolve(hold.let_go(releasing.state, at=self._now)))

    def _require_approval(self, instruction: Instruction) -> None:
        policy = self._policies.get(tenant_of(instruction)) if self._policies else None
        if policy is not None and policy.demands_two(instruction):
            raise ApprovalRequired(
                f"this tenant lets nobody do this alone, by revision {policy.revision} of its policy: propose it as entries"
            )

    def _after_accounts(self, entry: Entry) -> datetime:
        """Return the instant at which an entry is recorded: after everything on its own accounts.

        Accounts of other entries say nothing about it: else what was once recorded by a clock that is ahead would move
        the instants of every tenant whose entry is in a group with it, and from their accounts on to the next.
        """
        at = self._at
        for line in entry.lines:
            balance = self._books.get((entry.tenant_id, line.account_id, line.currency))
            if balance is not None and balance.posted_at is not None and balance.posted_at >= at:
                at = balance.posted_at + _TICK
        return at

    def _effective_at(self, entry: Entry) -> datetime:
        """Return when an entry counts in the books.

        What happened in the world cannot be refused, so an entry that a message caused moves into the first open instant
        and keeps its `occurred_at`; one that a person requests is refused, and the refusal names the first open instant.
        """
        first_open = self._closed.get(entry.tenant_id)
        if first_open is None or entry.occurred_at >= first_open:
            return entry.occurred_at
        if entry.source_event_id is None:
            raise PeriodClosed(
                f"the books are closed before {iso(first_open)}: post the correction with an occurred_at of then or later"
            )
        return first_open

    def _hold(self, named: Hold) -> Hold:
        hold = self._holds.get((named.tenant_id, named.id))
        if hold is None:
            raise HoldNotFound(f"there is no hold {named.id}")
        return hold

    def _capturable(self, named: Hold, entry: Entry) -> Hold:
        hold = self._hold(named)
        if hold.state is not HoldState.OPEN:
            raise HoldResolved(f"the hold {hold.id} is {hold.state.lower()} already")
        if hold.is_due(self._now):
            raise HoldResolved(f"the hold {hold.id} has expired")
        if entry.amount_minor > hold.amount_minor:
            raise HoldExceeded(f"the hold {hold.id} holds less than is to be captured")
        return hold

    def _freed(self, hold: Hold) -> dict[BalanceKey, Balance]:
        """Return the balances of a hold's accounts without it."""
        freed: dict[BalanceKey, Balance] = {}
        for side, account_id in hold.sides:
            key = (hold.tenant_id, account_id, hold.currency)
            freed[key] = self._balance(key).pending(side, -hold.amount_minor)
        return freed

    def _balance(self, key: BalanceKey) -> Balance:
        balance = self._books.get(key)
        if balance is None:
            if key in self._not_taken:
                raise CurrencyNotTaken(f"the account {key[1]} does not take {key[2]}")
            raise AccountUnknown(f"the chart has no account {key[1]}")
        return balance

    def _require_limits(self, touched: Mapping[BalanceKey, Balance]) -> None:
        for key, balance in touched.items():
            if balance.is_limited:
                require_within_limits(key[1], self._books[key], balance)

    def _change(self, touched: Mapping[BalanceKey, Balance]) -> None:
        self._books.update(touched)
        self.changed.update(touched)

    def _resolve(self, hold: Hold) -> Hold:
        key = (hold.tenant_id, hold.id)
        self._holds[key] = hold
        # One that is placed and resolved in the same group is written once, as it is at the end.
        (self.placed if key in self.placed else self.resolved)[key] = hold
        return hold
