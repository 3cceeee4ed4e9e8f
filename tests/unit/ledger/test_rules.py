"""The posting rules, as an accountant reads them."""

from datetime import UTC, datetime, timedelta

import pytest

from libs.common.contracts.ledger import EntryKind, Side
from libs.common.ids import derived_id, new_id
from services.ledger.chart import default_account_id
from services.ledger.domain import Chart, Entry, Role
from services.ledger.errors import EntryInvalid
from services.ledger.rules import capture_entry

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CHART = Chart(tenant_id="t", roles={role: default_account_id("t", role) for role in Role})
INTENT = new_id()


def capture(
    *, amount_minor: int = 15050, currency: str = "BRL", captured_at: datetime = NOW, chart: Chart = CHART
) -> Entry:
    return capture_entry(
        chart,
        payment_intent_id=INTENT,
        amount_minor=amount_minor,
        currency=currency,
        captured_at=captured_at,
        source_event_id=new_id(),
    )


def test_a_capture_debits_cash_and_credits_revenue() -> None:
    entry = capture()
    assert [(line.side, line.account_id, line.amount_minor, line.currency) for line in entry.lines] == [
        (Side.DEBIT, CHART.roles[Role.CASH], 15050, "BRL"),
        (Side.CREDIT, CHART.roles[Role.REVENUE], 15050, "BRL"),
    ]
    assert (entry.kind, entry.payment_intent_id, entry.occurred_at) == (EntryKind.CAPTURE, INTENT, NOW)


def test_a_capture_told_twice_is_the_same_entry_whatever_the_hour_and_the_chart() -> None:
    remapped = Chart(tenant_id="t", roles={role: new_id() for role in Role})
    first, second = capture(), capture(captured_at=NOW + timedelta(seconds=3), chart=remapped)
    assert first.id == second.id == derived_id(INTENT, "capture")
    assert first.digest == second.digest


def test_a_capture_of_another_amount_is_other_content() -> None:
    assert capture().digest != capture(amount_minor=15051).digest
    assert capture().digest != capture(currency="USD").digest


@pytest.mark.parametrize(("amount_minor", "currency"), [(0, "BRL"), (-1, "BRL"), (10**16, "BRL"), (100, "BRLX")])
def test_a_capture_that_no_book_can_hold_is_refused(amount_minor: int, currency: str) -> None:
    with pytest.raises(EntryInvalid):
        capture(amount_minor=amount_minor, currency=currency)
