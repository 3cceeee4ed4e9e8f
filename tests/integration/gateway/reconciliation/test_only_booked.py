"""What the books alone have is found by the run whose window has its posting, however old its payment is, and settles."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.base import Message
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntriesPosted, EntryFact, EntryFactPage, ListEntryFacts
from libs.common.ids import new_id
from services.gateway.reconciliation.runs.commands import posted, reading
from services.gateway.reconciliation.runs.domain import entry_of
from tests.integration.gateway.reconciliation.conftest import Office
from tests.integration.gateway.reconciliation.listing import Listing, Paid
from tests.integration.gateway.reconciliation.test_at_once import paid, record
from tests.support.bank_histories import payout_row

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)
LATELY = SINCE + timedelta(hours=3)
K = EntryKind


class Posting(Listing):
    """Sides whose books list what was posted in a time, `page_max` entries at once."""

    def __init__(self, *all_paid: Paid) -> None:
        super().__init__(*all_paid)
        self.page_max = 5_000
        self.knows_posted = True

    async def request(self, message: Message) -> Any:
        """Answer."""
        if not isinstance(message, ListEntryFacts) or message.posted_from is None or not self.knows_posted:
            return await super().request(message)
        assert message.posted_until is not None
        behind = message.posted_from, message.after or UUID(int=0)
        found = sorted(
            (
                each
                for each in self.booked
                if behind < (each.posted_at, each.entry_id) and each.posted_at < message.posted_until
            ),
            key=lambda each: (each.posted_at, each.entry_id),
        )
        page = found[: self.page_max]
        payments = {each.payment_intent_id for each in page if each.payment_intent_id} - {None}
        is_last = len(page) < self.page_max
        return EntryFactPage(
            items=(),
            posted=EntriesPosted(
                alone=",".join(str(each.entry_id) for each in page if each.payment_intent_id is None),
                payment_intent_ids=",".join(str(each) for each in payments if message.until and each <= message.until),
                next_from=None if is_last else page[-1].posted_at,
                next_after=None if is_last else page[-1].entry_id,
            ),
        )

    def book(
        self, kind: EntryKind, subject: UUID, *, intent: UUID | None = None, occurred_at: datetime = LATELY
    ) -> str:
        """Post an entry in the window, which follows from a subject; returns its id."""
        entry = EntryFact(
            entry_id=entry_of(subject, kind),
            kind=kind,
            payment_intent_id=intent,
            currency="BRL",
            amount_minor=100,
            amounts={"DISPUTE_LOSSES" if kind is K.DISPUTE_LOST else "PROCESSOR_PENDING": 100},
            occurred_at=occurred_at,
            posted_at=LATELY + timedelta(seconds=len(self.booked) // 2),
        )
        self.booked.append(entry)
        return str(entry.entry_id)


@pytest.fixture
def sides(office: Office) -> Posting:
    found = Posting(*(paid(number) for number in range(4)))
    office.sides = found
    office.runs = office.another()
    return found


async def unsettled(office: Office) -> set[tuple[str, str, str]]:
    rows = await office.rows(
        "SELECT type, subject_kind, subject FROM discrepancies WHERE tenant_id = $1 AND aspect = 'entry' AND settled_at IS NULL"
    )
    return {(row["type"], row["subject_kind"], row["subject"]) for row in rows}


async def known(office: Office, sides: Posting) -> None:
    """Record what explains entries: payments that agree, a fee, a payout and an opening."""
    paid_of = [paid(number) for number in range(4)]
    sides.facts, sides.booked = [], []
    for each in paid_of:
        # Its movement is found by no window, so that it is its entry by which the payment is looked at.
        entries = [msgspec.structs.replace(entry, posted_at=LATELY) for entry in each.entries]
        sides.facts += Listing(each).facts
        sides.booked += entries
    await record(office, *paid_of)
    fee = new_id(LATELY)
    await office.move(100, LATELY, movement_id=fee, status="available")
    payout = payout_row(office.tenant_id, "po_1", 5_000, LATELY.date()) | {"payout_id": UUID(int=7 << 32)}
    async with office.database.connection() as connection:
        await connection.execute(
            f"INSERT INTO processor_payouts ({', '.join(payout)}) "
            f"VALUES ({', '.join(f'${number}' for number in range(1, len(payout) + 1))})",
            *payout.values(),
        )
        opening = new_id(SINCE - timedelta(days=90))
        await connection.execute(
            "INSERT INTO processor_openings (account_id, is_live, tenant_id, opened_at, currency, movement_id, pending_minor, "
            "available_minor) VALUES ($1, false, $1, $2, 'BRL', $3, 1, 1)",
            office.tenant_id,
            LATELY,
            opening,
        )
    for kind, subject in (
        (K.MOVEMENT, fee),
        (K.AVAILABLE, fee),
        (K.PAYOUT_PAID, payout["payout_id"]),
        (K.PAYOUT_DEBITED, payout["payout_id"]),
        (K.MOVEMENT, opening),
        (K.AVAILABLE, opening),
    ):
        sides.book(kind, subject)


@pytest.mark.parametrize("page_max", [1, 3, 5_000])
async def test_what_the_books_alone_have_is_found_and_nothing_else(
    office: Office, sides: Posting, monkeypatch: pytest.MonkeyPatch, page_max: int
) -> None:
    monkeypatch.setattr(posted, "LISTED_MAX", 2)
    monkeypatch.setattr(reading, "_STEP_MAX", 2)
    sides.page_max = page_max
    await known(office, sides)
    run = await office.compare(SINCE, UNTIL)
    assert (run.state, run.payments, await unsettled(office)) == ("complete", 4, set())
    intent = sides.facts[0].payment_intent_id
    strange = {
        ("MISSING_REMOTE", "movement", sides.book(K.MOVEMENT, new_id(LATELY))),
        ("MISSING_REMOTE", "movement", sides.book(K.AVAILABLE, new_id(LATELY))),
        ("MISSING_REMOTE", "payout", sides.book(K.PAYOUT_PAID, new_id(LATELY))),
        ("MISSING_REMOTE", "payout", sides.book(K.PAYOUT_DEBITED, UUID(int=9))),
        ("MISSING_LOCAL", "dispute", sides.book(K.DISPUTE_LOST, new_id(LATELY), intent=intent)),
        ("MISSING_LOCAL", "refund", sides.book(K.REFUND, new_id(LATELY), intent=intent)),
    }
    sides.book(K.MANUAL, new_id(LATELY))
    run = await office.compare(SINCE, UNTIL)
    assert await unsettled(office) == strange
    assert (run.payments, run.new, run.found) == (4, 6, {"MISSING_LOCAL": 2, "MISSING_REMOTE": 4})
    assert (await office.compare(SINCE, UNTIL)).new == 0
    # Another window looks at what is unsettled all the same, and settles what somebody has reversed.
    taken_back = {subject for *_, subject in strange}
    sides.booked = [
        msgspec.structs.replace(each, is_reversed=str(each.entry_id) in taken_back) for each in sides.booked
    ]
    run = await office.compare(UNTIL, UNTIL + timedelta(hours=1))
    assert (await unsettled(office), run.agreed) == (set(), 6)


async def test_what_becomes_known_later_settles(office: Office, sides: Posting) -> None:
    movement = new_id(LATELY)
    entries = {sides.book(kind, movement) for kind in (K.MOVEMENT, K.AVAILABLE, K.MOVEMENT_EXCHANGED)}
    await office.compare(SINCE, UNTIL)
    assert {subject for *_, subject in await unsettled(office)} == entries
    await office.move(100, LATELY, movement_id=movement, status="pending")
    await office.compare(SINCE, UNTIL)
    # It was never exchanged, and it cannot be paid out.
    assert len(await unsettled(office)) == 2
    await office.database.fetch(
        "UPDATE processor_movements SET status = 'available', source_currency = 'EUR', source_amount_minor = 20 "
        "WHERE movement_id = $1 RETURNING id",
        movement,
    )
    await office.compare(SINCE, UNTIL)
    assert await unsettled(office) == set()


async def test_payouts_that_are_older_than_statements_are_left_alone(office: Office, sides: Posting) -> None:
    async def opened(account: str, at: datetime) -> None:
        async with office.database.connection() as connection:
            await connection.execute(
                "INSERT INTO stripe_accounts (account_id, is_live, tenant_id, known_at, booked_from) "
                "VALUES ($2, false, $1, $3, $3)",
                office.tenant_id,
                f"{office.tenant_id}_{account}",
                at,
            )

    await opened("acct_1", LATELY - timedelta(hours=2))
    before, between = LATELY - timedelta(hours=3), LATELY - timedelta(hours=1)
    sides.book(K.PAYOUT_CREATED, new_id(before), occurred_at=before)
    since = sides.book(K.PAYOUT_CREATED, new_id(between), occurred_at=between)
    await office.compare(SINCE, UNTIL)
    found = {("MISSING_REMOTE", "payout", since)}
    assert await unsettled(office) == found
    # An entry names no account: what is of before another one's statement may be of that one. What was found is not settled by it.
    await opened("acct_2", LATELY)
    sides.book(K.PAYOUT_CREATED, new_id(between), occurred_at=between)
    await office.compare(SINCE, UNTIL)
    assert await unsettled(office) == found
    found.add(("MISSING_REMOTE", "payout", sides.book(K.PAYOUT_CREATED, new_id(LATELY))))
    await office.compare(SINCE, UNTIL)
    assert await unsettled(office) == found


async def test_ledger_that_does_not_list_what_was_posted_yet_delays_nothing(office: Office, sides: Posting) -> None:
    sides.knows_posted = False
    sides.book(K.PAYOUT_PAID, new_id(LATELY))
    run = await office.compare(SINCE, UNTIL)
    assert (run.state, await unsettled(office)) == ("complete", set())


@pytest.mark.parametrize(
    ("kind", "named", "expected"),
    [
        ("payout", {"movement_ref": "txn_1"}, {}),
        ("payout", {"movement_ref": "txn_other"}, {"DUPLICATE": 1}),
        ("payout", {"movement_ref": "txn_1", "currency": "EUR"}, {"CURRENCY_MISMATCH": 1}),
        # Which movement it is becomes known with the payout, and may be the later of both.
        ("payout", {"movement_ref": ""}, {}),
        ("payout_return", {"movement_ref": "txn_other", "failure_movement_ref": ""}, {}),
        ("payout_return", {"failure_movement_ref": "txn_other"}, {"DUPLICATE": 1}),
        ("payout", None, {"MISSING_LOCAL": 1}),
    ],
)
async def test_movement_of_a_payout_is_one_that_it_names(
    office: Office, sides: Posting, kind: str, named: dict[str, str] | None, expected: dict[str, int]
) -> None:
    movement = new_id(LATELY)
    await office.move(100, LATELY, movement_id=movement, kind=kind, source_ref="po_1")
    sides.book(K.MOVEMENT, movement)
    if named is not None:
        payout = payout_row(office.tenant_id, "po_1", 100, LATELY.date()) | {"currency": "BRL", **named}
        async with office.database.connection() as connection:
            await connection.execute(
                f"INSERT INTO processor_payouts ({', '.join(payout)}) "
                f"VALUES ({', '.join(f'${number}' for number in range(1, len(payout) + 1))})",
                *payout.values(),
            )
    run = await office.compare(SINCE, UNTIL)
    assert (run.state, run.found) == ("complete", expected)
