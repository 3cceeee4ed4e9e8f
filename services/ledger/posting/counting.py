"""Counting what became of instructions."""

from collections import Counter
from collections.abc import Sequence

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


def _kind(instruction: Instruction) -> str:
    if isinstance(instruction, Booking):
        return instruction.entry.kind
    return "hold_place" if isinstance(instruction, Placing) else f"hold_{instruction.state.lower()}"
