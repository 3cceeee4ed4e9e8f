"""Counting what became of instructions, and the spans of groups."""

from collections import Counter
from collections.abc import Sequence

from libs.common.observability import tracing
from libs.common.observability.tracing import SpanKind
from services.ledger import metrics
from services.ledger.posting.domain.instructions import Booking, Held, Instruction, Outcome, Placing, Posted


def count(instructions: Sequence[Instruction], outcomes: Sequence[Outcome | Held]) -> None:
    """Count what became of a group; called once, by whoever knows that the group will not be tried again in parts."""
    lines = Counter(
        (line.account_id, line.currency)
        for one, outcome in zip(instructions, outcomes, strict=True)
        if isinstance(one, Booking) and isinstance(outcome, Posted)
        for line in one.entry.lines
    )
    if lines:
        metrics.HOTTEST.observe(max(lines.values()))
    kinds = Counter([(_kind(one), type(outcome)) for one, outcome in zip(instructions, outcomes, strict=True)])
    for (kind, answer), entries in kinds.items():
        metrics.ENTRIES.labels(kind, answer.__name__.lower()).inc(entries)


def record_group(way: str, instructions: Sequence[Instruction], *, started_ns: int) -> None:
    """Record the span of a group that was written: below its one entry's cause, or linked with the causes of several."""
    causes = [
        one.correlation.traceparent
        for one in instructions
        if isinstance(one, Booking) and tracing.is_sampled(one.correlation.traceparent)
    ]
    if not causes:
        return
    parent = causes[0] if len(causes) == 1 else ""
    tracing.record(
        "post group",
        kind=SpanKind.INTERNAL,
        traceparent=tracing.child_traceparent(parent) if parent else tracing.root_traceparent(is_recorded=True),
        parent=parent,
        started_ns=started_ns,
        attributes={"way": way, "group_size": len(instructions)},
        links=() if parent else causes,
    )


def _kind(instruction: Instruction) -> str:
    if isinstance(instruction, Booking):
        return instruction.entry.kind
    return "hold_place" if isinstance(instruction, Placing) else f"hold_{instruction.state.lower()}"
