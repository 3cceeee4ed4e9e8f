"""Where the rules of balances, limits and holds end; every value differs from every other, so that no swap is silent."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.ledger import AccountType, Side
from libs.common.contracts.ledger_errors import (
    AccountInvalid,
    BalanceOverflow,
    CeilingCrossed,
    EntryInvalid,
    FloorCrossed,
)
from libs.common.ids import new_id
from libs.common.money import AMOUNT_MINOR_MAX, OWN_UNIT_MINOR_MAX, InvalidAmount, UnsupportedCurrency
from services.ledger.core import (
    BALANCE_MINOR_MAX,
    ENTRY_LINES_MAX,
    Account,
    Balance,
    Hold,
    HoldState,
    Line,
    check_account,
    require_within_limits,
)
from tests.unit.ledger.core.test_entries import credit, debit, entry

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BY_DEBITS = Balance(
    debits_minor=1_000,
    credits_minor=300,
    version=7,
    pending_debits_minor=50,
    pending_credits_minor=11,
    floor_minor=-3,
    ceiling_minor=900,
    debit_normal=True,
)
BY_CREDITS = msgspec.structs.replace(BY_DEBITS, debit_normal=False)


def test_what_is_available_and_what_is_committed() -> None:
    assert (BY_DEBITS.available_minor, BY_DEBITS.committed_minor) == (1_000 - 300 - 11, 1_000 - 300 + 50)
    assert (BY_CREDITS.available_minor, BY_CREDITS.committed_minor) == (300 - 1_000 - 50, 300 - 1_000 + 11)


@pytest.mark.parametrize("before", [BY_DEBITS, BY_CREDITS])
@pytest.mark.parametrize(("side", "debits", "credits_"), [(Side.DEBIT, 1_017, 300), (Side.CREDIT, 1_000, 317)])
def test_a_posting_changes_one_total_and_keeps_all_else(
    before: Balance, side: Side, debits: int, credits_: int
) -> None:
    line = Line(account_id=new_id(), side=side, amount_minor=17, currency="BRL")
    assert before.after(line, posted_at=NOW) == msgspec.structs.replace(
        before, debits_minor=debits, credits_minor=credits_, version=8, posted_at=NOW
    )


@pytest.mark.parametrize(("side", "debits", "credits_"), [(Side.DEBIT, 67, 11), (Side.CREDIT, 50, 28)])
def test_a_hold_changes_what_is_pending_and_gives_it_back(side: Side, debits: int, credits_: int) -> None:
    held = BY_DEBITS.pending(side, 17)
    assert held == msgspec.structs.replace(BY_DEBITS, pending_debits_minor=debits, pending_credits_minor=credits_)
    assert held.pending(side, -17) == BY_DEBITS
    assert not held.is_as_pending_as(BY_DEBITS)
    assert BY_CREDITS.is_as_pending_as(BY_DEBITS)


@pytest.mark.parametrize("side", Side)
def test_no_more_is_held_than_the_books_can_hold(side: Side) -> None:
    full = Balance().pending(side, BALANCE_MINOR_MAX)
    with pytest.raises(BalanceOverflow):
        full.pending(side, 1)


@pytest.mark.parametrize(("floor", "ceiling", "is_limited"), [(None, None, False), (0, None, True), (None, 0, True)])
def test_a_limit_of_zero_is_one(floor: int | None, ceiling: int | None, is_limited: bool) -> None:
    assert Balance(floor_minor=floor, ceiling_minor=ceiling).is_limited is is_limited


def holding(minor: int, *, floor: int | None = None, ceiling: int | None = None) -> Balance:
    return Balance(
        debits_minor=5_000 + minor, credits_minor=5_000, floor_minor=floor, ceiling_minor=ceiling, debit_normal=True
    )


@pytest.mark.parametrize(
    ("before", "after", "is_refused"),
    [
        (40, 20, False),  # on the floor
        (40, 19, True),
        (10, 9, True),  # below already, and further down
        (10, 10, False),
        (10, 15, False),  # on the way back, and not there yet
        (10, 25, False),
    ],
)
def test_a_floor_is_crossed_downwards_only(before: int, after: int, is_refused: bool) -> None:
    check_limits(holding(before, floor=20), holding(after, floor=20), FloorCrossed if is_refused else None)


@pytest.mark.parametrize(
    ("before", "after", "is_refused"),
    [
        (40, 60, False),  # at the ceiling
        (40, 61, True),
        (70, 71, True),  # above already, and further up
        (70, 70, False),
        (70, 65, False),  # on the way back, and not there yet
        (70, 30, False),
    ],
)
def test_a_ceiling_is_crossed_upwards_only(before: int, after: int, is_refused: bool) -> None:
    check_limits(holding(before, ceiling=60), holding(after, ceiling=60), CeilingCrossed if is_refused else None)


def check_limits(before: Balance, after: Balance, failure: type[Exception] | None) -> None:
    if failure is None:
        require_within_limits(new_id(), before, after)
    else:
        with pytest.raises(failure):
            require_within_limits(new_id(), before, after)


def a_hold(**changes: object) -> Hold:
    fields: dict[str, object] = {
        "tenant_id": "t",
        "id": new_id(),
        "debit_account_id": new_id(),
        "credit_account_id": new_id(),
        "currency": "BRL",
        "amount_minor": 700,
        "placed_at": NOW,
        "expires_at": NOW + timedelta(seconds=1),
    }
    return msgspec.convert(fields | changes, Hold)


def test_a_hold_in_an_own_unit_may_be_larger() -> None:
    assert a_hold(amount_minor=OWN_UNIT_MINOR_MAX, currency="E8T").currency == "E8T"


@pytest.mark.parametrize("amount_minor", [1, AMOUNT_MINOR_MAX])
def test_a_hold_of_every_amount_within_bounds_is_placed(amount_minor: int) -> None:
    assert a_hold(amount_minor=amount_minor).amount_minor == amount_minor


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": AMOUNT_MINOR_MAX + 1},
        {"amount_minor": OWN_UNIT_MINOR_MAX + 1, "currency": "E8T"},
        {"currency": "XYZ"},
        {"debit_account_id": UUID(int=5), "credit_account_id": UUID(int=5)},
    ],
)
def test_a_hold_that_promises_nothing_cannot_be_made(changes: dict[str, object]) -> None:
    with pytest.raises((EntryInvalid, InvalidAmount, UnsupportedCurrency)):
        Hold(**{name: getattr(a_hold(), name) for name in Hold.__struct_fields__} | changes)


@pytest.mark.parametrize("before", [timedelta(0), timedelta(seconds=1)])
def test_a_new_hold_must_end_after_it_is_placed(before: timedelta) -> None:
    a_hold().require_future()
    a_hold(expires_at=None).require_future()
    with pytest.raises(EntryInvalid):
        a_hold(expires_at=NOW - before).require_future()


def test_a_hold_is_due_at_its_end_and_never_without_one() -> None:
    hold = a_hold()
    assert not hold.is_due(NOW)
    assert hold.is_due(NOW + timedelta(seconds=1))
    assert not a_hold(expires_at=None).is_due(NOW + timedelta(days=9_999))
    assert hold.sides == ((Side.DEBIT, hold.debit_account_id), (Side.CREDIT, hold.credit_account_id))


@pytest.mark.parametrize("field", ["debit_account_id", "credit_account_id", "currency", "amount_minor"])
def test_a_hold_with_anything_else_in_it_is_another_promise(field: str) -> None:
    hold = a_hold()
    again = msgspec.structs.replace(hold, placed_at=NOW + timedelta(seconds=0.5))
    assert hold.is_same_promise_as(again)
    other = {"currency": "USD", "amount_minor": 701}.get(field, new_id())
    assert not hold.is_same_promise_as(msgspec.structs.replace(again, **{field: other}))


def test_a_hold_ends_by_capture_or_by_being_let_go() -> None:
    hold, posted, later = a_hold(), entry(debit(350), credit(350)), NOW + timedelta(minutes=1)
    taken = hold.captured_by(posted, at=later)
    assert (taken.state, taken.captured_minor, taken.entry_id, taken.resolved_at) == (
        HoldState.CAPTURED,
        350,
        posted.id,
        later,
    )
    gone = hold.let_go(HoldState.EXPIRED, at=later)
    assert (gone.state, gone.captured_minor, gone.entry_id, gone.resolved_at) == (HoldState.EXPIRED, 0, None, later)


def test_an_entry_has_as_many_lines_as_it_may_and_the_sum_of_its_debits() -> None:
    full = entry(debit(ENTRY_LINES_MAX - 1), *[credit(1) for _ in range(ENTRY_LINES_MAX - 1)])
    assert (len(full.lines), full.amount_minor, full.currency) == (1_000, 999, "BRL")
    with pytest.raises(EntryInvalid):
        entry(debit(ENTRY_LINES_MAX), *[credit(1) for _ in range(ENTRY_LINES_MAX)])


def an_account(**changes: object) -> Account:
    fields: dict[str, object] = {"tenant_id": "t", "id": new_id(), "code": "TILL", "label": "The till"}
    return msgspec.convert({**fields, "account_type": AccountType.ASSET, **changes}, Account)


@pytest.mark.parametrize(
    "changes",
    [
        {"floor_minor": BALANCE_MINOR_MAX},
        {"ceiling_minor": -BALANCE_MINOR_MAX},
        {"floor_minor": 5, "ceiling_minor": 5},
        {"floor_minor": 5},
        {"ceiling_minor": 0},
        {"currencies": ("BRL", "USD")},
    ],
)
def test_limits_that_can_be_kept_are_taken(changes: dict[str, object]) -> None:
    account = an_account(**changes)
    assert check_account(account) is account


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"floor_minor": 6, "ceiling_minor": 5}, ["/ceiling"]),
        ({"currencies": ()}, ["/currencies"]),
        ({"currencies": ("BRL", "XYZ")}, ["/currencies"]),
        ({"code": "", "label": " x", "currencies": ()}, ["/code", "/label", "/currencies"]),
    ],
)
def test_each_fault_of_an_account_is_named(changes: dict[str, object], fields: list[str]) -> None:
    with pytest.raises(AccountInvalid) as refused:
        check_account(an_account(**changes))
    assert [field for field, _ in refused.value.errors] == fields


@pytest.mark.parametrize("field", ["floor_minor", "ceiling_minor"])
def test_a_limit_beyond_what_a_balance_can_be_is_refused(field: str) -> None:
    with pytest.raises(AccountInvalid):
        check_account(msgspec.structs.replace(an_account(), **{field: BALANCE_MINOR_MAX + 1}))


def test_total_fits_64_bits_and_an_account_is_its_tenants_own() -> None:
    assert BALANCE_MINOR_MAX == 9_223_372_036_854_775_807
    assert not an_account().is_default
