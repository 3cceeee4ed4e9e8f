"""The law of double entry: an entry that breaks it cannot be made."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.ledger import AccountType, EntryKind, Side
from libs.common.contracts.ledger_errors import (
    AccountInvalid,
    BalanceOverflow,
    CurrencyMixed,
    EntryInvalid,
    EntryUnbalanced,
)
from libs.common.errors import Rejected
from libs.common.ids import new_id
from libs.common.money import AMOUNT_MINOR_MAX, OWN_UNIT_MINOR_MAX, InvalidAmount, UnsupportedCurrency
from services.ledger.core import BALANCE_MINOR_MAX, Account, Balance, Entry, Line, check_account, normal_side

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CASH, REVENUE, FEES = new_id(), new_id(), new_id()


def debit(amount_minor: int, currency: str = "BRL") -> Line:
    return Line(account_id=CASH, side=Side.DEBIT, amount_minor=amount_minor, currency=currency)


def credit(amount_minor: int, currency: str = "BRL") -> Line:
    return Line(account_id=REVENUE, side=Side.CREDIT, amount_minor=amount_minor, currency=currency)


def entry(*lines: Line, tenant_id: str = "t", content: str = "a sale") -> Entry:
    return Entry(
        tenant_id=tenant_id,
        id=new_id(),
        kind=EntryKind.CAPTURE,
        content=content,
        payment_intent_id=None,
        occurred_at=NOW,
        source_event_id=None,
        lines=lines,
    )


@pytest.mark.parametrize(
    ("account_type", "side"),
    [
        (AccountType.ASSET, Side.DEBIT),
        (AccountType.EXPENSE, Side.DEBIT),
        (AccountType.LIABILITY, Side.CREDIT),
        (AccountType.EQUITY, Side.CREDIT),
        (AccountType.REVENUE, Side.CREDIT),
    ],
)
def test_the_type_fixes_the_normal_side(account_type: AccountType, side: Side) -> None:
    assert normal_side(account_type) is side


def test_an_entry_of_many_legs_balances_as_a_whole() -> None:
    fee = Line(account_id=FEES, side=Side.DEBIT, amount_minor=30, currency="BRL")
    found = entry(debit(970), fee, credit(1000))
    assert (found.amount_minor, found.currency) == (1000, "BRL")


@pytest.mark.parametrize(
    ("lines", "refused", "code"),
    [
        ((), EntryInvalid, "entry_invalid"),
        ((debit(1),), EntryInvalid, "entry_invalid"),
        ((debit(100), credit(99)), EntryUnbalanced, "entry_unbalanced"),
        ((debit(100), debit(100)), EntryUnbalanced, "entry_unbalanced"),
        ((debit(100), credit(100, "USD")), CurrencyMixed, "entry_currency_mixed"),
        ((debit(100), credit(100), debit(5, "USD"), credit(5, "USD")), CurrencyMixed, "entry_currency_mixed"),
        ((debit(0), credit(0)), InvalidAmount, "invalid_amount"),
        ((debit(-5), credit(-5)), InvalidAmount, "invalid_amount"),
        ((debit(AMOUNT_MINOR_MAX + 1), credit(AMOUNT_MINOR_MAX + 1)), InvalidAmount, "invalid_amount"),
        ((debit(100, "brl"), credit(100, "brl")), UnsupportedCurrency, "unsupported_currency"),
        ((debit(100, "XYZ"), credit(100, "XYZ")), UnsupportedCurrency, "unsupported_currency"),
        ((debit(1), credit(1)) * 501, EntryInvalid, "entry_invalid"),
    ],
)
def test_what_cannot_stand_in_a_book_cannot_be_made(
    lines: tuple[Line, ...], refused: type[Rejected], code: str
) -> None:
    with pytest.raises(refused) as fault:
        entry(*lines)
    assert fault.value.reason == code


@pytest.mark.parametrize("currency", ["BGN", "HRK"])
def test_an_entry_may_be_in_a_currency_that_was_withdrawn(currency: str) -> None:
    assert entry(debit(100, currency), credit(100, currency)).currency == currency


def test_an_entry_in_an_own_unit_holds_more_but_no_more_than_64_bits() -> None:
    assert entry(*[debit(OWN_UNIT_MINOR_MAX, "E8T"), credit(OWN_UNIT_MINOR_MAX, "E8T")] * 9).currency == "E8T"
    for lines in (
        [debit(OWN_UNIT_MINOR_MAX, "E8T"), credit(OWN_UNIT_MINOR_MAX, "E8T")] * 10,
        [debit(OWN_UNIT_MINOR_MAX + 1, "E8T"), credit(OWN_UNIT_MINOR_MAX + 1, "E8T")],
    ):
        with pytest.raises(InvalidAmount):
            entry(*lines)


def test_an_entry_belongs_to_a_tenant() -> None:
    with pytest.raises(EntryInvalid):
        entry(debit(1), credit(1), tenant_id="")


def test_the_digest_is_of_the_content_not_of_the_accounts() -> None:
    other = Line(account_id=FEES, side=Side.CREDIT, amount_minor=1, currency="BRL")
    assert entry(debit(1), credit(1)).digest == entry(debit(1), other).digest
    assert entry(debit(1), credit(1)).digest != entry(debit(1), credit(1), content="another sale").digest
    assert len(entry(debit(1), credit(1)).digest) == 32


@given(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, AMOUNT_MINOR_MAX)), max_size=50))
def test_a_balance_is_the_sum_of_its_postings_and_its_version_their_number(postings: list[tuple[Side, int]]) -> None:
    balance = Balance()
    for side, amount_minor in postings:
        balance = balance.after(
            Line(account_id=CASH, side=side, amount_minor=amount_minor, currency="BRL"), posted_at=NOW
        )
    assert balance.debits_minor == sum(amount for side, amount in postings if side is Side.DEBIT)
    assert balance.credits_minor == sum(amount for side, amount in postings if side is Side.CREDIT)
    assert balance.version == len(postings)


def test_a_balance_holds_the_last_minor_unit_and_no_more() -> None:
    nearly = Balance(debits_minor=BALANCE_MINOR_MAX - 5, version=1)
    assert nearly.after(debit(5), posted_at=NOW).debits_minor == BALANCE_MINOR_MAX
    with pytest.raises(BalanceOverflow):
        nearly.after(debit(6), posted_at=NOW)


@pytest.mark.parametrize(
    ("code", "label"),
    [("", "Fees"), ("x" * 65, "Fees"), ("FEES", ""), ("FEES", "x" * 201), (" FEES", "Fees"), ("FE\x00ES", "Fees")],
)
def test_an_account_needs_a_usable_code_and_label(code: str, label: str) -> None:
    account = Account(tenant_id="t", id=new_id(), code=code, label=label, account_type=AccountType.EXPENSE)
    with pytest.raises(AccountInvalid) as fault:
        check_account(account)
    assert len(fault.value.errors) == 1


def test_an_account_of_full_length_is_good() -> None:
    account = Account(
        tenant_id="t", id=new_id(), code="x" * 64, label="Ação " + "y" * 195, account_type=AccountType.ASSET
    )
    assert check_account(account) is account
    assert account.normal_side is Side.DEBIT
