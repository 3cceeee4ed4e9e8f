"""The whole ledger: its workers, and random operations against a model in plain Python."""

from datetime import timedelta

import pytest

from libs.common.contracts import ledger_books as contract
from services.ledger.balances import balance_workers
from services.ledger.holds import hold_workers, queries
from services.ledger.integrity import Reconciliation, Verifier, integrity_workers
from tests.integration.ledger.bank import Bank
from tests.support.databases import TestDatabase
from tests.support.ledger_proof import prove


async def test_the_workers_run(bank: Bank) -> None:
    hold = await bank.hold(1, lasts=timedelta(seconds=1))
    bank.clock.advance(timedelta(seconds=1))
    verifier = Verifier(bank.database, clock=bank.clock)
    reconciliation = Reconciliation(bank.database, clock=bank.clock)
    for worker in (
        *hold_workers(bank.database, bank.holds, clock=bank.clock, kept_days=0),
        *balance_workers(bank.database),
        *integrity_workers(bank.database, verify_added=verifier.go_on, reconciliation=reconciliation, signer=None),
    ):
        await worker.run()
    assert (await queries.get(bank.database, bank.tenant_id, hold.id)).state is contract.HoldState.EXPIRED
    assert (await verifier.show(bank.tenant_id)).entries > 0


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_model_and_the_ledger_agree(ledger_database: TestDatabase, seed: int) -> None:
    async with ledger_database.open("ledger") as one, ledger_database.open("ledger") as two:
        seen = await prove(one, two, operations=1500, seed=seed)
    assert {
        "posted",
        "replayed",
        "held",
        "floor_crossed",
        "hold_resolved",
        "period_closed",
        "approval_required",
    } <= set(seen)
