"""Own units: what no currency is called, with decimals that the code says."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.currencies import EXPONENTS
from libs.common.errors import Invalid
from libs.common.money import (
    OWN_UNIT_MINOR_MAX,
    amount_minor_max,
    currency,
    format_minor,
    is_booked,
    is_currency,
    is_known_currency,
    is_own_unit,
    parse_amount,
)

CODES = st.from_regex(r"[A-Z]([A-Z][0-9]|[0-8][A-Z])", fullmatch=True)


@pytest.mark.parametrize(("code", "decimals"), [("PT0", 0), ("PT2", 2), ("BT9", 9), ("E0T", 10), ("E8T", 18)])
def test_the_code_of_an_own_unit_says_its_decimals(code: str, decimals: int) -> None:
    assert is_own_unit(code)
    assert currency(code).exponent == decimals
    text = format_minor(10**decimals, code)
    assert text == (f"1.{'0' * decimals}" if decimals else "1")
    assert parse_amount(text, code, own=True) == 10**decimals


@pytest.mark.parametrize("code", ["", "PT", "PTS", "pt2", "P9T", "1PT", "P22", "222", "PT22", "PT2\n", "ÄB2", "PT٢"])
def test_no_other_text_is_an_own_unit(code: str) -> None:
    assert not is_own_unit(code)
    with pytest.raises(Invalid) as refused:
        parse_amount("1", code, own=True)
    assert refused.value.reason == "unsupported_currency"


def test_no_currency_looks_like_an_own_unit() -> None:
    assert [code for code in EXPONENTS if is_own_unit(code)] == []
    assert not is_currency("PT2")
    assert not is_known_currency("PT2")
    assert is_booked("PT2")


@pytest.mark.parametrize("withdrawn", [False, True])
def test_an_amount_of_a_payment_is_never_in_an_own_unit(*, withdrawn: bool) -> None:
    with pytest.raises(Invalid, match="own units are for the books alone") as refused:
        parse_amount("1", "PT2", withdrawn=withdrawn)
    assert refused.value.reason == "unsupported_currency"


@pytest.mark.parametrize(
    ("code", "most"), [("E8T", "1.000000000000000000"), ("BT8", "10000000000.00000000"), ("PT0", "1" + "0" * 18)]
)
def test_an_amount_of_an_own_unit_has_a_bound(code: str, most: str) -> None:
    assert amount_minor_max(code) == OWN_UNIT_MINOR_MAX
    assert parse_amount(most, code, own=True) == OWN_UNIT_MINOR_MAX
    with pytest.raises(Invalid, match=f"amount must not exceed {most} {code}") as refused:
        parse_amount(Decimal(most) + Decimal("0.1"), code, own=True)
    assert refused.value.reason == "invalid_amount"


@given(CODES, st.integers(1, OWN_UNIT_MINOR_MAX))
def test_an_amount_of_an_own_unit_is_read_as_it_is_written(code: str, minor: int) -> None:
    assert parse_amount(format_minor(minor, code), code, own=True) == minor
    assert format_minor(-minor, code) == f"-{format_minor(minor, code)}"
