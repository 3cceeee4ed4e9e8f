"""A group on both sides of its decision: what has to be known for it, and what is written of it."""

from collections.abc import Mapping, Sequence

from services.ledger import outbox
from services.ledger.core import Balance, Hold
from services.ledger.posting.domain.decision import BalanceKey, Decision, EntryKey, HoldKey
from services.ledger.posting.domain.instructions import Booking, Instruction, Posted
from services.ledger.posting.sql import groups


class Wanted:
    """What a group has to know: each key once."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        balances: dict[BalanceKey, None] = {}
        entries: dict[EntryKey, None] = {}
        holds: dict[HoldKey, None] = {}
        tenants: dict[str, None] = {}
        for instruction in instructions:
            hold: Hold | None
            if isinstance(instruction, Booking):
                entry, hold = instruction.entry, instruction.captures
                tenants[entry.tenant_id] = None
                entries[entry.tenant_id, entry.id] = None
                for line in entry.lines:
                    balances[entry.tenant_id, line.account_id, line.currency] = None
            else:
                hold = instruction.hold
            if hold is not None:
                holds[hold.tenant_id, hold.id] = None
                for _, account_id in hold.sides:
                    balances[hold.tenant_id, account_id, hold.currency] = None
        self.balances = list(balances)
        self.entries = list(entries)
        self.holds = list(holds)
        self.tenants = list(tenants)


def balances_of(bookings: Sequence[Booking]) -> list[BalanceKey]:
    """List the balances that entries without holds post to: each key once."""
    return list({(b.entry.tenant_id, line.account_id, line.currency): None for b in bookings for line in b.entry.lines})


def prepare(
    instructions: Sequence[Instruction], decision: Decision, *, before: Mapping[BalanceKey, Balance]
) -> groups.PreparedGroup:
    """Lay a decided group out as it is written, with what it says to others; `before` is what it goes on from."""
    publications = [
        outbox.entry_posted(instruction.entry, posted_at=outcome.posted_at, correlation=instruction.correlation)
        for instruction, outcome in zip(instructions, decision.outcomes, strict=True)
        if isinstance(outcome, Posted) and isinstance(instruction, Booking)
    ]
    return groups.prepare_group(decision.posted, decision.balances, publications, before=before)
