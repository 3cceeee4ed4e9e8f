"""What people do while a run matches counts: between what a step has read and what it writes, and between its steps."""

from typing import Any

import pytest

from libs.common.contracts.gateway_matching import BY_HAND
from libs.common.db import Database
from services.gateway.reconciliation.matching import sql
from services.gateway.reconciliation.matching.commands import Looked, looking
from tests.integration.gateway.reconciliation.test_matching import day
from tests.integration.gateway.reconciliation.test_matching_by_hand import REFERENCE, match, put, unmatch
from tests.support.bank_histories import BankHistory


@pytest.fixture
async def bank(database: Database, tenant_id: str) -> BankHistory:
    made = BankHistory(database, tenant_id)
    await made.source()
    return made


@pytest.mark.parametrize("is_taken_apart", [False, True])
async def test_a_match_by_hand_between_reading_and_writing(
    bank: BankHistory, monkeypatch: pytest.MonkeyPatch, is_taken_apart: bool
) -> None:
    await bank.payout("one", 5_000, day(1))
    line = await bank.line("a", 5_000, day(1))
    read = looking.Matching.lines

    async def meanwhile(*given: Any) -> Looked:
        looked = await read(*given)
        if looked.matches and not await bank.matches(in_force=None):
            made = await match(bank, [line], "one")
            if is_taken_apart:
                await unmatch(bank, made.id)
        return looked

    monkeypatch.setattr(looking.Matching, "lines", meanwhile)
    run = await bank.run()
    assert len(await bank.matches(in_force=None)) == 1, "what a person has taken apart no run puts together"
    assert await bank.matched() == (set() if is_taken_apart else {(BY_HAND, "a one")})
    assert run.lines_matched == 0
    await bank.run()
    assert await bank.found() == ({("FOREIGN", "a")} if is_taken_apart else set())


@pytest.mark.parametrize("number", [2, 7, 13])
async def test_fewer_rules_during_a_run_leave_no_line_out(
    bank: BankHistory, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(looking, "_PAGE", 1)
    names = [f"rent-{each}" for each in range(4)]
    for each, name in enumerate(names):
        await bank.line(name, -5_000 - each, day(each))
    booked, calls = sql.booked, 0

    async def changing(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            await put(bank, REFERENCE)
        return await booked(*given, **named)

    monkeypatch.setattr(sql, "booked", changing)
    run = await bank.run()
    assert calls > number
    assert await bank.found() == {("FOREIGN", name) for name in names}
    assert run.lines == len(names)
