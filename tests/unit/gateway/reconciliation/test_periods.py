"""Closed months follow each other, their seals show every change, and what becomes known later is a line and a discrepancy."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.common.contracts.gateway_errors import ReconciliationPeriodInvalid
from libs.common.contracts.gateway_movements import MovementKind
from libs.common.contracts.gateway_reconciliation import DiscrepancyType
from libs.common.contracts.gateway_reports import MovedLine, RunReport, StatementSummary
from libs.common.ids import new_id
from services.gateway.reconciliation.periods import Closing
from services.gateway.reconciliation.periods.domain import (
    LastSeal,
    Seal,
    StoredMonth,
    bounds,
    digest,
    faults,
    require_next,
    sealed_after,
    stored,
)
from services.gateway.reconciliation.runs.domain import late, named_by_month
from tests.support.histories import Writer

NOW = datetime(2026, 12, 3, tzinfo=UTC)


def summary(opening: int, came: int, *, account: str = "acct_1") -> StatementSummary:
    return StatementSummary(
        account_id=account,
        is_live=True,
        currency="BRL",
        opening_minor=opening,
        lines=[MovedLine(kind="charge", number=1, in_minor=came, out_minor=0)] if came else [],
        in_minor=came,
        out_minor=0,
        closing_minor=opening + came,
        off_minor=None,
        compared_at=None,
    )


def report(*statements: StatementSummary) -> RunReport:
    return RunReport(
        window_from=NOW,
        window_until=NOW,
        made_at=NOW,
        statements=[*statements],
        books=[],
        matched=[],
        unsettled=[],
        clearing=[],
    )


def closed(month: str, before: StoredMonth | None, made: RunReport | None = None) -> StoredMonth:
    return stored(
        Seal(
            version=1,
            tenant_id="t",
            month=month,
            ends_before=bounds(month)[1],
            known_until=NOW,
            closed_at=NOW,
            closed_by="ana@example.com",
            run_id=new_id(NOW),
            override_reason="",
            overridden=0,
            overridden_ids=[],
            previous_sha256="" if before is None else before.sha256,
            report=made or report(),
        )
    )


@pytest.mark.parametrize(
    "month", ["2026-13", "2026-00", "26-10", "2026-10\n", "2026-1", "1999-12", "9999-12", "２026-10"]
)
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(ReconciliationPeriodInvalid):
        bounds(month)


def test_months_are_closed_once_they_are_over_and_in_their_order() -> None:
    assert require_next("2026-11", None, now=NOW) == (
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
    )
    last = closed("2026-09", None)
    assert require_next("2026-10", last, now=NOW)[0] == last.ends_before
    for month, before in (("2026-12", None), ("2026-11", last), ("2026-08", last)):
        with pytest.raises(ReconciliationPeriodInvalid):
            require_next(month, before, now=NOW)


def test_seals_show_every_change() -> None:
    first = closed("2026-08", None)
    second = closed("2026-09", first)
    third = closed("2026-10", second)
    last = LastSeal(month=third.month, sha256=third.sha256, months=3)
    assert faults([first, second, third], last) == []
    assert stored(third.seal()) == third
    forged = closed("2026-09", first, report(summary(0, 1)))
    damages: list[tuple[list[StoredMonth], str]] = [
        (
            [first, msgspec.structs.replace(second, sealed=second.sealed.replace("ana@", "eve@")), third],
            "another checksum",
        ),
        ([first, msgspec.structs.replace(second, closed_by="eve@example.com"), third], "not what is sealed"),
        ([first, msgspec.structs.replace(second, override_reason="x", overridden=1), third], "not what is sealed"),
        ([first, forged, third], "after another report of 2026-09"),
        ([first, third], "the month before it is missing"),
        ([second, third], "the month before it is missing"),
        ([first, msgspec.structs.replace(second, month="2026-99")], "the month before it is missing"),
        ([msgspec.structs.replace(first, month="2026-99")], "not what is sealed"),
        ([first, third, second], ""),
    ]
    for months, sentence in damages:
        end = LastSeal(month=months[-1].month, sha256=months[-1].sha256, months=len(months))
        found = faults(months, end)
        assert len(found) == 1 or not sentence, found
        assert found
        assert sentence in found[0]


def test_a_last_month_that_is_missing_is_seen() -> None:
    first = closed("2026-08", None)
    second = closed("2026-09", first)
    last = LastSeal(month=second.month, sha256=second.sha256, months=2)
    forged = closed("2026-09", first, report(summary(0, 1)))
    for months, remembered, named in (
        ([first], last, "2026-09: it was closed"),
        ([], last, "2026-09: it was closed"),
        ([first, forged], last, second.sha256),
        ([second], None, "2026-09: it is not remembered"),
        ([first, second], LastSeal(month=second.month, sha256=second.sha256, months=3), "3 months were closed"),
    ):
        assert any(named in each for each in faults(months, remembered))
    assert faults([], None) == []


def test_a_seal_of_an_earlier_version_holds() -> None:
    month = closed("2026-08", None)
    sealed = month.sealed.replace('"unread":[],', "")
    assert sealed != month.sealed
    month = msgspec.structs.replace(month, sealed=sealed, sha256=digest(sealed))
    assert faults([month], LastSeal(month=month.month, sha256=month.sha256, months=1)) == []


def test_a_month_opens_with_what_the_one_before_closed_with() -> None:
    before = closed("2026-09", None, report(summary(0, 500), summary(0, 70, account="acct_gone")))
    found = sealed_after(report(summary(420, 1_000)), before, {("acct_1", True, "BRL"): 2})
    one, gone = found.statements
    assert one.lines[0] == MovedLine(kind="late", number=2, in_minor=0, out_minor=80)
    assert (one.opening_minor, one.in_minor, one.out_minor, one.closing_minor) == (500, 1_000, 80, 1_420)
    assert (gone.opening_minor, gone.out_minor, gone.closing_minor) == (70, 70, 0)
    same = report(summary(500, 1), summary(70, 0, account="acct_gone"))
    assert sealed_after(same, before, {}) == same
    assert sealed_after(same, None, {}) == same


def test_what_became_known_after_its_month_was_closed_is_late() -> None:
    at = datetime(2026, 10, 31, 12, tzinfo=UTC)
    closings = [
        Closing(month=month, ends_before=bounds(month)[1], known_until=bounds(month)[1] + timedelta(days=3))
        for month in ("2026-09", "2026-10")
    ]

    def moved(created_at: datetime, seen_at: datetime, **more: Any) -> str:
        fact = msgspec.structs.replace(
            Writer(1).move(MovementKind.CHARGE, 100, "BRL", at=at), created_at=created_at, seen_at=seen_at, **more
        )
        found = [*late([fact], closings)]
        assert all(each.type is DiscrepancyType.LATE for each in found)
        return found[0].detail if found else ""

    assert not moved(at, at)
    assert not moved(at, closings[1].known_until - timedelta(microseconds=1))
    assert "after 2026-10 was closed" in moved(at, closings[1].known_until)
    assert "after 2026-09 was closed" in moved(at - timedelta(days=40), closings[1].known_until)
    assert not moved(closings[1].ends_before, NOW)
    # What is not booked is in no report.
    assert not moved(at, NOW, is_booked=False)
    (difference,) = late(
        [msgspec.structs.replace(Writer(1).move(MovementKind.CHARGE, 100, "BRL", at=at), seen_at=NOW)], closings
    )
    other = msgspec.structs.replace(difference, type=DiscrepancyType.NOT_BOOKED, detail="it is not in the books")
    assert named_by_month(other, closings) == "it is not in the books; 2026-10, in which it happened, is closed"
    assert named_by_month(other, []) == other.detail
