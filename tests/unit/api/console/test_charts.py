"""Charts and the first page's sums: what is drawn is what was reported."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.api.console.charts import HEIGHT, Point, change_of, chart
from services.api.console.pages.overview import RANGES, starts_of, sums_of
from services.api.console.pages.search import amount_of

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


def test_bars_are_as_high_as_their_values() -> None:
    points = [
        Point(label="a", value=Decimal(200), text="200", before=Decimal(100), before_text="100"),
        Point(label="b", value=Decimal(0), text="0"),
        Point(label="c", value=None, text="–"),
    ]
    drawn = chart("Volume", points, total="200", change="", scale=str)
    first, second, third = drawn.columns
    assert first.now is not None
    assert first.before is not None
    assert first.now.height == pytest.approx(first.before.height * 2, abs=0.2)
    assert first.now.y + first.now.height == pytest.approx(HEIGHT - 22, abs=0.2)
    assert (second.now, third.now) == (None, None)
    assert [line.text for line in drawn.lines] == ["0", "100.0", "200"]
    assert [line.text for line in chart("Nothing", points[1:], total="0", change="", scale=str).lines] == ["0"]


def test_a_change_has_something_to_be_compared_with() -> None:
    assert change_of(Decimal(150), Decimal(100)) == Decimal("0.5")
    assert change_of(Decimal(150), Decimal(0)) is None
    assert change_of(None, Decimal(1)) is None


@pytest.mark.parametrize("range_", RANGES, ids=lambda one: one.key)
def test_periods_are_found_again_in_what_is_reported(range_: object) -> None:
    now = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)
    starts = starts_of(range_, now, SAO_PAULO)  # type: ignore[arg-type]
    # The report names instants of the zone's own clock.
    rows = [
        {
            "period": start.astimezone(SAO_PAULO).isoformat(),
            "currency": "BRL",
            "payments": number,
            "authorized": 3,
            "failed": 1,
            "captured_amount": "1.50",
            "refunded_amount": "0.00",
            "disputed_amount": "0.00",
        }
        for number, start in enumerate(starts)
    ]
    count = range_.periods  # type: ignore[attr-defined]
    before, after = sums_of(rows, starts, "BRL", periods=count)
    assert [one.payments for one in before + after] == list(range(count * 2))
    assert after[-1].rate == Decimal("0.75")
    assert starts == sorted(starts)
    assert starts[-1] <= now


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("150.50", "en", ("150.50", "")),
        ("150,50", "pt_BR", ("150.50", "")),
        ("R$ 1.234,56", "pt_BR", ("1234.56", "")),
        ("1,234.56 USD", "pt_BR", ("1234.56", "USD")),
        ("BRL 20", "en", ("20", "BRL")),
        ("customer-7", "en", None),
        ("0190f3a4", "en", None),
        ("1..2", "en", None),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, language: str, found: object) -> None:
    assert amount_of(text, language) == found
