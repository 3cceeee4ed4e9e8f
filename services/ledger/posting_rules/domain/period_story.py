"""What people and the end of a period post to accounts that no event does, explained to an accountant. Pure."""

from datetime import UTC, datetime
from uuid import UUID

from libs.common.contracts.ledger import EntryKind, Side
from libs.common.contracts.ledger_roles import Role
from services.ledger.core import Entry, Line
from services.ledger.posting_rules.domain.drawing import journal, t_accounts
from services.ledger.posting_rules.domain.roles import PROBE, roles_of

_NOW = datetime(2026, 12, 31, tzinfo=UTC)


def period_stories() -> list[str]:
    """Write the sections about tax on what is sold, revaluation and the end of a year."""
    tax = _entry(EntryKind.MANUAL, (Role.REVENUE, 2400), (Role.TAX_PAYABLE, -2400))
    gain = _entry(EntryKind.REVALUATION, (Role.FX_REVALUATION, 14000), (Role.FX_UNREALIZED, -14000))
    back = _entry(EntryKind.REVALUATION, (Role.FX_UNREALIZED, 14000), (Role.FX_REVALUATION, -14000))
    year = _entry(
        EntryKind.YEAR_END, (Role.REVENUE, 15050), (Role.REFUND_EXPENSE, -5000), (Role.RETAINED_EARNINGS, -10050)
    )
    return [
        "## Tax on what is sold",
        "",
        "A capture does not say how much of it is tax. An [entry by hand](manual-entries.md), or many in one call, moves it from revenue to",
        "what is owed; when it is paid, `TAX_PAYABLE` is debited against the account that it is paid from.",
        "",
        *_drawn(tax),
        "## The end of a period",
        "",
        "[Requests of their own](period-ends.md) compute and post these. At the closing rate, assets and liabilities in dollars are worth 140.00 BRL",
        "more than they were booked at; the first instant of the next period takes that back.",
        "",
        *_drawn(gain, back),
        "A year's income and expenses go to retained earnings, in each currency by itself.",
        "",
        *_drawn(year),
    ]


def _drawn(*entries: Entry) -> list[str]:
    touched = [role for entry in entries for role in roles_of(entry)]
    return ["```text", *journal(entries), "", *t_accounts(entries, touched=touched), "```", ""]


def _entry(kind: EntryKind, *amounts: tuple[Role, int]) -> Entry:
    """Make an entry of debits less credits of some roles."""
    return Entry(
        tenant_id=PROBE.tenant_id,
        id=UUID(int=4),
        kind=kind,
        content="",
        payment_intent_id=None,
        occurred_at=_NOW,
        source_event_id=None,
        lines=tuple(
            Line(
                account_id=PROBE.roles[role],
                side=Side.DEBIT if net > 0 else Side.CREDIT,
                amount_minor=abs(net),
                currency="BRL",
            )
            for role, net in amounts
        ),
    )
