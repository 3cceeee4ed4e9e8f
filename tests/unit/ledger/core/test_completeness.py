"""No field of a hold, an account or an entry is left out in progress between request, domain, row and reply."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts import ledger as contract
from libs.common.contracts import ledger_books as books
from libs.common.contracts.ledger import AccountType, EntryKind, Side
from services.ledger.accounts.schemas import account_requested, account_shown
from services.ledger.core import NOT_PROMISED, RESOLVED_FIELDS, Account, Entry, Hold, Line
from services.ledger.holds.schemas import hold_requested, hold_shown
from services.ledger.schema import tables

NOW = datetime(2026, 11, 29, tzinfo=UTC)
HOLD = Hold(
    tenant_id="t",
    id=UUID(int=1),
    debit_account_id=UUID(int=2),
    credit_account_id=UUID(int=3),
    currency="BRL",
    amount_minor=700,
    placed_at=NOW,
    expires_at=NOW + timedelta(days=1),
    state=books.HoldState.CAPTURED,
    captured_minor=400,
    entry_id=UUID(int=4),
    resolved_at=NOW + timedelta(hours=1),
)
"""Every field differs from its default."""
ACCOUNT = Account(
    tenant_id="t",
    id=UUID(int=1),
    code="WALLET",
    label="Wallet",
    account_type=AccountType.LIABILITY,
    is_default=True,
    floor_minor=-5,
    ceiling_minor=900,
    currencies=("BRL", "USD"),
)
"""Every field differs from its default."""
ENTRY = Entry(
    tenant_id="t",
    id=UUID(int=1),
    kind=EntryKind.REVERSAL,
    content="reversal of entry 9",
    payment_intent_id=UUID(int=5),
    subject_id=UUID(int=6),
    occurred_at=NOW,
    source_event_id=UUID(int=7),
    lines=(
        Line(account_id=UUID(int=2), side=Side.DEBIT, amount_minor=700, currency="BRL"),
        Line(account_id=UUID(int=3), side=Side.CREDIT, amount_minor=700, currency="BRL"),
    ),
    reverses=UUID(int=9),
)
"""Every field differs from its default."""

CODES = {HOLD.debit_account_id: "WALLET", HOLD.credit_account_id: "VAULT"}
"""The accounts of the hold."""
HOLD_NAMES = {"id": "hold_id", "debit_account_id": "debit_account", "credit_account_id": "credit_account"}
"""Fields of a hold that have another name in a request."""
HOLD_NOT_REQUESTED = {"placed_at", *RESOLVED_FIELDS}
"""What the ledger decides itself."""
HOLD_NOT_SHOWN = {"tenant_id"}
"""Whoever asks for a hold names the tenant."""
ACCOUNT_NAMES = {"id": "account_id"}
ACCOUNT_NOT_REQUESTED = {"is_default"}
"""Whoever opens an account is not the platform."""
ACCOUNT_NOT_SHOWN = {"tenant_id"}
ACCOUNT_COLUMNS_ONLY = {"opened_at"}
"""When it was opened is kept for operators alone."""
ENTRY_NOT_A_COLUMN = {
    "content": "its digest is",
    "subject_id": "published with the entry, and a part of its content",
    "lines": "rows of `postings`",
}
ENTRY_COLUMNS_ONLY = {
    *("posted_at", "effective_at", "line_count", "digest"),
    *("chain", "sequence", "position", "seal"),
}
"""What posting adds to an entry."""
ENTRY_NOT_SHOWN = {
    "tenant_id": "whoever lists entries names the tenant",
    "content": "for comparing with a replay",
    "subject_id": "published with the entry",
    "source_event_id": "a message of ours",
}


def changed(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case books.HoldState():
            return books.HoldState.OPEN
        case int():
            return value + 1
        case UUID():
            return UUID(int=value.int + 100)
        case datetime():
            return value + timedelta(minutes=1)
        case "BRL":
            return "USD"
        case str():
            return value + "x"
    raise AssertionError(f"no other value of {value!r} is known: add one here")


def fields(kind: type[msgspec.Struct]) -> set[str]:
    return set(kind.__struct_fields__)


@pytest.mark.parametrize("sample", [HOLD, ACCOUNT, ENTRY], ids=["hold", "account", "entry"])
def test_sample_has_no_default(sample: msgspec.Struct) -> None:
    for field in msgspec.structs.fields(type(sample)):
        assert getattr(sample, field.name) not in (None, field.default), (
            f"give {field.name} another value in the sample"
        )


@pytest.mark.parametrize("name", Hold.__struct_fields__)
def test_field_of_a_hold_is_content_or_named(name: str) -> None:
    other = msgspec.structs.replace(HOLD, **{name: changed(getattr(HOLD, name))})
    is_content = not HOLD.is_same_promise_as(other)
    assert is_content is (name not in {*NOT_PROMISED, *RESOLVED_FIELDS}), f"{name} is not in the promise of a hold"


@pytest.mark.parametrize("name", Hold.__struct_fields__)
def test_field_of_a_hold_is_requested_and_shown(name: str) -> None:
    shown = hold_shown(HOLD, CODES)
    if name not in HOLD_NOT_SHOWN:
        expected = CODES[getattr(HOLD, name)] if name.endswith("_account_id") else getattr(HOLD, name)
        assert getattr(shown, name.removesuffix("_id") if name.endswith("_account_id") else name) == expected
    if name not in HOLD_NOT_REQUESTED:
        assert HOLD_NAMES.get(name, name) in fields(books.PlaceHold), f"{name} cannot be requested"


def test_request_of_a_hold_arrives_whole() -> None:
    request = books.PlaceHold(
        **{
            HOLD_NAMES.get(name, name): CODES.get(getattr(HOLD, name), getattr(HOLD, name))
            for name in Hold.__struct_fields__
            if name not in HOLD_NOT_REQUESTED
        }
    )
    placed = hold_requested(request, {code: account_id for account_id, code in CODES.items()}, at=HOLD.placed_at)
    for name in fields(Hold) - set(RESOLVED_FIELDS):
        assert getattr(placed, name) == getattr(HOLD, name), f"{name} is lost between request and hold"


def test_messages_about_holds_have_no_field_that_a_hold_lacks() -> None:
    names = set(HOLD_NAMES.values()) | fields(Hold)
    assert fields(books.PlaceHold) <= names, "a field of PlaceHold is none of a hold"
    assert fields(books.Hold) <= names, "a field of the contract's Hold is none of a hold"


def test_columns_of_holds_are_their_fields() -> None:
    assert {column.name for column in tables.HOLDS.columns} == fields(Hold)


@pytest.mark.parametrize("name", Account.__struct_fields__)
def test_field_of_an_account_is_requested_and_shown(name: str) -> None:
    if name not in ACCOUNT_NOT_SHOWN:
        value = getattr(account_shown(ACCOUNT), name)
        assert (tuple(value) if isinstance(value, list) else value) == getattr(ACCOUNT, name)
    if name not in ACCOUNT_NOT_REQUESTED:
        assert ACCOUNT_NAMES.get(name, name) in fields(contract.OpenAccount), f"{name} cannot be requested"


def test_request_of_an_account_arrives_whole() -> None:
    request = contract.OpenAccount(
        **{
            ACCOUNT_NAMES.get(name, name): getattr(ACCOUNT, name)
            for name in Account.__struct_fields__
            if name not in ACCOUNT_NOT_REQUESTED
        }
    )
    opened = account_requested(request)
    for name in fields(Account) - ACCOUNT_NOT_REQUESTED:
        assert getattr(opened, name) == getattr(ACCOUNT, name), f"{name} is lost between request and account"


def test_messages_about_accounts_have_no_field_that_an_account_lacks() -> None:
    names = set(ACCOUNT_NAMES.values()) | fields(Account)
    assert fields(contract.OpenAccount) <= names, "a field of OpenAccount is none of an account"
    assert fields(contract.Account) <= names, "a field of the contract's Account is none of an account"


def test_columns_of_accounts_are_their_fields() -> None:
    assert {column.name for column in tables.ACCOUNTS.columns} - ACCOUNT_COLUMNS_ONLY == fields(Account)


def test_columns_of_entries_are_their_fields() -> None:
    columns = {column.name for column in tables.JOURNAL_ENTRIES.columns} - ENTRY_COLUMNS_ONLY
    assert columns == fields(Entry) - set(ENTRY_NOT_A_COLUMN)


def test_fields_of_an_entry_are_shown() -> None:
    assert fields(Entry) - set(ENTRY_NOT_SHOWN) <= fields(contract.JournalEntry)
