"""A page that the database compares at once: of each payment it says what the comparison of that payment alone says."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_facts import EntryFact
from libs.common.ids import first_id, new_id
from services.gateway.reconciliation.runs import sql
from services.gateway.reconciliation.runs.commands import reading
from services.gateway.reconciliation.runs.domain import entry_of
from services.gateway.reconciliation.runs.domain.run import Run, begun
from tests.integration.gateway.reconciliation.conftest import Office
from tests.integration.gateway.reconciliation.listing import Listing, Paid, entry_columns, paid_columns

MADE = datetime(2026, 10, 30, tzinfo=UTC)
UNTIL = MADE + timedelta(hours=1)
ROLES = {"PROCESSOR_FEES": 29, "TAX_RECOVERABLE": 3, "PLATFORM_FEES": 0}
FEES = '[["processor", 29], ["tax", 3]]'


def paid(number: int) -> Paid:
    """A payment on which all sides agree."""
    at = MADE + timedelta(seconds=number)
    intent, movement = new_id(at), new_id(at)
    roles = {"PROCESSOR_PENDING": 68, **ROLES}
    fields: dict[str, Any] = {"currency": "BRL", "occurred_at": at, "posted_at": at}
    return Paid(
        payment={
            "payment_intent_id": intent,
            "status": "SETTLED",
            "amount_minor": 100,
            "captured_minor": 100,
            "currency": "BRL",
            "gateway_ref": "pi_1",
            "payment_method_type": "card",
            "created_at": at,
            "updated_at": at,
        },
        moved={
            "payment_intent_id": intent,
            "movement_id": movement,
            "kind": "charge",
            "source_ref": f"ch_{number}",
            "net_minor": 68,
            "fee_minor": 32,
            "fee_details": FEES,
            "status": "available",
            "created_at": at,
            "seen_at": at,
            "amount_minor": 100,
        },
        entries=[
            EntryFact(
                entry_id=entry_of(subject, kind),
                kind=kind,
                payment_intent_id=None if kind is EntryKind.AVAILABLE else intent,
                amount_minor=68 if kind is EntryKind.AVAILABLE else 100,
                amounts=roles if kind is EntryKind.MOVEMENT else {},
                **fields,
            )
            for subject, kind in (
                (intent, EntryKind.CAPTURE),
                (movement, EntryKind.MOVEMENT),
                (movement, EntryKind.AVAILABLE),
            )
        ],
    )


def never_captured(number: int) -> Paid:
    """A payment that came to nothing anywhere."""
    made = paid(number)
    return Paid(payment=made.payment | {"captured_minor": 0, "status": "FAILED"}, moved={}, entries=[])


def changed(number: int, side: str, **fields: Any) -> Paid:
    """A payment of which one fact is another one."""
    made = paid(number)
    if side in ("payment", "moved"):
        setattr(made, side, getattr(made, side) | fields)
    else:
        place = ("capture", "movement", "available").index(side)
        made.entries[place] = msgspec.structs.replace(made.entries[place], **fields)
    return made


def _without(number: int, *, place: int) -> Paid:
    made = paid(number)
    del made.entries[place]
    return made


def cases() -> Iterator[tuple[str, Paid, bool]]:
    """Payments, each with one fact changed, and whether they agree all the same."""
    number = iter(range(1, 200))
    yield "all agree", paid(next(number)), True
    yield "never captured", never_captured(next(number)), True
    for side, fields, agrees in (
        ("payment", {"status": "VOIDED"}, True),
        ("payment", {"captured_minor": 99}, False),
        ("payment", {"captured_minor": 0}, False),
        ("payment", {"currency": "EUR"}, False),
        ("moved", {"kind": "release"}, False),
        ("moved", {"kind": "refund", "amount_minor": -100, "net_minor": -132}, False),
        ("moved", {"is_booked": False}, False),
        ("moved", {"currency": "EUR"}, False),
        ("moved", {"amount_minor": 101, "net_minor": 69}, False),
        ("moved", {"source_currency": "EUR", "source_amount_minor": 20}, False),
        ("moved", {"source_amount_minor": 100}, False),
        ("moved", {"movement_id": new_id(MADE)}, False),
        ("moved", {"fee_details": '[["processor", 32]]'}, False),
        ("moved", {"fee_details": '[["processor", 20], ["processor", 9], ["tax", 3]]'}, False),
        ("moved", {"fee_details": '[["tax", 3], ["other", 0], ["processor", 29]]'}, True),
        (
            "moved",
            {"fee_details": '[["tax", 3], ["processor", 29], ["other", 1]]', "net_minor": 67, "fee_minor": 33},
            False,
        ),
        ("moved", {"status": "pending"}, True),
        ("capture", {"amount_minor": 99}, False),
        ("capture", {"currency": "EUR"}, False),
        ("capture", {"is_reversed": True}, False),
        ("capture", {"entry_id": new_id(MADE)}, False),
        ("capture", {"kind": EntryKind.REFUND}, False),
        ("movement", {"is_reversed": True}, False),
        ("movement", {"entry_id": new_id(MADE)}, False),
        ("movement", {"amounts": {"PROCESSOR_PENDING": 68, "PROCESSOR_FEES": 32}}, False),
        ("movement", {"amounts": {"PROCESSOR_PENDING": 67, **ROLES}}, False),
        ("movement", {"amounts": {"PROCESSOR_PENDING": 68, **ROLES, "PLATFORM_FEES": 1}}, False),
        ("movement", {"shared_roles": {"TAX_RECOVERABLE": "PROCESSOR_FEES"}}, False),
        ("available", {"amount_minor": 67}, False),
        ("available", {"currency": "EUR"}, False),
        ("available", {"is_reversed": True}, False),
    ):
        yield f"{side} {fields}", changed(next(number), side, **fields), agrees
    for place in range(3):
        yield f"entry {place} is missing", _without(next(number), place=place), False
    made = paid(next(number))
    made.again = True
    yield "it moved twice", made, False
    for name in ("payment", "moved"):
        made = paid(next(number))
        setattr(made, name, {})
        yield f"{name} is missing", made, False
    made = never_captured(next(number))
    made.entries = paid(next(number)).entries[:1]
    made.entries = [msgspec.structs.replace(made.entries[0], payment_intent_id=made.payment["payment_intent_id"])]
    yield "nothing was captured, and it is booked", made, False


async def record(office: Office, *all_paid: Paid) -> None:
    for each in all_paid:
        if each.moved:
            more = {key: value for key, value in each.moved.items() if key not in ("amount_minor", "created_at")}
            await office.move(each.moved["amount_minor"], each.moved["created_at"], **more)
        if each.again:
            await office.move(100, each.moved["created_at"], **more | {"movement_id": new_id(MADE)})


def _run(office: Office) -> Run:
    return begun(
        tenant_id=office.tenant_id,
        run_id=new_id(MADE),
        window_from=MADE,
        window_until=UNTIL,
        is_dry=False,
        requested_by="ana@example.com",
        at=office.clock.now(),
    )


async def at_once(office: Office, sides: Listing, *, left_max: int = 500, unreported: Sequence[UUID] = ()) -> Any:
    bounds = {"after": first_id(MADE), "until": first_id(UNTIL)}
    expected = await sql.expected_entries(office.database, office.tenant_id, **bounds, limit=1_000)
    return await sql.compare_at_once(
        office.database,
        _run(office),
        **bounds,
        paid=paid_columns(sides.facts),
        booked=entry_columns(sides.booked, expected.split(",")),
        unreported=unreported,
        since=office.clock.now() - timedelta(days=30),
        left_max=left_max,
    )


def intent_of(each: Paid) -> UUID:
    intent: UUID = (each.payment or each.moved)["payment_intent_id"]
    return intent


async def test_what_does_not_agree_is_left_to_be_compared_by_itself(office: Office) -> None:
    all_cases = [*cases()]
    await record(office, *(each for _, each, _ in all_cases))
    result = await at_once(office, Listing(*(each for _, each, _ in all_cases)))
    left = {name for name, each, _ in all_cases if intent_of(each) in result.left}
    assert left == {name for name, _, agrees in all_cases if not agrees}
    agreeing = [each for _, each, agrees in all_cases if agrees]
    assert result.payments == len(agreeing)
    charged = [each for each in agreeing if each.moved]
    assert {**result.totals}.keys() == {"BRL"}
    total = result.totals["BRL"]
    assert (total.number, total.amount_minor, total.in_window_net_minor) == (
        len(charged),
        100 * len(charged),
        68 * len(charged),
    )
    assert {*result.subjects.split(",")} == {str(intent_of(each)) for each in charged}


async def test_a_range_ends_with_the_last_that_may_be_left(office: Office) -> None:
    made = [changed(number, "payment", captured_minor=99) if number % 2 else paid(number) for number in range(1, 9)]
    await record(office, *made)
    result = await at_once(office, Listing(*made), left_max=2)
    assert result.left == (intent_of(made[0]), intent_of(made[2]))
    assert (result.until, result.payments) == (intent_of(made[2]), 1)


@pytest.mark.parametrize(
    ("subject_kind", "state", "reason", "is_left"),
    [
        ("payment", "open", "", True),
        ("payment", "reopened", "", True),
        ("payment", "resolved", "agreed", False),
        ("payment", "resolved", "adjusted", True),
        ("movement", "pending", "", True),
        ("movement", "ignored", "known", False),
    ],
)
async def test_what_something_is_unsettled_about_is_left(
    office: Office, subject_kind: str, state: str, reason: str, *, is_left: bool
) -> None:
    made = paid(1)
    await record(office, made)
    settled = office.clock.now() if state in ("resolved", "ignored") else None
    async with office.database.connection() as connection:
        await connection.execute(
            "INSERT INTO discrepancies (tenant_id, id, type, subject_kind, subject, aspect, payment_intent_id, gateway_ref, currency, "
            "expected_status, actual_status, detail, state, reason, found_at, seen_at, settled_at, run_id) "
            "VALUES ($1, $2, 'NOT_BOOKED', $3, $4, 'book', $5, '', 'BRL', '', '', '', $6, $7, $8, $8, $9, $2)",
            *(office.tenant_id, new_id(MADE), subject_kind, "txn_1" if subject_kind == "movement" else "p"),
            intent_of(made) if subject_kind == "payment" else None,
            *(state, reason, office.clock.now(), settled),
        )
    result = await at_once(office, Listing(made))
    assert (result.left, result.payments) == (((intent_of(made),), 0) if is_left else ((), 1))


async def test_what_became_known_after_its_month_was_closed_is_left(office: Office) -> None:
    known, late = paid(1), paid(2)
    closed = office.clock.now()
    late.moved["seen_at"] = closed
    await record(office, known, late)
    async with office.database.connection() as connection:
        await connection.execute(
            "INSERT INTO reconciliation_periods (tenant_id, month, ends_before, known_until, closed_at, closed_by, run_id, "
            "override_reason, overridden, sha256, previous_sha256, sealed) "
            "VALUES ($1, '2026-10', '2026-11-01T00:00:00Z', $2, $2, 'ana', $3, '', 0, '', '', '')",
            *(office.tenant_id, closed, new_id(MADE)),
        )
    result = await at_once(office, Listing(known, late))
    assert result.left == (intent_of(late),)


async def test_what_a_report_lacks_is_left(office: Office) -> None:
    made = [paid(number) for number in range(3)]
    await record(office, *made)
    result = await at_once(office, Listing(*made), unreported=[intent_of(made[1])])
    assert (result.left, result.payments) == ((intent_of(made[1]),), 2)


async def test_runs_find_and_write_the_same_at_once_and_one_by_one(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with lists, one with an api and a ledger that know none, one in small steps, and one whose pages of entries are cut."""
    all_paid = [each for _, each, _ in cases()]
    await record(office, *all_paid)
    sides = Listing(*all_paid)
    office.sides = sides
    office.runs = office.another()
    results = []
    most = reading._ENTRIES_AT_ONCE_MAX
    for in_columns, left_max, entries_max in ((True, 500, most), (False, 500, most), (True, 3, most), (True, 500, 5)):
        monkeypatch.setattr(reading, "_STEP_MAX", left_max)
        monkeypatch.setattr(reading, "_ENTRIES_AT_ONCE_MAX", entries_max)
        sides.in_columns = in_columns
        run = await office.compare(MADE, UNTIL)
        assert run.state == "complete", run.reason
        written = await office.rows(
            "SELECT movement_id, rule, confidence, subject_kind, subject, entry_id FROM reconciliation_matches "
            "WHERE tenant_id = $1 ORDER BY movement_id"
        )
        unsettled = await office.rows(
            "SELECT id, type, aspect, detail FROM discrepancies WHERE tenant_id = $1 AND settled_at IS NULL ORDER BY id"
        )
        report = msgspec.structs.replace(run.report, made_at=MADE) if run.report else None
        results.append(
            (
                (run.payments, run.movements, run.matched, run.found, run.totals),
                written,
                unsettled,
                report and report.matched,
            )
        )
        office.clock.advance(timedelta(minutes=1))
    assert results == [results[0]] * 4
    assert results[0][1]
    assert results[0][0][3]
