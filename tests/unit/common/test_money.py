"""Money is read exactly, written exactly, and split without loss."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency as IsoCurrency

from libs.common.currencies import EXPONENTS
from libs.common.errors import Invalid
from libs.common.money import (
    AMOUNT_MINOR_MAX,
    AMOUNT_PATTERN,
    allocate,
    currency,
    format_minor,
    is_currency,
    is_known_currency,
    json_number,
    parse_amount,
)

DECIMALS = {
    0: "BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
    "CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EEK EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD "
    "HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL LTL LVL MAD MDL MGA MKD MMK MNT "
    "MOP MRO MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD "
    "SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STD STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS "
    "VED VEF VES WST XAD XCD XCG YER ZAR ZMK ZMW ZWG ZWL",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""What books may hold amounts in. Never to be shortened or moved: stored amounts would be read as others."""


@pytest.mark.parametrize(
    ("value", "code", "minor"),
    [
        ("150.50", "BRL", 15050),
        (Decimal("150.5"), "BRL", 15050),
        (100, "JPY", 100),
        ("1.234", "KWD", 1234),
        ("0.0001", "CLF", 1),
        (Decimal("59.97000000000001"), "BRL", 5997),
        (Decimal("0.30000000000000004"), "BRL", 30),
        (Decimal("1e2"), "BRL", 10000),
        (Decimal("1E+3"), "JPY", 1000),
        ("00.5", "BRL", 50),
        ("5.000", "BRL", 500),
        (Decimal("0.10"), "USD", 10),
        ("10000000000000.00", "BRL", AMOUNT_MINOR_MAX),
    ],
)
def test_amount_is_read_exactly(value: Decimal | str | int, code: str, minor: int) -> None:
    assert parse_amount(value, code) == minor


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("0", "BRL"),
        ("-1", "BRL"),
        ("0.001", "BRL"),
        ("10.005", "BRL"),
        ("100.55", "JPY"),
        ("0.00000000001", "BRL"),
        ("NaN", "BRL"),
        ("Infinity", "BRL"),
        (Decimal("NaN"), "BRL"),
        (Decimal("Infinity"), "BRL"),
        (Decimal("1E+400"), "BRL"),
        (Decimal("1E-400"), "BRL"),
        ("10000000000000.01", "BRL"),
        ("", "BRL"),
        ("abc", "BRL"),
        ("1_000", "BRL"),
        ("0x10", "BRL"),
        ("1,5", "BRL"),
        ("1e2", "BRL"),
        ("1E+3", "JPY"),
        (" 5.00 ", "BRL"),
        ("5.00\n", "BRL"),
        ("\u00a01", "BRL"),
        ("\uff11\uff12", "BRL"),
        ("\u0661", "BRL"),
        ("+1", "BRL"),
        (".5", "BRL"),
        ("5.", "BRL"),
        ("0.30000000000000004", "BRL"),
        ("10.000000009", "BRL"),
        ("59.97000000000001", "BRL"),
        ("1" * 41, "BRL"),
    ],
)
def test_what_is_not_a_plain_positive_amount_is_refused(value: Decimal | str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_amount(value, code)
    assert refused.value.reason == "invalid_amount"


@pytest.mark.parametrize("code", ["brl", "XYZ", "BRLX", "", "XAU", "XXX"])
def test_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_amount("1", code)
    assert refused.value.reason == "unsupported_currency"
    assert refused.value.detail == "unsupported currency"
    assert not is_currency(code)


@pytest.mark.parametrize("code", ["BRL", "JPY", "KWD", "CLF"])
def test_active_currency_is_known(code: str) -> None:
    assert is_currency(code)


@pytest.mark.parametrize("code", ["BGN", "HRK"])
def test_in_a_withdrawn_currency_amounts_are_read_but_not_agreed(code: str) -> None:
    assert is_known_currency(code)
    assert not is_currency(code)
    assert format_minor(15050, code) == "150.50"
    assert parse_amount("150.50", code, withdrawn=True) == 15050
    with pytest.raises(Invalid) as refused:
        parse_amount("150.50", code)
    assert refused.value.reason == "unsupported_currency"


def test_update_of_the_currencies_forgets_none_and_moves_no_exponent() -> None:
    known = {code: decimals for decimals, codes in DECIMALS.items() for code in codes.split()}
    assert {code: currency(code).exponent for code in known} == known


def test_each_currency_of_the_package_is_written_down_with_its_decimals() -> None:
    listed = {one.code: one.exponent for one in IsoCurrency if one.exponent is not None}
    assert {code: EXPONENTS.get(code) for code in listed} == listed
    assert all(is_currency(code) for code in listed)


@pytest.mark.parametrize(
    ("code", "written"), [("ITL", "15050"), ("DEM", "150.50"), ("BYR", "15050"), ("SKK", "150.50")]
)
def test_an_amount_in_a_historic_currency_is_read_for_ever(code: str, written: str) -> None:
    assert format_minor(15050, code) == written
    assert not is_currency(code)


@pytest.mark.parametrize("text", ["0", "-1.5", "150.50", "1e2", "1E-3", "59.97000000000001"])
def test_json_number_is_read_exactly(text: str) -> None:
    assert json_number(text) == Decimal(text)


@pytest.mark.parametrize(
    "text", ["", "NaN", "Infinity", "1_000", "1e1000", "1" * 41, "0." + "1" * 61, "+1", " 1", "1\n"]
)
def test_what_is_no_json_number_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        json_number(text)
    assert refused.value.reason == "invalid_amount"


@given(st.integers(1, AMOUNT_MINOR_MAX), st.sampled_from(["JPY", "BRL", "KWD", "CLF"]))
def test_what_is_written_is_read_back(minor: int, code: str) -> None:
    text = format_minor(minor, code)
    assert parse_amount(text, code) == minor
    decimals = len(text.partition(".")[2])
    assert decimals == currency(code).exponent


@given(st.text(max_size=40) | st.text("0123456789.eE+- \n\u00a0\uff11", max_size=12))
def test_any_text_is_either_an_amount_or_a_clear_refusal(text: str) -> None:
    try:
        assert 0 < parse_amount(text, "BRL") <= AMOUNT_MINOR_MAX
        # As JSON Schema reads the documented pattern: ASCII digits, and `$` is the very end.
        assert re.fullmatch(AMOUNT_PATTERN.removeprefix("^").removesuffix("$"), text, re.ASCII)
    except Invalid as refused:
        assert refused.detail


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_any_decimal_is_either_an_amount_or_a_clear_refusal(value: Decimal) -> None:
    try:
        assert 0 < parse_amount(value, "BRL") <= AMOUNT_MINOR_MAX
    except Invalid as refused:
        assert refused.detail


def test_negative_sums_are_written_with_their_sign() -> None:
    assert format_minor(-15050, "BRL") == "-150.50"
    assert format_minor(0, "BRL") == "0.00"
    assert format_minor(-5, "JPY") == "-5"


@given(st.integers(0, AMOUNT_MINOR_MAX), st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any))
def test_split_loses_nothing_and_is_fair(amount: int, weights: list[int]) -> None:
    shares = allocate(amount, tuple(weights))
    assert sum(shares) == amount
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - amount * weight / sum(weights)) < len(weights) + amount * 1e-12
        assert share == 0 or weight > 0


@pytest.mark.parametrize("weights", [(), (0, 0), (1, -1)])
def test_split_without_sensible_weights_is_refused(weights: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="weights"):
        allocate(100, weights)


def test_earliest_shares_that_have_a_weight_take_the_remainder() -> None:
    assert allocate(2, (0, 1, 1, 1)) == (0, 1, 1, 0)
    assert allocate(100, (1, 1, 1)) == (34, 33, 33)
    assert allocate(5, (1,)) == (5,)
