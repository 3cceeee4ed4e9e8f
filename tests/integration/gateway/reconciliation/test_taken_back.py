"""Entries that somebody reverses in the books are missed by the run whose window has the reversal, however old the payment is."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.base import Message
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact, EntryFactPage, ListEntryFacts
from libs.common.ids import derived_id, new_id
from services.gateway.reconciliation.runs import sources
from services.gateway.reconciliation.runs.commands import reading
from services.gateway.reconciliation.runs.domain import entry_of
from tests.integration.gateway.reconciliation.conftest import Office
from tests.integration.gateway.reconciliation.listing import Listing, Paid
from tests.integration.gateway.reconciliation.test_at_once import MADE, paid, record
from tests.support.bank_histories import payout_row

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)
MIDDLE = SINCE + timedelta(hours=12)


class TakingBack(Listing):
    """Sides whose books have reversals of a day, and name them where that is requested."""

    def __init__(self, *all_paid: Paid, alone: list[EntryFact]) -> None:
        super().__init__(*all_paid)
        self.booked += alone
        times = (SINCE, MIDDLE, UNTIL - timedelta.resolution)
        self.reversed_at = {each.entry_id: at for each, at in zip(alone, times, strict=True)}
        self.knows_reversals = True

    async def request(self, message: Message) -> Any:
        """Answer."""
        if not isinstance(message, ListEntryFacts) or message.reversed_from is None or not self.knows_reversals:
            return await super().request(message)
        assert message.reversed_until is not None
        found = sorted(
            (
                msgspec.structs.replace(
                    each,
                    entry_id=derived_id(each.entry_id, "reversal"),
                    kind=EntryKind.REVERSAL,
                    posted_at=posted_at,
                    reverses=each.entry_id,
                )
                for each in self.booked
                for posted_at in [self.reversed_at.get(each.entry_id, SINCE + timedelta(hours=1))]
                if each.is_reversed
                and message.reversed_from <= posted_at < message.reversed_until
                and (each.payment_intent_id is None) is (message.after is None)
                and (message.after is None or (each.payment_intent_id and each.payment_intent_id > message.after))
            ),
            key=lambda each: (each.payment_intent_id or UUID(int=0), each.entry_id),
        )
        page = found[: message.limit]
        return EntryFactPage(
            items=tuple(page), next_after=page[-1].payment_intent_id if len(found) > message.limit else None
        )


def reversed_entry(subject: UUID, kind: EntryKind, amount_minor: int, currency: str) -> EntryFact:
    return EntryFact(
        entry_id=entry_of(subject, kind),
        kind=kind,
        currency=currency,
        amount_minor=amount_minor,
        amounts={},
        occurred_at=MADE,
        posted_at=MADE,
        is_reversed=True,
    )


@pytest.fixture
async def sides(office: Office) -> TakingBack:
    """Payments of which the capture, what moved and that it can be paid out were taken back, a fee and a payout."""
    made = [paid(number) for number in range(6)]
    for place, each in enumerate(made):
        each.entries[place % 3] = msgspec.structs.replace(each.entries[place % 3], is_reversed=True)
    await record(office, *made, paid(9))
    fee = new_id(MADE)
    await office.move(-200, MADE, movement_id=fee, seen_at=MADE)
    payout = payout_row(office.tenant_id, "po_1", 5_000, MADE.date()) | {"updated_at": MADE}
    async with office.database.connection() as connection:
        await connection.execute(
            f"INSERT INTO processor_payouts ({', '.join(payout)}) "
            f"VALUES ({', '.join(f'${number}' for number in range(1, len(payout) + 1))})",
            *payout.values(),
        )
    found = TakingBack(
        *made,
        alone=[
            reversed_entry(fee, EntryKind.MOVEMENT, 200, "BRL"),
            reversed_entry(payout["payout_id"], EntryKind.PAYOUT_PAID, 5_000, "EUR"),
            # By hand, of something of which the gateway knows nothing, under an id of no time.
            reversed_entry(UUID(int=(1 << 128) - 1), EntryKind.MANUAL, 7, "EUR"),
        ],
    )
    office.sides = found
    office.runs = office.another()
    return found


async def not_booked(office: Office) -> set[tuple[str, str]]:
    rows = await office.rows(
        "SELECT subject_kind, subject FROM discrepancies WHERE tenant_id = $1 AND type = 'NOT_BOOKED'"
    )
    return {(row["subject_kind"], row["subject"]) for row in rows}


@pytest.mark.parametrize("step_max", [1, 2, 500])
async def test_what_was_taken_back_in_the_window_is_found_whatever_its_age(
    office: Office, sides: TakingBack, monkeypatch: pytest.MonkeyPatch, step_max: int
) -> None:
    monkeypatch.setattr(reading, "_STEP_MAX", step_max)
    run = await office.compare(SINCE, UNTIL)
    assert run.state == "complete", run.reason
    captured = [("payment", str(each.payment_intent_id)) for each in sides.facts[::3]]
    movements = await office.rows("SELECT id, payment_intent_id, kind FROM processor_movements WHERE tenant_id = $1")
    strange = {each.payment_intent_id for each in sides.facts} - {each.payment_intent_id for each in sides.facts[::3]}
    moved = [
        ("movement", each["id"]) for each in movements if each["kind"] == "fee" or each["payment_intent_id"] in strange
    ]
    [payout] = await office.rows("SELECT payout_id FROM processor_payouts WHERE tenant_id = $1")
    assert await not_booked(office) == {*captured, *moved, ("payout", str(payout["payout_id"]))}
    assert len(captured) + len(moved) == 7
    assert (await office.compare(SINCE, UNTIL)).new == 0


@pytest.mark.parametrize("page_max", [2, 3, 5, 6])
async def test_reversals_of_no_payment_are_all_found_and_each_once(
    sides: TakingBack, monkeypatch: pytest.MonkeyPatch, page_max: int
) -> None:
    monkeypatch.setattr(sources, "ENTRIES_MAX", page_max)
    found = await sources.Sources(sides).reversed_alone("any", since=SINCE, until=UNTIL)
    alone = [each.entry_id for each in sides.booked if each.is_reversed and each.payment_intent_id is None]
    assert sorted(found) == sorted(alone)
    # An instant has no halves: what its page has is returned.
    sides.reversed_at = dict.fromkeys(alone, MIDDLE)
    found = await sources.Sources(sides).reversed_alone("any", since=SINCE, until=UNTIL)
    assert len(found) == len(set(found)) == min(page_max, len(alone))


async def test_what_was_taken_back_at_another_time_is_not_looked_for(office: Office, sides: TakingBack) -> None:
    run = await office.compare(UNTIL, UNTIL + timedelta(hours=1))
    assert (run.state, run.payments, await not_booked(office)) == ("complete", 0, set())
    # A ledger of before this could be requested answers with entries of any kind: none of them is a reversal.
    sides.knows_reversals = False
    run = await office.compare(SINCE, UNTIL)
    assert (run.state, run.payments, await not_booked(office)) == ("complete", 0, set())
