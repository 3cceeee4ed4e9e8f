"""Long requests are read in slices: what comes out is what the parser makes of the whole."""

import json

import msgspec
import pytest

from libs.common.contracts import REGISTRY, Kind
from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_journal import ManualEntry, ManualLine, Mode, PostEntries, ProposeEntries
from libs.common.errors import Undecodable
from libs.common.messaging.readings import reading

LINES = [
    ManualLine(account="CASH", side=Side.DEBIT, amount="1.00", currency="BRL"),
    ManualLine(account="REVENUE", side=Side.CREDIT, amount="1.00", currency="BRL"),
]
ENTRIES = [ManualEntry(description=f"Entry {n}", lines=LINES) for n in range(1_000)]
LONG = PostEntries(tenant_id="t", made_by="ops", key="k", mode=Mode.INDEPENDENT, entries=ENTRIES)


async def test_a_long_request_is_read_as_the_whole_of_it() -> None:
    assert await reading(PostEntries)(LONG.encode()) == LONG
    proposed = ProposeEntries(tenant_id="t", made_by="ops", key="k", reason="r", entries=ENTRIES)
    assert await reading(ProposeEntries)(proposed.encode()) == proposed


async def test_members_with_defaults_may_be_absent_and_unknown_ones_are_ignored() -> None:
    plain = json.loads(LONG.encode())
    for name in ("mode", "is_dry_run"):
        plain.pop(name, None)
    plain["later"] = 1
    read = await reading(PostEntries)(json.dumps(plain).encode())
    assert read == msgspec.structs.replace(LONG, mode=Mode.ATOMIC)


@pytest.mark.parametrize("place", [0, 999])
async def test_what_breaks_the_contract_is_refused_wherever_it_stands(place: int) -> None:
    plain = json.loads(LONG.encode())
    del plain["entries"][place]["description"]
    with pytest.raises(Undecodable, match="description"):
        await reading(PostEntries)(json.dumps(plain).encode())
    with pytest.raises(Undecodable, match="the request breaks its contract"):
        await reading(PostEntries)(LONG.encode()[:-1])


def test_long_members_are_lists_of_requests() -> None:
    long = {m.contract.name: m for m in REGISTRY.values() if m.contract.long}
    assert set(long) == {"journal.post", "journal.propose"}
    for kind in long.values():
        assert kind.contract.kind is Kind.REQUEST
        reading(kind)
