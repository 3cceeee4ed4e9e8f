"""The HTTP edge: amounts, texts, cursors and settings, whatever they are given."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.ledger import AccountBalance, AccountType
from libs.common.errors import Invalid, InvalidCursor
from libs.common.ids import new_id
from libs.common.money import UnsupportedCurrency
from libs.common.web.errors import HttpProblem
from services.api.app import check_settings
from services.api.books.schemas.entries import balance_body
from services.api.http.bodies import BodyReader
from services.api.http.cursors import Position as IntentPosition
from services.api.http.cursors import decode_cursor, encode_cursor
from services.api.payments.domain import IntentFilter
from services.api.payments.routes.intents import new_intent
from services.api.payments.schemas import CreatePaymentIntent
from services.api.settings import Settings

READER = BodyReader(CreatePaymentIntent)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def read(amount: str, currency: str = "BRL") -> int:
    raw = f'{{"amount": {amount}, "currency": "{currency}", "customer_ref": "c"}}'.encode()
    return new_intent(READER.read(raw), currencies=frozenset()).amount_minor


@given(st.integers(1, 10**15), st.sampled_from([("BRL", 2), ("JPY", 0), ("KWD", 3)]), st.booleans())
def test_every_amount_is_read_exactly_as_number_and_as_string(minor: int, unit: tuple[str, int], quoted: bool) -> None:
    text = format(Decimal(minor).scaleb(-unit[1]), "f")
    assert read(f'"{text}"' if quoted else text, unit[0]) == minor


@given(JSON)
def test_any_json_as_an_amount_is_an_amount_or_refused(value: object) -> None:
    try:
        minor = read(json.dumps(value))
    except (Invalid, HttpProblem):
        return
    assert 1 <= minor <= 10**15


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_a_body_are_a_wish_or_refused(raw: bytes) -> None:
    try:
        new_intent(READER.read(raw), currencies=frozenset())
    except (Invalid, HttpProblem):
        return


@given(st.dictionaries(st.sampled_from(["amount", "currency", "customer_ref", "description", "metadata"]), JSON))
def test_any_members_are_a_wish_or_refused(members: dict[str, object]) -> None:
    try:
        new_intent(READER.read(json.dumps(members).encode()), currencies=frozenset())
    except (Invalid, HttpProblem):
        return


def test_supported_currencies_narrow_the_list() -> None:
    body = msgspec.json.decode(b'{"amount": 1, "currency": "USD", "customer_ref": "c"}', type=CreatePaymentIntent)
    assert new_intent(body, currencies=frozenset({"USD"})).amount_minor == 100
    with pytest.raises(UnsupportedCurrency, match="unsupported currency"):
        new_intent(body, currencies=frozenset({"BRL"}))


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
    st.none() | st.lists(st.text()).map(tuple),
)
def test_a_cursor_is_read_back_for_its_own_list_only(at: datetime, statuses: tuple[str, ...] | None) -> None:
    chosen = IntentFilter(statuses=statuses)
    place = IntentPosition(at, new_id())
    cursor = encode_cursor(place, tenant_id="t", filters=chosen)
    assert decode_cursor(cursor, tenant_id="t", filters=chosen) == place
    for tenant, other in (("u", chosen), ("t", IntentFilter(currency="BRL"))):
        with pytest.raises(InvalidCursor):
            decode_cursor(cursor, tenant_id=tenant, filters=other)


@given(st.text(max_size=80))
def test_any_text_as_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(text, tenant_id="t", filters=IntentFilter())


@pytest.mark.parametrize(
    ("kind", "balance", "side", "normal"),
    [
        (AccountType.ASSET, "-150.50", "DEBIT", "150.50"),
        (AccountType.EXPENSE, "-150.50", "DEBIT", "150.50"),
        (AccountType.REVENUE, "-150.50", "CREDIT", "-150.50"),
        (AccountType.LIABILITY, "-150.50", "CREDIT", "-150.50"),
        (AccountType.EQUITY, "-150.50", "CREDIT", "-150.50"),
    ],
)
def test_balances_keep_the_sign_of_the_reference(kind: AccountType, balance: str, side: str, normal: str) -> None:
    shown = balance_body(
        AccountBalance(account="A", account_type=kind, currency="BRL", debits_minor=15050, credits_minor=0)
    )
    assert (shown.debits_total, shown.credits_total) == ("150.50", "0.00")
    assert (shown.balance, shown.normal_side, shown.normal_balance) == (balance, side, normal)


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({}, 0),
        ({"place": {"app_env": "production"}}, 1),
        ({"place": {"app_env": "production"}, "auth": {"jwt_secret": "s" * 32}}, 0),
        ({"payments": {"confirm_timeout_seconds": 31, "confirm_waiting_max": 1000}}, 2),
    ],
)
def test_unsafe_settings_are_named(changes: dict[str, object], faults: int) -> None:
    assert len(check_settings(msgspec.convert(changes, Settings))) == faults
