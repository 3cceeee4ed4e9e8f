"""What people match stays, rules are versions, and matching survives small pages, crashes, late statements and payouts that come back."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from libs.common.contracts.gateway_errors import (
    ImportSourceNotFound,
    LineMatchConflict,
    LineMatchInvalid,
    LineMatchNotFound,
    MatchingRulesInvalid,
)
from libs.common.contracts.gateway_matching import (
    LineMatch,
    ListStatementLines,
    MatchingRule,
    MatchLines,
    PutMatchingRules,
    RuleKind,
    UnmatchLines,
)
from libs.common.db import Database
from libs.common.ids import new_id
from services.api.matching.schemas import match_body
from services.gateway.reconciliation.matching import queries, sql
from services.gateway.reconciliation.matching.commands import looking
from tests.integration.gateway.reconciliation.test_matching import DAMAGES, day, write
from tests.support.bank_histories import BankHistory

REFERENCE = MatchingRule(kind=RuleKind.REFERENCE, confidence=100)


@pytest.fixture
async def bank(database: Database, tenant_id: str) -> BankHistory:
    made = BankHistory(database, tenant_id)
    await made.source()
    return made


def ref(bank: BankHistory, name: str) -> str:
    return f"po_{bank.tenant_id[-6:]}{name}"


async def match(bank: BankHistory, lines: list[UUID], *names: str, **changes: Any) -> LineMatch:
    given: dict[str, Any] = {"match_id": new_id(), "difference_minor": 0, "reason": "seen", "actor": "ana@example.com"}
    return await bank.by_hand.match(
        MatchLines(
            tenant_id=bank.tenant_id,
            line_ids=tuple(lines),
            references=tuple(ref(bank, name) for name in names),
            **(given | changes),
        )
    )


async def unmatch(bank: BankHistory, match_id: UUID, reason: str = "wrong") -> LineMatch:
    return await bank.by_hand.unmatch(
        UnmatchLines(tenant_id=bank.tenant_id, match_id=match_id, reason=reason, actor="ana@example.com")
    )


async def put(bank: BankHistory, *rules: MatchingRule, **changes: Any) -> int:
    given: dict[str, Any] = {"source_id": bank.source_id, "compared_with": "payouts", "actor": "ana@example.com"}
    request = PutMatchingRules(tenant_id=bank.tenant_id, rules=rules, **(given | changes))
    return (await bank.by_hand.put_rules(request)).version


async def test_small_pages_and_crashes_lead_to_the_same_result(
    bank: BankHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_PAGE", 2)
    matched, found = await write(bank, {*DAMAGES} - {"less", "abroad"})
    add, calls = sql.add, 0

    async def dying(*given: Any, **named: Any) -> None:
        nonlocal calls
        await add(*given, **named)
        calls += 1
        if calls % 7 == 0:
            raise asyncpg.ConnectionDoesNotExistError("killed")

    monkeypatch.setattr(sql, "add", dying)
    run = asyncio.create_task(bank.run())
    for _ in range(200):
        try:
            await asyncio.shield(run)
            break
        except (asyncpg.ConnectionDoesNotExistError, AssertionError):
            bank.clock.advance(timedelta(hours=2))
            run = asyncio.create_task(bank.go_on())
    assert calls > 7
    assert await bank.matched() == matched and await bank.found() == found


async def test_what_people_match_stays_and_is_matched_once(bank: BankHistory) -> None:
    for name in ("one", "two"):
        await bank.payout(name, 5_000, day(1))
    first, second = [await bank.line(name, amount, day(1)) for name, amount in (("a", 5_000), ("b", 4_900))]
    await bank.run()
    assert await bank.found() == {("AMBIGUOUS", "a"), ("FOREIGN", "b")}
    wrong: list[tuple[list[UUID], list[str], dict[str, Any], str]] = [
        ([first], ["one", "two"], {}, "difference_minor must be -5000"),
        ([second], ["one"], {}, "difference_minor must be -100"),
        ([first], ["none"], {}, "there is no one"),
        ([new_id()], ["one"], {}, "there is no line"),
        ([await bank.line("usd", 5_000, day(1), currency="USD")], ["one"], {}, "USD"),
    ]
    for lines, names, changes, named in wrong:
        with pytest.raises(LineMatchInvalid, match=named):
            await match(bank, lines, *names, **changes)
    results = await asyncio.gather(
        *(match(bank, [first], name) for name in ("one", "two", "one", "two")), return_exceptions=True
    )
    made = [each for each in results if isinstance(each, LineMatch)]
    assert len(made) == 1 and sum(isinstance(each, LineMatchConflict) for each in results) == 3
    other = "two" if bank.names[str(made[0].parts[1].id)] == "one" else "one"
    short = await match(bank, [second], other, difference_minor=-100)
    assert (short.rule, short.difference_minor, short.matched_by) == ("by_hand", -100, "ana@example.com")
    again = await match(bank, [second], other, difference_minor=-100, match_id=short.id)
    assert again == short
    with pytest.raises(LineMatchConflict):
        await match(bank, [first], other, match_id=short.id)
    assert await bank.found() == set()
    run = await bank.run()
    assert (run.new, len(await bank.matches())) == (1, 2), "the line in another currency is foreign"

    undone = await unmatch(bank, made[0].id)
    assert (undone.unmatched_by, undone.unmatch_reason) == ("ana@example.com", "wrong")
    assert await unmatch(bank, made[0].id) == undone
    with pytest.raises(LineMatchConflict):
        await unmatch(bank, made[0].id, "another reason")
    with pytest.raises(LineMatchNotFound):
        await unmatch(bank, new_id())
    await bank.run()
    # Its payout is the only one that is left, and yet it is not put together again.
    assert ("FOREIGN", "a") in await bank.found() and len(await bank.matches()) == 1
    assert [each.id for each in await bank.matches(part_id=first, in_force=False)] == [made[0].id]
    page = await queries.lines(bank.database, ListStatementLines(tenant_id=bank.tenant_id, matched=True, limit=1))
    assert [line.id for line in page.lines] == [second] and page.next_before is None


async def test_people_match_what_the_bank_has_exchanged(bank: BankHistory) -> None:
    await bank.payout("usd", 10_000, day(1), currency="USD")
    line = await bank.line("eur", 9_201, day(1), ref="usd")
    back = await bank.line("back", -9_201, day(1))
    await bank.run()
    assert ("CURRENCY_MISMATCH", "usd") in await bank.found()
    for lines, changes, named in (
        ([line], {"difference_minor": -799}, "other_currency must be USD, other_minor 10000"),
        ([line], {"other_currency": "USD", "other_minor": 9_999}, "other_minor 10000"),
        ([line], {"other_currency": "BRL", "other_minor": 10_000}, "other_currency must be USD"),
        ([line], {"other_currency": "USD", "other_minor": 10_000, "difference_minor": 1}, "difference_minor 0"),
        ([back], {"other_currency": "USD", "other_minor": 10_000}, "the lines come to -9201"),
        ([line, back], {"other_currency": "USD", "other_minor": 10_000}, "the lines come to 0"),
    ):
        with pytest.raises(LineMatchInvalid, match=named):
            await match(bank, lines, "usd", **changes)
    # What came back is nothing, and no money at the bank stands for that.
    await bank.payout("failed", 10_000, day(1), currency="USD", status="failed")
    with pytest.raises(LineMatchInvalid, match="the lines come to 9201 EUR and the other side to 0 USD"):
        await match(bank, [line], "failed", other_currency="USD", other_minor=0)
    less = await bank.line("less", -9_200, day(1))
    returned = await match(bank, [line, less], "failed", other_currency="USD", other_minor=0)
    assert (returned.amount_minor, returned.other_minor) == (1, 0)
    await unmatch(bank, returned.id)
    made = await match(bank, [line], "usd", other_currency="USD", other_minor=10_000)
    assert (made.amount_minor, made.difference_minor, made.other_currency, made.other_minor) == (
        9_201,
        0,
        "USD",
        10_000,
    )
    body = match_body(made)
    assert (body.amount, body.other_amount, [part.amount for part in body.parts]) == (
        "92.01",
        "100.00",
        ["92.01", "100.00"],
    )
    await bank.run()
    assert await bank.found() == {("FOREIGN", "back"), ("FOREIGN", "less")}
    await bank.payout("same", 500, day(1))
    with pytest.raises(LineMatchInvalid, match="must be left out"):
        await match(bank, [await bank.line("l", 500, day(1))], "same", other_currency="EUR", other_minor=500)


async def test_rules_are_versions_and_make_sense(bank: BankHistory) -> None:
    window = MatchingRule(kind=RuleKind.DATE_WINDOW, window_days=5, confidence=80)
    assert [await put(bank, REFERENCE), await put(bank, REFERENCE), await put(bank, REFERENCE, window)] == [1, 1, 2]
    assert sorted(await asyncio.gather(*(put(bank, REFERENCE, concerns=(word,)) for word in "abcd"))) == [3, 4, 5, 6]
    for rules, changes, named in [
        ((), {}, "1 to 20 rules"),
        ((window,), {"compared_with": "movements"}, "by reference alone"),
        ((REFERENCE,), {"compared_with": "books"}, "compared_with"),
        ((MatchingRule(kind=RuleKind.EXACT, window_days=1, confidence=1),), {}, "no window_days"),
        ((MatchingRule(kind=RuleKind.TOLERANCE, confidence=1),), {}, "tolerance_minor must be 1"),
        ((MatchingRule(kind=RuleKind.ONE_TO_MANY, parts_max=7, confidence=1),), {}, "parts_max must be 2 to 6"),
        ((MatchingRule(kind=RuleKind.REFERENCE, confidence=101),), {}, "confidence"),
    ]:
        with pytest.raises(MatchingRulesInvalid, match=named):
            await put(bank, *rules, **changes)
    with pytest.raises(ImportSourceNotFound):
        await put(bank, REFERENCE, source_id=new_id())


async def test_tolerance_fees_and_concerns_are_heeded(bank: BankHistory) -> None:
    await put(
        bank,
        MatchingRule(kind=RuleKind.TOLERANCE, tolerance_minor=50, window_days=1, confidence=60),
        MatchingRule(kind=RuleKind.FEE_AWARE, window_days=1, confidence=70),
        concerns=("stripe",),
    )
    for name, amount, on in (("near", 10_000, 1), ("net", 20_000, 5), ("far", 30_000, 9)):
        await bank.payout(name, amount, day(on))
    await bank.line("near-line", 9_950, day(2))
    await bank.line("net-line", 20_300, day(5), fee_minor=300)
    await bank.line("far-line", 29_949, day(9))
    await bank.line("rent", -70_000, day(9), description="RENT")
    await bank.run()
    assert await bank.matched() == {("tolerance", "near near-line"), ("fee_aware", "net net-line")}
    assert {(each.difference_minor, each.confidence) for each in await bank.matches()} == {(-50, 60), (300, 70)}
    assert await bank.found() == {("MISSING_REMOTE", "far"), ("FOREIGN", "far-line")}


async def test_a_dry_run_finds_what_a_run_would_among_many_lines(bank: BankHistory) -> None:
    for number in range(60):
        await bank.line(f"other-{number}", 7_000 + number, day(1), description="")
    await bank.payout("net", 20_000, day(1))
    await bank.line("net-line", 20_300, day(1), fee_minor=300)
    dry = await bank.run(is_dry=True)
    run = await bank.run()
    assert await bank.matched() == {("fee_aware", "net net-line")}
    assert dry.found == run.found == {"FOREIGN": 60}


async def test_what_is_missing_waits_for_statements_and_settles(bank: BankHistory, tenant_id: str) -> None:
    late, soon = date(2026, 11, 14), date(2026, 11, 19)
    await bank.payout("late", 1_000, late)
    await bank.payout("soon", 2_000, soon)
    await bank.payout("abroad", 3_000, late, currency="CHF")
    await bank.line("other", 1, late)
    await bank.run()
    # The bank has no account in francs; what arrived yesterday is not due yet.
    assert await bank.found() == {("MISSING_REMOTE", "late"), ("FOREIGN", "other")}
    bank.clock.advance(timedelta(days=3))
    await bank.run()
    assert ("TIMING", "soon") in await bank.found(), "no statement has the days after its arrival"
    await bank.statement(date(2026, 11, 20), date(2026, 11, 22))
    await bank.run()
    assert ("MISSING_REMOTE", "soon") in await bank.found()
    await bank.line("soon-line", 2_000, soon + timedelta(days=1))
    await bank.line("late-line", 1_000, late)
    run = await bank.run()
    assert (run.agreed, await bank.found()) == (2, {("FOREIGN", "other")})
    nobody = BankHistory(bank.database, f"{tenant_id}-none")
    await nobody.payout("alone", 1_000, late)
    assert (await nobody.run()).found.get("MISSING_REMOTE", 0) <= 1 and await nobody.found() == set()


async def test_a_payout_that_comes_back_is_matched_with_both_lines(bank: BankHistory) -> None:
    await bank.payout("back", 5_000, day(1))
    await bank.line("out", 5_000, day(1), ref="back")
    await bank.run()
    assert await bank.matched() == {("reference", "back out")}
    async with bank.database.connection() as connection:
        await connection.execute("UPDATE processor_payouts SET status = 'failed' WHERE tenant_id = $1", bank.tenant_id)
    await bank.run()
    assert await bank.found() == {("STATUS_MISMATCH", "back")}
    await bank.line("in", -5_000, day(4), ref="back")
    bank.clock.advance(timedelta(hours=1))
    await bank.run()
    bank.clock.advance(timedelta(hours=1))
    await bank.run()
    assert await bank.matched() == {("many_to_one", "back in out")} and await bank.found() == set()
    assert [each.unmatched_by for each in await bank.matches(in_force=False)] == ["reconciliation"]


async def test_lines_of_a_processor_name_movements(bank: BankHistory) -> None:
    bank.source_id = new_id()
    await bank.source("stripe_balance_change")
    for name, gross, net in (
        ("good", 1_000, 950),
        ("fee", 2_000, 1_900),
        ("less", 3_000, 2_900),
        ("net", 4_000, 3_900),
    ):
        await bank.movement(name, gross, net)
    for name, gross, fee in (
        ("good", 1_000, 50),
        ("fee", 2_000, 99),
        ("less", 2_999, 99),
        ("gone", 5, 0),
        ("net", 3_900, 0),
    ):
        await bank.line(f"{name}-line", gross, day(3), bank_id=f"txn_{bank.tenant_id}_{name}", fee_minor=fee)
    await bank.run()
    assert await bank.matched() == {("reference", "good good-line"), ("fee_aware", "net net-line")}
    assert {each.difference_minor for each in await bank.matches()} == {0}
    assert await bank.found() == {
        ("FEE_MISMATCH", "fee-line"),
        ("AMOUNT_MISMATCH", "less-line"),
        ("MISSING_LOCAL", "gone-line"),
    }
