"""What has to be known to decide a group. Pure."""

from collections.abc import Sequence

from services.ledger.core import Hold
from services.ledger.posting.domain.decision import BalanceKey, EntryKey, HoldKey
from services.ledger.posting.domain.instructions import Booking, Instruction


class Needs:
    """The balances, entries, holds and tenants of a group: each key once."""

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
