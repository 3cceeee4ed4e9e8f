"""The comparison of refunds and disputes with the processor's statement. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from uuid import UUID

import msgspec

from libs.common.contracts.api_facts import PaymentFact, RefundFact
from libs.common.contracts.gateway_reconciliation import DiscrepancyType, SubjectKind
from libs.common.ids import time_of_id
from services.gateway.reconciliation.runs.domain.facts import (
    DISPUTES,
    REFUNDS,
    Difference,
    MovementFact,
    Patience,
    PaymentGroup,
    about_part,
)

_TAKEN: Mapping[str, bool] = MappingProxyType(
    {"OPEN": True, "LOST": True, "WON": False, "INQUIRY": False, "INQUIRY_CLOSED": False}
)
"""Whether the bank has the disputed money, by our status of the dispute."""


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """A refund or a dispute as we have it, and what moved for it."""

    kind: SubjectKind
    id: UUID
    gateway_ref: str
    status: str
    amount_minor: int
    expected_minor: int
    """What must have left the processor for it."""
    may_be: frozenset[int]
    """What may have left it as well, while nothing is decided."""
    moves: Sequence[MovementFact]

    @property
    def moved_minor(self) -> int:
        """What has left the processor for it."""
        return -sum(moved.value for moved in self.moves)

    @property
    def slack_minor(self) -> int:
        """By how much that may be off: what a dispute takes in part is exchanged back at a rate, each time rounded.

        One minor unit of what the account settles in may be several of the payment's currency.
        """
        if self.kind is not SubjectKind.DISPUTE:
            return 0
        return sum(
            -(-abs(moved.value) // abs(moved.amount_minor))
            for moved in self.moves
            if moved.source_currency and moved.amount_minor
        )


def refunded(
    group: PaymentGroup, payment: PaymentFact, once: Sequence[MovementFact], patience: Patience
) -> list[Difference]:
    """Compare the refunds of a payment with what moved back."""
    known = {refund.refund_id for refund in payment.refunds}
    by_ref = {refund.gateway_ref: refund.refund_id for refund in payment.refunds if refund.gateway_ref}

    def subject_of(moved: MovementFact) -> str:
        refund_id = moved.refund_id if moved.refund_id in known else by_ref.get(moved.source_ref, moved.refund_id)
        return str(refund_id or moved.source_ref)

    moved_of = _by_subject((moved for moved in once if moved.kind in REFUNDS), subject_of)
    found: list[Difference] = []
    for refund in payment.refunds:
        part = _refund(refund, moved_of.pop(str(refund.refund_id), ()))
        found += _compare(group, payment, part, patience)
    return found + _unknown(group, SubjectKind.REFUND, moved_of, patience)


def disputed(
    group: PaymentGroup, payment: PaymentFact, once: Sequence[MovementFact], patience: Patience
) -> list[Difference]:
    """Compare the disputes about a payment with what a bank took and gave back."""
    moved_of = _by_subject((moved for moved in once if moved.kind in DISPUTES), lambda moved: moved.source_ref)
    found: list[Difference] = []
    for dispute in payment.disputes:
        part = _Part(
            kind=SubjectKind.DISPUTE,
            id=dispute.dispute_id,
            gateway_ref=dispute.gateway_ref,
            status=dispute.status,
            amount_minor=dispute.amount_minor,
            expected_minor=dispute.amount_minor if _TAKEN.get(dispute.status, True) else 0,
            may_be=frozenset(),
            moves=moved_of.pop(dispute.gateway_ref, ()),
        )
        found += _compare(group, payment, part, patience)
    return found + _unknown(group, SubjectKind.DISPUTE, moved_of, patience)


def _refund(refund: RefundFact, moves: Sequence[MovementFact]) -> _Part:
    return _Part(
        kind=SubjectKind.REFUND,
        id=refund.refund_id,
        gateway_ref=refund.gateway_ref or (moves[0].source_ref if moves else ""),
        status=refund.status,
        amount_minor=refund.amount_minor,
        expected_minor=refund.amount_minor if refund.status == "COMPLETED" else 0,
        may_be=frozenset([refund.amount_minor]) if refund.status == "PENDING" else frozenset(),
        moves=moves,
    )


def _compare(group: PaymentGroup, payment: PaymentFact, part: _Part, patience: Patience) -> list[Difference]:
    has = part.moved_minor
    strange = next((moved for moved in part.moves if moved.value_currency != payment.currency), None)
    if strange is None and (abs(has - part.expected_minor) <= part.slack_minor or has in part.may_be):
        return []
    if not part.moves and group.statement_until is None:
        return []
    named: DiscrepancyType | None = DiscrepancyType.CURRENCY_MISMATCH
    if strange is not None:
        kind, status = DiscrepancyType.CURRENCY_MISMATCH, strange.value_currency
    elif not part.moves:
        kind, status = DiscrepancyType.MISSING_REMOTE, ""
    elif has == 0:
        kind, status = DiscrepancyType.STATUS_MISMATCH, "returned"
    elif not part.expected_minor and has == part.amount_minor:
        kind, status = DiscrepancyType.STATUS_MISMATCH, "taken"
    else:
        kind, status = DiscrepancyType.AMOUNT_MISMATCH, ""
    if strange is None:
        named = patience.or_timing(kind, payment.updated_at, *(moved.created_at for moved in part.moves))
    return [
        about_part(
            named,
            group,
            part.kind,
            str(part.id),
            f"the {part.kind} {part.gateway_ref or part.id} is {part.status} over {part.amount_minor} {payment.currency}, "
            f"and the processor's statement has {has if part.moves else 'nothing of it'}",
            since=time_of_id(part.id),
            gateway_ref=part.gateway_ref,
            expected_minor=part.expected_minor,
            actual_minor=has if part.moves else None,
            expected_status=part.status,
            actual_status=status,
        )
    ]


def _unknown(
    group: PaymentGroup, kind: SubjectKind, moved_of: Mapping[str, Sequence[MovementFact]], patience: Patience
) -> list[Difference]:
    """What moved for refunds and disputes that we do not have; the message about one of a moment ago may be in transit."""
    return [
        about_part(
            patience.or_timing(DiscrepancyType.MISSING_LOCAL, moves[-1].created_at),
            group,
            kind,
            subject,
            f"the {kind} {moves[0].source_ref} is one that we do not have",
            since=moves[0].created_at,
            gateway_ref=moves[0].source_ref,
            currency=moves[0].value_currency,
            actual_minor=-sum(moved.value for moved in moves),
        )
        for subject, moves in moved_of.items()
    ]


def _by_subject(
    moved: Iterable[MovementFact], subject_of: Callable[[MovementFact], str]
) -> dict[str, Sequence[MovementFact]]:
    found: dict[str, list[MovementFact]] = {}
    for each in moved:
        found.setdefault(subject_of(each), []).append(each)
    return {**found}
