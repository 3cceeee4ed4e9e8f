"""What is always true of repairs: which one a discrepancy allows. Pure."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_reconciliation import Discrepancy, DiscrepancyType, SubjectKind
from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_journal import Proposal
from libs.common.money import format_minor, parse_amount


class Means(StrEnum):
    """What is done about a discrepancy."""

    PUBLISH = "publish"
    """What the gateway has of it is published again, under the ids that it had: whoever lacks it takes it, once."""
    READ = "read"
    """The processor is read again, and what it shows takes the way of any notice; what is known is published again as well."""
    ENTRY = "entry"
    """An entry that somebody proposed adjusts the books, once somebody else has approved it."""


class Repair(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done about a discrepancy, as it is stored."""

    tenant_id: str
    discrepancy_id: UUID
    id: UUID
    means: Means
    actor: str
    proposal_id: UUID | None
    made_at: datetime
    next_at: datetime | None
    """When the proposal is looked at: until it is decided, and whether its entries stand from then on; None: never."""
    outcome: str
    """What became of it: `done`, or how the proposal ended; empty while it is waited for."""


DONE = "done"
"""Nothing is waited for but the next run."""

_PUBLISHED = frozenset({SubjectKind.PAYMENT, SubjectKind.REFUND, SubjectKind.DISPUTE, SubjectKind.MOVEMENT})
_READ = frozenset({SubjectKind.PAYMENT, SubjectKind.REFUND, SubjectKind.DISPUTE})
_EVENTS = {
    SubjectKind.PAYMENT: "payment_intent.succeeded",
    SubjectKind.REFUND: "refund.updated",
    SubjectKind.DISPUTE: "charge.dispute.updated",
}
"""The type of event that makes the gateway read an object; what it shows counts, and not the type."""


def means_of(known: Discrepancy) -> Means | None:
    """Return what is safe to do about a discrepancy; None: a person must decide."""
    if known.type is DiscrepancyType.NOT_BOOKED and known.subject_kind in _PUBLISHED:
        return Means.PUBLISH
    is_missed = known.type is DiscrepancyType.STATUS_MISMATCH or (
        known.type is DiscrepancyType.MISSING_LOCAL and known.subject_kind is not SubjectKind.PAYMENT
    )
    if is_missed and known.aspect == "processor" and known.subject_kind in _READ:
        return Means.READ
    return None


def unfit(known: Discrepancy, proposal: Proposal) -> str:
    """Say why a proposal cannot adjust the books for a discrepancy: by currency and amount; empty: it can."""
    # What is exchanged is booked in both currencies, and only one of them stands in the discrepancy.
    if not known.currency or known.aspect == "exchange":
        return ""
    amounts: set[int] = set()
    for entry in proposal.entries:
        lines = [
            (line.side, parse_amount(line.amount, line.currency))
            for line in entry.lines
            if line.currency == known.currency
        ]
        amounts |= {amount for _, amount in lines}
        amounts.add(sum(amount for side, amount in lines if side is Side.DEBIT))
    if not amounts - {0}:
        return f"the proposal {proposal.id} has nothing in {known.currency}"
    off = abs((known.expected_minor or 0) - (known.actual_minor or 0))
    # Two currencies have no difference, and of a fee the parts may differ where their sum does not.
    if known.type is DiscrepancyType.CURRENCY_MISMATCH or not off or off in amounts:
        return ""
    return f"the proposal {proposal.id} has no entry of {format_minor(off, known.currency)} {known.currency}"


def reading_event(repair: Repair, known: Discrepancy, *, payment_ref: str) -> tuple[str, str] | None:
    """Write the event that makes the gateway read an object again, as its type and body; None where its reference is not known."""
    kind = _EVENTS[known.subject_kind]
    ref = payment_ref if known.subject_kind is SubjectKind.PAYMENT else known.gateway_ref
    if not ref:
        return None
    name = f"v1.{kind}"
    body = {
        "id": f"repair_{repair.id}",
        "object": "v2.core.event",
        "type": name,
        "created": repair.made_at,
        "related_object": {"id": ref, "type": kind.split(".")[0]},
    }
    return name, msgspec.json.encode(body).decode()
