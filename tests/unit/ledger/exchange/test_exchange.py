"""Exchange is exact: rates are fractions, amounts are rounded once, and both sides of a conversion balance by themselves."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from libs.common.contracts.ledger import AccountBalance, AccountType, Side
from libs.common.contracts.ledger_errors import ConversionTooLarge, ConversionTooSmall, RateInvalid, RateUnknown
from libs.common.contracts.ledger_roles import Role
from libs.common.errors import Invalid
from libs.common.ids import new_id
from libs.common.money import AMOUNT_MINOR_MAX, currency
from services.ledger.accounts import default_roles
from services.ledger.core import (
    BASES,
    Chart,
    Entry,
    Pair,
    Quote,
    Rate,
    check_rate,
    exchange,
    half_even,
    needed_pairs,
    quote,
)
from services.ledger.exchange.queries import consolidate
from services.ledger.posting_rules import Conversion, conversion_entries

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CHART = Chart(tenant_id="t", roles=default_roles("t"))
ROLE_OF = {account_id: role for role, account_id in CHART.roles.items()}
BY_EXPONENT = {0: "JPY", 2: "BRL", 3: "KWD", 4: "CLF"}
"""A currency of each exponent that ISO 4217 has."""
CODES = st.sampled_from(["JPY", "BRL", "KWD", "CLF", "USD", "EUR", "KRW", "TND", "UYW"])
RATES = st.decimals(min_value=Decimal("0.000001"), max_value=Decimal("1000000"), places=6).filter(lambda rate: rate > 0)
AMOUNTS = st.integers(min_value=1, max_value=10**9)


def rate(from_currency: str, to_currency: str, worth: str, *, at: datetime = NOW) -> Rate:
    return Rate(
        tenant_id="t",
        id=new_id(),
        from_currency=from_currency,
        to_currency=to_currency,
        rate=Decimal(worth),
        effective_at=at,
        source="ECB",
        recorded_at=at,
        recorded_by="test",
    )


def book(*rates: Rate) -> Mapping[Pair, Rate]:
    return {(one.from_currency, one.to_currency): one for one in rates}


def test_there_is_a_currency_of_every_exponent_from_0_to_4() -> None:
    assert {currency(code).exponent for code in BY_EXPONENT.values()} == {0, 2, 3, 4}
    # ISO 4217 has no currency of one decimal today; the arithmetic asks the table and nothing else.


@pytest.mark.parametrize(
    ("from_currency", "to_currency", "worth", "amount_minor", "converted_minor"),
    [
        ("USD", "JPY", "150.37", 100, 150),
        ("JPY", "USD", "0.00665", 1000, 665),
        ("USD", "KWD", "0.3075", 100, 308),
        ("KWD", "USD", "3.25203", 1, 0),
        ("CLF", "JPY", "5821.5", 10_000, 5822),
        ("BRL", "CLF", "0.0044", 100, 44),
        ("USD", "BRL", "5.4321", 1, 5),
        # Halves go to the even neighbour: 2.5 to 2, 3.5 to 4.
        ("USD", "EUR", "0.5", 5, 2),
        ("USD", "EUR", "0.5", 7, 4),
    ],
)
def test_an_amount_is_sent_in_the_other_currencys_minor_units(
    from_currency: str, to_currency: str, worth: str, amount_minor: int, converted_minor: int
) -> None:
    quoted = quote(book(rate(from_currency, to_currency, worth)), from_currency, to_currency)
    assert half_even(quoted.worth(amount_minor)) == converted_minor


def test_a_currency_is_worth_itself() -> None:
    quoted = quote({}, "JPY", "JPY")
    assert quoted.exact == 1
    assert quoted.legs == ()
    assert quoted.worth(7) == 7


def test_latest_rate_of_both_directions_counts_and_the_direct_one_if_equal() -> None:
    earlier = NOW - timedelta(hours=1)
    older_direct = book(rate("USD", "BRL", "5", at=earlier), rate("BRL", "USD", "0.25"))
    quoted = quote(older_direct, "USD", "BRL")
    assert quoted.exact == 4
    assert quoted.shown == Decimal(4)
    assert quoted.legs[0].is_inverse
    same_instant = book(rate("USD", "BRL", "5"), rate("BRL", "USD", "0.25"))
    assert quote(same_instant, "USD", "BRL").exact == 5
    assert quote(same_instant, "BRL", "USD").exact == Fraction(1, 4)


def test_two_currencies_meet_over_the_dollar_and_else_over_the_euro() -> None:
    over_both = book(
        rate("USD", "BRL", "5"), rate("USD", "JPY", "150"), rate("EUR", "BRL", "6"), rate("EUR", "JPY", "160")
    )
    crossed = quote(over_both, "BRL", "JPY")
    assert crossed.exact == Fraction(150, 5)
    assert [(leg.rate.from_currency, leg.rate.to_currency, leg.is_inverse) for leg in crossed.legs] == [
        ("USD", "BRL", True),
        ("USD", "JPY", False),
    ]
    over_euro = {pair: one for pair, one in over_both.items() if "USD" not in pair}
    assert quote(over_euro, "BRL", "JPY").exact == Fraction(160, 6)
    # What is shown has 18 digits; what is computed with is the fraction.
    assert quote(over_euro, "BRL", "JPY").shown == Decimal("26.6666666666666667")
    direct = {**over_both, ("BRL", "JPY"): rate("BRL", "JPY", "29.9")}
    assert quote(direct, "BRL", "JPY").exact == Fraction("29.9")


def test_where_no_rate_leads_it_is_published() -> None:
    with pytest.raises(RateUnknown):
        quote(book(rate("USD", "BRL", "5"), rate("EUR", "JPY", "160")), "BRL", "JPY")


@given(st.sets(CODES, min_size=1), CODES)
def test_the_pairs_that_are_looked_up_are_all_that_a_quote_can_use(codes: set[str], target: str) -> None:
    everything = {
        (one, other) for one in {*codes, target, *BASES} for other in {*codes, target, *BASES} if one != other
    }
    looked_up = set(needed_pairs(codes, target))
    for code in codes:
        for used in ((code, target), *((code, base) for base in BASES), *((base, target) for base in BASES)):
            assert {used, used[::-1]} & everything <= looked_up


@given(CODES, CODES, RATES)
def test_there_and_back_by_the_inverse_is_where_one_was(one: str, other: str, worth: Decimal) -> None:
    assume(one != other)
    rates = book(rate(one, other, str(worth)))
    assert quote(rates, one, other).exact * quote(rates, other, one).exact == 1


@given(CODES, CODES, RATES, AMOUNTS)
def test_amount_exchanged_there_and_back_loses_at_most_both_roundings(
    one: str, other: str, worth: Decimal, amount: int
) -> None:
    assume(one != other)
    there, back = (quote(book(rate(one, other, str(worth))), *pair) for pair in ((one, other), (other, one)))
    converted = half_even(there.worth(amount))
    returned = half_even(back.worth(converted))
    assert abs(returned - amount) <= Fraction(1, 2) * back.worth(1) + Fraction(1, 2)


def converted(quoted: Quote, amount: int, received: int | None = None) -> tuple[Entry, Entry]:
    conversion = Conversion(
        id=new_id(),
        from_account_id=CHART.roles[Role.CASH],
        to_account_id=CHART.roles[Role.BANK],
        from_currency=quoted.from_currency,
        to_currency=quoted.to_currency,
        amounts=exchange(quoted, amount, received_minor=received),
        occurred_at=NOW,
    )
    return conversion_entries(CHART, conversion)


def net(*entries: Entry) -> dict[tuple[Role, str], int]:
    found: Counter[tuple[Role, str]] = Counter()
    for line in (line for entry in entries for line in entry.lines):
        amount = line.amount_minor if line.side is Side.DEBIT else -line.amount_minor
        found[ROLE_OF[line.account_id], line.currency] += amount
    return dict(found)


@given(CODES, CODES, RATES, AMOUNTS, st.one_of(st.none(), AMOUNTS))
def test_entries_of_a_conversion_balance_and_positions_are_worth_the_same(
    one: str, other: str, worth: Decimal, amount: int, received: int | None
) -> None:
    assume(one != other)
    quoted = quote(book(rate(one, other, str(worth))), one, other)
    try:
        sold, bought = converted(quoted, amount, received)
    except (ConversionTooSmall, ConversionTooLarge):
        return
    assert {line.currency for line in sold.lines} == {one}
    assert {line.currency for line in bought.lines} == {other}
    left = net(sold, bought)
    for code in (one, other):
        assert sum(minor for (_, held), minor in left.items() if held == code) == 0
    assert left[Role.CASH, one] == -amount
    assert left[Role.BANK, other] == -left[Role.FX_POSITION, other]
    # Valued by the rate, what was bought is what the position has of the sold currency, to half a minor unit.
    worth_back = left[Role.BANK, other] / quoted.worth(1)
    assert abs(worth_back - left[Role.FX_POSITION, one]) <= Fraction(1, 2)
    # The gain or loss is all that is left, and without a bank's own figure it is rounding alone.
    residue = left.get((Role.FX_GAIN_LOSS, one), 0)
    assert residue == amount - left[Role.FX_POSITION, one]
    if received is None:
        assert abs(residue) <= Fraction(1, 2) / quoted.worth(1) + Fraction(1, 2)


@given(CODES, CODES, CODES, RATES, RATES, AMOUNTS)
def test_a_walk_through_three_currencies_leaves_every_currency_balanced(
    one: str, two: str, three: str, first: Decimal, second: Decimal, amount: int
) -> None:
    assume(len({one, two, three}) == 3)
    rates = book(rate(one, two, str(first)), rate(two, three, str(second)))
    entries: list[Entry] = []
    held = amount
    for pair in ((one, two), (two, three), (three, two), (two, one)):
        quoted = quote(rates, *pair)
        try:
            entries += converted(quoted, held)
            held = exchange(quoted, held).bought_minor
        except (ConversionTooSmall, ConversionTooLarge, Invalid):
            return
    totals: Counter[str] = Counter()
    for (_, code), minor in net(*entries).items():
        totals[code] += minor
    assert set(totals.values()) == {0}


def test_a_conversion_as_an_accountant_sees_it() -> None:
    """100.00 USD at 5.4321: the bank paid 542.00 BRL instead of 543.21, which by the rate is 99.78 USD."""
    quoted = quote(book(rate("USD", "BRL", "5.4321")), "USD", "BRL")
    sold, bought = converted(quoted, 10_000, 54_200)
    shown = [
        [(line.side.value, ROLE_OF[line.account_id].value, line.amount_minor, line.currency) for line in entry.lines]
        for entry in (sold, bought)
    ]
    assert shown == [
        [("DEBIT", "FX_POSITION", 9978, "USD"), ("DEBIT", "FX_GAIN_LOSS", 22, "USD"), ("CREDIT", "CASH", 10000, "USD")],
        [("DEBIT", "BANK", 54200, "BRL"), ("CREDIT", "FX_POSITION", 54200, "BRL")],
    ]
    assert sold.subject_id == bought.subject_id
    assert sold.id != bought.id


def test_what_rounds_to_nothing_or_beyond_the_books_is_refused() -> None:
    quoted = quote(book(rate("JPY", "KWD", "0.0001")), "JPY", "KWD")
    with pytest.raises(ConversionTooSmall):
        exchange(quoted, 1)
    with pytest.raises(ConversionTooLarge):
        exchange(quote(book(rate("JPY", "KWD", "1000")), "JPY", "KWD"), AMOUNT_MINOR_MAX)
    with pytest.raises(ConversionTooSmall):
        exchange(quote(book(rate("USD", "JPY", "1000")), "USD", "JPY"), 10_000, received_minor=1)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"from_currency": "XYZ"}, "/from_currency"),
        ({"to_currency": "usd"}, "/to_currency"),
        ({"to_currency": "USD"}, "/to_currency"),
        ({"rate": Decimal(0)}, "/rate"),
        ({"rate": Decimal(-1)}, "/rate"),
        ({"rate": Decimal("NaN")}, "/rate"),
        ({"rate": Decimal("Infinity")}, "/rate"),
        ({"rate": Decimal("1e13")}, "/rate"),
        ({"rate": Decimal("1e-19")}, "/rate"),
        ({"rate": Decimal("1e-999999")}, "/rate"),
        ({"rate": Decimal("1." + "0" * 40 + "1")}, "/rate"),
        ({"source": ""}, "/source"),
        ({"source": "x" * 65}, "/source"),
        ({"source": "a\nb"}, "/source"),
    ],
)
def test_a_rate_that_cannot_be_one_is_refused_by_name(changes: dict[str, object], pointer: str) -> None:
    right = rate("USD", "BRL", "5.4321")
    members = {name: getattr(right, name) for name in right.__struct_fields__} | changes
    with pytest.raises(RateInvalid) as fault:
        check_rate(Rate(**members))
    assert [where for where, _ in fault.value.errors] == [pointer]
    assert check_rate(right) == right


def balance(account: str, code: str, net_minor: int) -> AccountBalance:
    return AccountBalance(
        account=account,
        account_type=AccountType.ASSET,
        currency=code,
        debits_minor=max(-net_minor, 0),
        credits_minor=max(net_minor, 0),
    )


@given(st.dictionaries(st.tuples(st.sampled_from("ABCD"), CODES), st.integers(-(10**9), 10**9), min_size=1), RATES)
def test_consolidated_books_add_up_to_zero_with_their_rounding(
    held: dict[tuple[str, str], int], worth: Decimal
) -> None:
    per_currency: Counter[str] = Counter()
    for (_, code), minor in held.items():
        per_currency[code] += minor
    balanced = held | {("Z", code): -minor for code, minor in per_currency.items()}
    rates = book(*(rate(code, "USD", str(worth)) for code in per_currency if code != "USD"))
    shown = consolidate(
        [balance(account, code, minor) for (account, code), minor in balanced.items()],
        dict(rates),
        currency="USD",
        at=NOW,
    )
    assert sum(one.net_minor for one in shown.accounts) + shown.rounding_minor == 0
    assert abs(shown.rounding_minor) <= len(shown.accounts)
    assert shown.unconverted == []


def test_a_currency_without_a_rate_is_named_and_left_out_everywhere() -> None:
    balances = [balance("CASH", "BRL", -543), balance("CASH", "JPY", -100), balance("REVENUE", "BRL", 543)]
    balances.append(balance("REVENUE", "JPY", 100))
    shown = consolidate(balances, dict(book(rate("USD", "BRL", "5.43"))), currency="USD", at=NOW)
    assert shown.unconverted == ["JPY"]
    assert [(one.account, one.net_minor, one.unconverted) for one in shown.accounts] == [
        ("CASH", -100, ["JPY"]),
        ("REVENUE", 100, ["JPY"]),
    ]
    assert [(q.from_currency, q.legs[0].is_inverse) for q in shown.quotes] == [("BRL", True)]
    assert shown.rounding_minor == 0
