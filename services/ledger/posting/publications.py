"""A decided group as it is written, with the messages that it publishes."""

from collections.abc import Mapping, Sequence

from services.ledger import outbox
from services.ledger.core import Balance
from services.ledger.posting.domain.decision import BalanceKey, Decision
from services.ledger.posting.domain.instructions import Booking, Instruction, Posted
from services.ledger.posting.sql.groups import EncodedGroup, encode_group


def encoded(
    instructions: Sequence[Instruction], decision: Decision, *, before: Mapping[BalanceKey, Balance]
) -> EncodedGroup:
    """Encode a decided group with `journal_entry.posted` of each new entry; `before` holds the balances before it."""
    publications = [
        outbox.entry_posted(instruction.entry, posted_at=outcome.posted_at, correlation=instruction.correlation)
        for instruction, outcome in zip(instructions, decision.outcomes, strict=True)
        if isinstance(outcome, Posted) and isinstance(instruction, Booking)
    ]
    return encode_group(decision.posted, decision.balances, publications, before=before)
