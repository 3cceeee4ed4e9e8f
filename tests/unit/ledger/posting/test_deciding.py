"""A group is decided as if each of its entries had come alone."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from libs.common.contracts.ledger import EntryKind, Side
from libs.common.contracts.ledger_errors import AccountUnknown, BalanceOverflow, EntryConflict, HoldConflict
from libs.common.ids import new_id
from libs.common.observability.correlation import Correlation
from services.ledger.core import BALANCE_MINOR_MAX, Balance, Entry, Hold, HoldState, Line
from services.ledger.posting import (
    BalanceKey,
    Booking,
    Decision,
    ExistingEntry,
    Held,
    Placing,
    Posted,
    Refused,
    Replayed,
    decide,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
CASH, REVENUE = new_id(), new_id()
EMPTY = {("t", CASH, "BRL"): Balance(), ("t", REVENUE, "BRL"): Balance()}


def booking(
    amount_minor: int = 100, *, entry_id: UUID | None = None, debited: UUID = CASH, credited: UUID = REVENUE
) -> Booking:
    entry = Entry(
        tenant_id="t",
        id=entry_id or new_id(),
        kind=EntryKind.CAPTURE,
        content=f"{amount_minor}",
        payment_intent_id=None,
        occurred_at=NOW,
        source_event_id=None,
        lines=(
            Line(account_id=debited, side=Side.DEBIT, amount_minor=amount_minor, currency="BRL"),
            Line(account_id=credited, side=Side.CREDIT, amount_minor=amount_minor, currency="BRL"),
        ),
    )
    return Booking(entry=entry, correlation=Correlation(correlation_id="c", tenant_id="t"))


def decided(
    *bookings: Booking,
    balances: Mapping[BalanceKey, Balance] = EMPTY,
    existing: Mapping[tuple[str, UUID], ExistingEntry] | None = None,
) -> Decision:
    return decide(bookings, balances=balances, existing=existing or {}, now=NOW)


def test_each_balance_is_written_once_and_each_line_knows_its_own() -> None:
    decision = decided(booking(100), booking(50))
    assert decision.balances["t", CASH, "BRL"] == Balance(debits_minor=150, version=2, posted_at=NOW + TICK)
    assert decision.balances["t", REVENUE, "BRL"] == Balance(credits_minor=150, version=2, posted_at=NOW + TICK)
    assert [[b.version for b in new.balances_after] for new in decision.posted] == [[1, 1], [2, 2]]


def test_entries_are_recorded_in_sequence_after_all_before_them() -> None:
    late = NOW + timedelta(hours=1)
    decision = decided(
        booking(), booking(), balances=EMPTY | {("t", CASH, "BRL"): Balance(debits_minor=1, version=1, posted_at=late)}
    )
    assert [new.posted_at for new in decision.posted] == [late + TICK, late + 2 * TICK]


def test_clock_that_was_ahead_moves_no_account_but_its_own() -> None:
    ahead, other, third = NOW + timedelta(days=365), new_id(), new_id()
    balances = EMPTY | {
        ("t", CASH, "BRL"): Balance(debits_minor=1, version=1, posted_at=ahead),
        ("t", other, "BRL"): Balance(),
        ("t", third, "BRL"): Balance(),
    }
    first, second = (booking(debited=one, credited=third) for one in (CASH, CASH))
    alone, after = (booking(debited=other) for _ in range(2))
    decision = decided(first, alone, second, after, balances=balances)
    # Those that are not on its accounts are recorded now, and their places in the group follow.
    assert [(new.entry.id, new.posted_at) for new in decision.posted] == [
        (alone.entry.id, NOW + TICK),
        (after.entry.id, NOW + 3 * TICK),
        (first.entry.id, ahead + TICK),
        (second.entry.id, ahead + 2 * TICK),
    ]
    assert [outcome.entry_id for outcome in decision.outcomes if isinstance(outcome, Posted)] == [
        one.entry.id for one in (first, alone, second, after)
    ]
    instants = {account: balance.posted_at for (_, account, _), balance in decision.balances.items()}
    assert instants == {
        CASH: ahead + 2 * TICK,
        third: ahead + 2 * TICK,
        other: NOW + 3 * TICK,
        REVENUE: NOW + 3 * TICK,
    }


def test_the_same_entry_twice_in_a_group_is_posted_once() -> None:
    once = booking()
    decision = decided(once, once)
    assert [type(outcome) for outcome in decision.outcomes] == [Posted, Replayed]
    assert decision.balances["t", CASH, "BRL"].debits_minor == 100


def test_same_id_with_other_content_conflicts_in_a_group_and_in_the_books() -> None:
    entry_id = new_id()
    in_group = decided(booking(100, entry_id=entry_id), booking(101, entry_id=entry_id))
    assert [type(outcome) for outcome in in_group.outcomes] == [Posted, Refused]
    existing = {("t", entry_id): ExistingEntry(digest=booking(100).entry.digest, posted_at=NOW)}
    again, other = decided(booking(100, entry_id=entry_id), booking(101, entry_id=entry_id), existing=existing).outcomes
    assert again == Replayed(entry_id=entry_id, posted_at=NOW)
    assert isinstance(other, Refused)
    assert isinstance(other.reason, EntryConflict)


def test_a_refused_entry_leaves_no_trace_and_its_neighbours_stand() -> None:
    decision = decided(booking(1), booking(2, debited=new_id()), booking(3))
    assert [type(outcome) for outcome in decision.outcomes] == [Posted, Refused, Posted]
    refused = decision.outcomes[1]
    assert isinstance(refused, Refused)
    assert isinstance(refused.reason, AccountUnknown)
    assert decision.balances["t", REVENUE, "BRL"].credits_minor == 4


def test_an_overflow_on_the_second_line_takes_the_first_line_back() -> None:
    full = EMPTY | {("t", REVENUE, "BRL"): Balance(credits_minor=BALANCE_MINOR_MAX - 10, version=1)}
    decision = decided(booking(11), booking(10), balances=full)
    refused = decision.outcomes[0]
    assert isinstance(refused, Refused)
    assert isinstance(refused.reason, BalanceOverflow)
    assert decision.balances["t", CASH, "BRL"].debits_minor == 10


def test_an_entry_that_touches_an_account_twice_takes_two_versions() -> None:
    line = Line(account_id=CASH, side=Side.DEBIT, amount_minor=1, currency="BRL")
    twice = Entry(
        tenant_id="t",
        id=new_id(),
        kind=EntryKind.CAPTURE,
        content="two legs",
        payment_intent_id=None,
        occurred_at=NOW,
        source_event_id=None,
        lines=(line, line, Line(account_id=REVENUE, side=Side.CREDIT, amount_minor=2, currency="BRL")),
    )
    decision = decided(Booking(entry=twice, correlation=Correlation(correlation_id="c")))
    assert [b.version for b in decision.posted[0].balances_after] == [1, 2, 1]
    assert decision.balances["t", CASH, "BRL"] == Balance(debits_minor=2, version=2, posted_at=NOW)


def test_captured_hold_is_as_it_was_placed_whatever_the_caller_sends() -> None:
    placed = Hold(
        tenant_id="t",
        id=new_id(),
        debit_account_id=CASH,
        credit_account_id=REVENUE,
        currency="BRL",
        amount_minor=100,
        placed_at=NOW,
    )
    other = msgspec.structs.replace(placed, amount_minor=99)
    pending = {
        ("t", CASH, "BRL"): Balance(pending_debits_minor=100),
        ("t", REVENUE, "BRL"): Balance(pending_credits_minor=100),
    }
    group: list[Booking | Placing] = [
        msgspec.structs.replace(booking(70), captures=other),
        Placing(hold=other),
        Placing(hold=placed),
    ]
    decision = decide(group, balances=pending, existing={}, holds={("t", placed.id): placed}, now=NOW)
    posted, conflicting, again = decision.outcomes
    assert isinstance(posted, Posted)
    assert isinstance(conflicting, Refused)
    assert isinstance(conflicting.reason, HoldConflict)
    assert isinstance(again, Held)
    [captured] = decision.resolved.values()
    assert again.hold == captured
    assert (captured.state, captured.amount_minor, captured.captured_minor) == (HoldState.CAPTURED, 100, 70)
    assert decision.balances["t", CASH, "BRL"].pending_debits_minor == 0
