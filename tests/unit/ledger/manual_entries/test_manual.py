"""What people enter, before it is posted."""

import hashlib

import msgspec

from libs.common.contracts.ledger_journal import ManualEntry, Mode
from services.ledger.manual_entries.domain import fingerprint, identified


async def test_the_fingerprint_is_that_of_the_whole_whatever_its_length() -> None:
    for count in (0, 1, 200, 201, 450):
        entries = [ManualEntry(description=f"{n}", lines=[]) for n in range(count)]
        whole = hashlib.sha256(msgspec.json.encode((Mode.ATOMIC, entries))).digest()
        assert await fingerprint(Mode.ATOMIC, entries) == whole


async def test_each_entry_has_the_id_of_its_place() -> None:
    entries = [ManualEntry(description="same", lines=[])] * 450
    once, again = await identified(entries, source="s"), await identified(entries, source="s")
    assert once == again
    assert len({entry.id for entry in once}) == 450
    assert (await identified(once[:3], source="other")) == once[:3]
