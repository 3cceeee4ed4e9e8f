"""The posting rules, as an accountant reads them."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.ledger import AccountType, EntryKind, Side
from libs.common.contracts.ledger_errors import RoleConflict, RoleUnfit
from libs.common.contracts.ledger_roles import Role
from libs.common.ids import derived_id, new_id
from libs.common.money import InvalidAmount, UnsupportedCurrency
from services.ledger.accounts import ROLES, default_accounts, default_roles
from services.ledger.core import Account, Chart, Entry
from services.ledger.posting_rules.domain import (
    PAYMENT_RULES,
    Occurrence,
    PostingRule,
    capture_entry,
    check_role,
    opposites,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CHART = Chart(tenant_id="t", roles=default_roles("t"))
ROLE_OF = {account_id: role for role, account_id in CHART.roles.items()}
INTENT = new_id()


def happened(
    *,
    subject_id: UUID = INTENT,
    payment_intent_id: UUID | None = INTENT,
    amount_minor: int = 15050,
    currency: str = "BRL",
    occurred_at: datetime = NOW,
    reversals: int = 0,
) -> Occurrence:
    return Occurrence(
        subject_id=subject_id,
        payment_intent_id=payment_intent_id,
        amount_minor=amount_minor,
        currency=currency,
        occurred_at=occurred_at,
        source_event_id=new_id(),
        reversals=reversals,
    )


def shown(entry: Entry) -> list[tuple[Side, Role, int, str]]:
    return [(line.side, ROLE_OF[line.account_id], line.amount_minor, line.currency) for line in entry.lines]


def net(*entries: Entry) -> dict[Role, int]:
    """What is left on each account: debits less credits, without those that are empty."""
    found: Counter[Role] = Counter()
    for entry in entries:
        for side, role, amount, _ in shown(entry):
            found[role] += amount if side is Side.DEBIT else -amount
    return {role: amount for role, amount in found.items() if amount}


@pytest.mark.parametrize(
    ("kind", "debit", "credit"),
    [
        (EntryKind.CAPTURE, Role.CASH, Role.REVENUE),
        (EntryKind.REFUND, Role.REFUND_EXPENSE, Role.CASH),
        (EntryKind.REFUND_FAILURE, Role.CASH, Role.REFUND_EXPENSE),
        (EntryKind.DISPUTE_OPENED, Role.DISPUTE_CLEARING, Role.CASH),
        (EntryKind.DISPUTE_WON, Role.CASH, Role.DISPUTE_CLEARING),
        (EntryKind.DISPUTE_LOST, Role.DISPUTE_LOSSES, Role.DISPUTE_CLEARING),
        (EntryKind.PROCESSOR_FEE, Role.PROCESSOR_FEES, Role.CASH),
        (EntryKind.PAYOUT_CREATED, Role.GATEWAY_CLEARING, Role.CASH),
        (EntryKind.PAYOUT_PAID, Role.BANK, Role.GATEWAY_CLEARING),
        (EntryKind.PAYOUT_FAILED, Role.CASH, Role.GATEWAY_CLEARING),
        (EntryKind.PAYOUT_DEBITED, Role.GATEWAY_CLEARING, Role.BANK),
    ],
)
def test_each_event_debits_and_credits_what_an_accountant_expects(kind: EntryKind, debit: Role, credit: Role) -> None:
    subject = new_id()
    entry = PAYMENT_RULES[kind](CHART, happened(subject_id=subject))
    assert shown(entry) == [(Side.DEBIT, debit, 15050, "BRL"), (Side.CREDIT, credit, 15050, "BRL")]
    assert (entry.kind, entry.payment_intent_id, entry.subject_id, entry.occurred_at) == (kind, INTENT, subject, NOW)
    assert entry.id == derived_id(subject, kind.value)


@pytest.mark.parametrize(
    ("begun", "undone"),
    [
        (EntryKind.REFUND, EntryKind.REFUND_FAILURE),
        (EntryKind.DISPUTE_OPENED, EntryKind.DISPUTE_WON),
        (EntryKind.PAYOUT_CREATED, EntryKind.PAYOUT_FAILED),
    ],
)
def test_what_comes_to_nothing_leaves_nothing(begun: EntryKind, undone: EntryKind) -> None:
    assert net(PAYMENT_RULES[begun](CHART, happened()), PAYMENT_RULES[undone](CHART, happened())) == {}


def test_clearing_accounts_are_empty_once_all_is_decided() -> None:
    story = (EntryKind.DISPUTE_OPENED, EntryKind.DISPUTE_LOST, EntryKind.PAYOUT_CREATED, EntryKind.PAYOUT_PAID)
    entries = [PAYMENT_RULES[kind](CHART, happened()) for kind in story]
    assert net(*entries) == {Role.DISPUTE_LOSSES: 15050, Role.BANK: 15050, Role.CASH: -2 * 15050}


def test_dispute_is_booked_as_often_as_its_decision_is_reversed() -> None:
    decided = (EntryKind.DISPUTE_LOST, EntryKind.DISPUTE_WON, EntryKind.DISPUTE_LOST, EntryKind.DISPUTE_WON)
    opened = PAYMENT_RULES[EntryKind.DISPUTE_OPENED](CHART, happened())
    entries = [PAYMENT_RULES[kind](CHART, happened(reversals=n)) for n, kind in enumerate(decided)]
    assert len({entry.id for entry in entries}) == 4
    gone = {Role.DISPUTE_LOSSES: 15050, Role.CASH: -15050}
    assert [net(opened, *entries[:n]) for n in (1, 2, 3, 4)] == [gone, {}, gone, {}]


@pytest.mark.parametrize("rule", PAYMENT_RULES.values(), ids=PAYMENT_RULES)
def test_sent_twice_it_is_the_same_entry_whatever_the_hour_and_the_chart(rule: PostingRule) -> None:
    remapped = Chart(tenant_id="t", roles={role: new_id() for role in Role})
    first, second = rule(CHART, happened()), rule(remapped, happened(occurred_at=NOW + timedelta(seconds=3)))
    assert first.id == second.id
    assert first.digest == second.digest
    assert first.digest != rule(CHART, happened(amount_minor=15051)).digest
    assert first.digest != rule(CHART, happened(currency="USD")).digest


def test_every_kind_has_an_id_of_its_own_even_under_one_subject() -> None:
    entries = [rule(CHART, happened()) for rule in PAYMENT_RULES.values()]
    assert len({entry.id for entry in entries}) == len({entry.digest for entry in entries}) == len(PAYMENT_RULES)


def test_capture_has_the_content_that_it_had_in_the_first_version() -> None:
    entry = capture_entry(CHART, happened())
    assert entry.content == f"capture of payment intent {INTENT}: 15050 BRL"
    assert entry.subject_id is None


@pytest.mark.parametrize(("amount_minor", "currency"), [(0, "BRL"), (-1, "BRL"), (10**16, "BRL"), (100, "BRLX")])
@pytest.mark.parametrize("rule", PAYMENT_RULES.values(), ids=PAYMENT_RULES)
def test_what_no_book_can_hold_is_refused(rule: PostingRule, amount_minor: int, currency: str) -> None:
    with pytest.raises((InvalidAmount, UnsupportedCurrency)):
        rule(CHART, happened(amount_minor=amount_minor, currency=currency))


def account(account_type: AccountType, *, account_id: UUID | None = None) -> Account:
    return Account(tenant_id="t", id=account_id or new_id(), code="OTHER", label="Another", account_type=account_type)


PLAYED_BY = {
    Role.CASH: "asset",
    Role.REVENUE: "revenue liability",
    Role.REFUND_EXPENSE: "expense revenue",
    Role.PROCESSOR_FEES: "expense",
    Role.GATEWAY_CLEARING: "asset liability",
    Role.BANK: "asset",
    Role.DISPUTE_CLEARING: "asset liability",
    Role.DISPUTE_LOSSES: "expense",
    Role.FX_POSITION: "asset liability equity",
    Role.FX_GAIN_LOSS: "expense revenue",
    Role.PROCESSOR_PENDING: "asset",
    Role.PROCESSOR_AVAILABLE: "asset",
    Role.REFUND_CLEARING: "asset liability",
    Role.RESERVES: "asset",
    Role.TAX_RECOVERABLE: "asset expense",
    Role.SUSPENSE: "asset liability",
    Role.DEFERRED_REVENUE: "liability",
    Role.PLATFORM_FEES: "expense",
    Role.PLATFORM_EARNINGS: "revenue liability",
    Role.OPENING_BALANCE: "equity liability",
    Role.RETAINED_EARNINGS: "equity",
    Role.TAX_PAYABLE: "liability",
    Role.FX_REVALUATION: "asset liability",
    Role.FX_UNREALIZED: "expense revenue",
}
"""The types that may play a role, as an accountant has written them down; the platform's own account has the first."""


@pytest.mark.parametrize("role", Role)
def test_a_role_is_played_by_the_types_that_fit_and_by_no_other(role: Role) -> None:
    fitting = [AccountType[word.upper()] for word in PLAYED_BY[role].split()]
    assert ROLES[role].account_types[0] is fitting[0]
    for account_type in AccountType:
        if account_type in fitting:
            check_role(role, account(account_type), CHART)
        else:
            with pytest.raises(RoleUnfit) as refused:
                check_role(role, account(account_type), CHART)
            assert refused.value.errors[0][0] == "/account"


SET_AGAINST = {
    Role.CASH: "REVENUE REFUND_EXPENSE PROCESSOR_FEES GATEWAY_CLEARING DISPUTE_CLEARING FX_POSITION FX_GAIN_LOSS",
    Role.BANK: "GATEWAY_CLEARING",
    Role.DISPUTE_LOSSES: "DISPUTE_CLEARING",
    Role.FX_GAIN_LOSS: "FX_POSITION",
    Role.PROCESSOR_PENDING: "PROCESSOR_AVAILABLE CASH REFUND_CLEARING DISPUTE_CLEARING GATEWAY_CLEARING "
    "PROCESSOR_FEES TAX_RECOVERABLE PLATFORM_FEES RESERVES SUSPENSE FX_POSITION PLATFORM_EARNINGS "
    "OPENING_BALANCE",
    Role.REFUND_CLEARING: "REFUND_EXPENSE FX_POSITION",
    Role.TAX_RECOVERABLE: "CASH FX_POSITION",
    Role.PLATFORM_FEES: "FX_POSITION CASH",
    Role.PLATFORM_EARNINGS: "FX_POSITION",
    Role.OPENING_BALANCE: "FX_POSITION",
    Role.FX_POSITION: "PROCESSOR_FEES DISPUTE_CLEARING GATEWAY_CLEARING RESERVES SUSPENSE",
}
"""Roles between which some rule moves money, each pair once."""


def test_roles_between_which_money_moves_are_played_by_different_accounts() -> None:
    pairs = {frozenset({one, Role(other)}) for one, others in SET_AGAINST.items() for other in others.split()}
    assert {frozenset({one, other}) for one, others in opposites().items() for other in others} == pairs


@pytest.mark.parametrize("rule", PAYMENT_RULES.values(), ids=PAYMENT_RULES)
def test_no_account_may_stand_on_both_sides_of_a_rule(rule: PostingRule) -> None:
    (_, debit, _, _), (_, credit, _, _) = shown(rule(CHART, happened()))
    assert credit in opposites()[debit]
    assert debit in opposites()[credit]


def test_an_account_that_a_rule_sets_against_a_role_cannot_play_it_too() -> None:
    with pytest.raises(RoleConflict, match="plays CASH"):
        check_role(Role.GATEWAY_CLEARING, account(AccountType.ASSET, account_id=CHART.roles[Role.CASH]), CHART)
    # No rule moves money between these two: one account may play both.
    check_role(Role.BANK, account(AccountType.ASSET, account_id=CHART.roles[Role.CASH]), CHART)


@pytest.mark.parametrize("limits", [{"floor_minor": 0}, {"ceiling_minor": 10**9}, {"currencies": ("BRL",)}])
def test_an_account_that_could_refuse_what_happened_plays_no_role(limits: dict[str, Any]) -> None:
    limited = msgspec.structs.replace(account(AccountType.ASSET), **limits)
    with pytest.raises(RoleUnfit, match="must take whatever happens"):
        check_role(Role.CASH, limited, CHART)


def test_the_default_accounts_are_a_configuration_that_could_be_saved() -> None:
    for played, default in zip(ROLES, default_accounts("t"), strict=True):
        check_role(played, default, CHART)
        assert default.code == played
    assert list(ROLES) == list(Role)
