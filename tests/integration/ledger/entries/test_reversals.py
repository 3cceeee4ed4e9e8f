"""An entry is reversed once, by a further one."""

import asyncio

from libs.common.contracts.ledger import (
    ListEntries,
    Side,
)
from libs.common.ids import new_id
from services.ledger.entries import EntryQueries
from services.ledger.watermark import Watermark
from tests.integration.ledger.bank import Bank, refused


class TestReversal:
    """What was posted is taken back by a further entry, once."""

    async def test_a_reversal_is_linked_and_happens_once(self, bank: Bank) -> None:
        entry_id = await bank.post("VAULT", "WALLET", 50)
        reversal, again = await asyncio.gather(*(bank.entries.reverse(bank.tenant_id, entry_id) for _ in range(2)))
        assert reversal == again
        assert (reversal.kind, reversal.reverses) == ("reversal", entry_id)
        assert [(line.side, line.account, line.amount_minor) for line in reversal.lines] == [
            (Side.DEBIT, "WALLET", 50),
            (Side.CREDIT, "VAULT", 50),
        ]
        assert await bank.balance("WALLET") == (1000, 0)

    async def test_a_reversal_is_not_reversed(self, bank: Bank) -> None:
        reversal = await bank.entries.reverse(bank.tenant_id, await bank.post("VAULT", "WALLET", 50))
        assert await refused(bank.entries.reverse(bank.tenant_id, reversal.id)) == "entry_not_reversible"

    async def test_what_is_not_there_or_was_spent_is_not_reversed(self, bank: Bank) -> None:
        assert await refused(bank.entries.reverse(bank.tenant_id, new_id())) == "entry_not_found"
        entry_id = await bank.post("VAULT", "WALLET", 50)
        assert await refused(bank.entries.reverse("somebody-else", entry_id)) == "entry_not_found"
        await bank.post("WALLET", "VAULT", 1050)
        assert await refused(bank.entries.reverse(bank.tenant_id, entry_id)) == "floor_crossed"


async def test_entries_show_what_they_take_back_and_when_they_count(bank: Bank) -> None:
    reversal = await bank.entries.reverse(bank.tenant_id, await bank.post("VAULT", "WALLET", 50))
    queries = EntryQueries(bank.database, watermark=Watermark(bank.database, clock=bank.clock))
    page = await queries.entries(ListEntries(tenant_id=bank.tenant_id, limit=1))
    assert page.entries == [reversal]
