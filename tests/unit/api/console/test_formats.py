"""Amounts and times as people read them, also those that are longer or farther away than anybody expects."""

from zoneinfo import ZoneInfo

import pytest

from services.api.console.texts import language
from services.api.console.values import Formats
from services.api.console.visits import Preferences


def _formats(zone: str = "America/Sao_Paulo", code: str = "en") -> Formats:
    return Formats(Preferences(language=language(code), theme="", zone=ZoneInfo(zone)))


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("1.234", "KWD", "KWD1.234"),
        ("1000", "JPY", "¥1,000"),
        ("1.2345", "CLF", "CLF1.2345"),
        ("12345678901234567890123456789012.34", "BRL", "R$12,345,678,901,234,567,890,123,456,789,012.34"),
        ("1E+999999", "BRL", "1E+999999 BRL"),
        ("much", "BRL", "much"),
        ("-0.01", "", "-0.01"),
    ],
)
def test_an_amount_is_exact_however_long(amount: str, currency: str, shown: str) -> None:
    assert _formats().money(amount, currency) == shown


def test_a_number_without_end_is_shown_as_it_is() -> None:
    assert _formats().number("1E+999999") == "1E+999999"


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Tokyo"])
def test_the_first_and_the_last_instant_are_shown_as_they_are(zone: str) -> None:
    for instant in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        assert _formats(zone).time(instant) == instant
        assert _formats(zone).clock(instant) == ""
