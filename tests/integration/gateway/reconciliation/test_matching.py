"""A true history of payouts and bank lines is damaged in every way: each damage is found under its name, and nothing else is."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from random import Random
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.gateway_matching import MatchingRule
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.reconciliation.matching.commands import evaluating, looking, places
from services.gateway.reconciliation.matching.domain import Around, Line, Paired, paired
from tests.support.bank_histories import NOW, BankHistory
from tests.support.databases import TestDatabase

type Found = set[tuple[str, str]]


@pytest.fixture
async def database(gateway_database: TestDatabase) -> AsyncIterator[Database]:
    async with gateway_database.open("gateway") as opened:
        yield opened


def day(number: int) -> date:
    return date(2026, 9, 5) + timedelta(days=number)


def is_damaged(damages: set[str], name: str) -> bool:
    return name in damages


async def write(bank: BankHistory, damages: set[str]) -> tuple[Found, Found]:
    """Write payouts and lines with some damages; returns what is to be matched, and what is to be found."""
    matched: Found = set()
    found: Found = set()

    async def simple(name: str, amount: int, on: int, rule: str, *, ref: str = "", late: int = 0) -> None:
        await bank.payout(name, amount, day(on))
        await bank.line(f"{name}-line", amount, day(on + late), ref=ref)
        matched.add((rule, f"{name} {name}-line"))

    await simple("plain", 50_000, 1, "exact")
    await simple("late", 41_000, 4, "date_window", late=2)
    await simple("debit", -7_000, 7, "exact")
    if "lost" in damages:
        await bank.payout("named", 31_000, day(10))
        found.add(("MISSING_REMOTE", "named"))
    elif "less" in damages:
        await bank.payout("named", 31_000, day(10))
        await bank.line("named-line", 30_900, day(10), ref="named")
        found.add(("AMOUNT_MISMATCH", "named"))
    elif "abroad" in damages:
        await bank.payout("named", 31_000, day(10))
        await bank.line("named-line", 31_000, day(10), ref="named", currency="USD")
        found.add(("CURRENCY_MISMATCH", "named"))
    else:
        # Weeks later, and named: no window counts.
        await simple("named", 31_000, 10, "reference", ref="named", late=9)
    if "twice" in damages:
        await bank.payout("doubled", 23_000, day(14))
        await bank.line("doubled-line", 23_000, day(14), ref="doubled")
        await bank.line("doubled-again", 23_000, day(15), ref="doubled")
        matched.add(("reference", "doubled doubled-line"))
        found.add(("DUPLICATE", "doubled-again"))
    if "foreign" in damages:
        await bank.line("rent", -99_000, day(14))
        found.add(("FOREIGN", "rent"))
    # One line for three payouts, of which it names none; and for two that it names.
    sums = [await bank.payout(f"sum-{n}", amount, day(20)) for n, amount in enumerate((1_001, 2_003, 4_007))]
    assert len(sums) == 3
    if "part" in damages:
        await bank.line("sum-line", 7_010, day(20))
        found |= {("FOREIGN", "sum-line"), *(("MISSING_REMOTE", f"sum-{n}") for n in range(3))}
    else:
        await bank.line("sum-line", 7_011, day(20))
        matched.add(("one_to_many", "sum-0 sum-1 sum-2 sum-line"))
    # Two lines for one payout.
    await bank.payout("split", 9_090, day(25))
    await bank.line("split-a", 4_000, day(25), ref="split")
    if "half" in damages:
        found.add(("AMOUNT_MISMATCH", "split"))
    else:
        await bank.line("split-b", 5_090, day(26), ref="split")
        matched.add(("many_to_one", "split split-a split-b"))
    if "twins" in damages:
        for name in ("twin-1", "twin-2"):
            await bank.payout(name, 6_600, day(30))
        await bank.line("twin-line", 6_600, day(30))
        found.add(("AMBIGUOUS", "twin-line"))
    if "failed" in damages:
        await bank.payout("back", 12_300, day(35), status="failed")
        await bank.line("back-line", 12_300, day(35), ref="back")
        found.add(("STATUS_MISMATCH", "back"))
    else:
        await bank.payout("back", 12_300, day(35), status="failed")
        await bank.line("back-line", 12_300, day(35), ref="back")
        await bank.line("back-again", -12_300, day(36), ref="back")
        matched.add(("many_to_one", "back back-again back-line"))
    return matched, found


DAMAGES = ("lost", "less", "abroad", "twice", "foreign", "part", "half", "twins", "failed")
OF_ONE = {"lost", "less", "abroad"}
"""Damages of the same payout, of which there is one at a time."""


def subsets() -> list[set[str]]:
    """None, each alone, and enough sets that every pair is in one."""
    random = Random(16)
    made = [set[str](), *({name} for name in DAMAGES)]
    missing = {(a, b) for a in DAMAGES for b in DAMAGES if a < b and not {a, b} <= OF_ONE}
    while missing:
        first, second = min(missing)
        chosen = {first, second} | {name for name in DAMAGES if random.random() < 0.7}
        kept = (chosen & OF_ONE & {first, second}) or set(sorted(chosen & OF_ONE)[:1])
        chosen = (chosen - OF_ONE) | kept
        made.append(chosen)
        missing -= {(a, b) for a in chosen for b in chosen}
    return made


@pytest.mark.parametrize("damages", subsets(), ids=lambda damages: "-".join(sorted(damages)) or "true")
async def test_each_damage_is_found_under_its_name(database: Database, tenant_id: str, damages: set[str]) -> None:
    bank = BankHistory(database, tenant_id)
    await bank.source()
    matched, found = await write(bank, damages)
    dry = await bank.run(is_dry=True)
    assert await bank.matched() == set() and await bank.discrepancies(settled=None) == []
    first = await bank.run()
    assert await bank.matched() == matched
    assert await bank.found() == found
    assert (first.new, first.lines_matched) == (len(found), dry.lines_matched)
    assert {name: n for name, n in dry.found.items() if name != "NOT_BOOKED"} == {
        name: n for name, n in first.found.items() if name != "NOT_BOOKED"
    }
    again = await bank.run()
    assert (again.new, again.agreed, again.lines_matched) == (0, 0, 0)
    assert await bank.matched() == matched and await bank.found() == found


async def test_lines_of_two_sources_that_name_one_payout_end_no_run(database: Database, tenant_id: str) -> None:
    """Imported lately and booked before the window, lines of all sources are in one step; two of one movement are so always."""
    bank = BankHistory(database, tenant_id)
    await bank.source()
    await bank.payout("named", 31_000, day(10))
    for file_format in ("mt940", "camt053"):
        bank.source_id, key = new_id(), new_id(NOW - timedelta(hours=1))
        await bank.source(file_format)
        await bank.line(file_format, 31_000, day(10), ref="named", id=key)
        bank.names[str(key)] = file_format
    await bank.run(since=NOW - timedelta(days=2))
    (pair,) = await bank.matched()
    assert pair[0] == "reference" and pair[1] in {"camt053 named", "mt940 named"}
    assert {kind for kind, _ in await bank.found()} == {"DUPLICATE"}

    bank.source_id = new_id()
    await bank.source("stripe_balance_change")
    await bank.movement("moved", 1_000, 950)
    for name, gross, fee in (("first", 1_000, 50), ("second", 1_000, 50), ("third", 950, 0)):
        await bank.line(name, gross, day(3), bank_id=f"txn_{tenant_id}_moved", fee_minor=fee)
    await bank.run()
    assert len(await bank.matches()) == 2
    assert [kind for kind, name in await bank.found() if name in {"first", "second", "third"}] == ["DUPLICATE"] * 2


@pytest.mark.parametrize("remembered", [10, 0])
async def test_a_rule_is_tried_twice_at_most_on_a_line(
    database: Database, tenant_id: str, monkeypatch: pytest.MonkeyPatch, remembered: int
) -> None:
    """In its turn, and once more at the end; where too much is ambiguous to be remembered, in every turn, with the same result."""
    tried: Counter[tuple[UUID, str]] = Counter()

    def counted(rule: MatchingRule, lines: Sequence[Line], around: Around) -> Paired:
        tried.update((line.id, rule.kind.value) for line in lines)
        return paired(rule, lines, around)

    monkeypatch.setattr(evaluating, "paired", counted)
    monkeypatch.setattr(looking, "_PAGE", 3)
    monkeypatch.setattr(places, "_AMBIGUOUS_MAX", remembered)
    bank = BankHistory(database, tenant_id)
    await bank.source()
    # In the order of days the first lines can be two payouts each: a later rule would find one that is near no more than one of them.
    for number in range(2):
        await bank.payout(f"twin-{number}", 6_600, day(2))
        await bank.line(f"twin-line-{number}", 6_600, day(2))
    await bank.payout("late", 6_600, day(5))
    for number in range(9):
        await bank.line(f"rent-{number}", -5_000 - number, day(number))
    await bank.payout("last", 900, day(30))
    await bank.line("last-line", 900, day(32))
    await bank.run()
    assert await bank.matched() == {("date_window", "last last-line")}
    assert await bank.found() == {
        *(("AMBIGUOUS", f"twin-line-{number}") for number in range(2)),
        *(("FOREIGN", f"rent-{number}") for number in range(9)),
        *(("MISSING_REMOTE", name) for name in ("late",)),
    }
    assert max(tried.values()) == (2 if remembered else 7)


@pytest.mark.parametrize(
    "text", ["PO_1N-VV3G.XY", "end-to-end: ST_AB-12/x", "--__-_ a_b-c", "Zürich-Straße 12_34\nPO1", "x" * 2_000, ""]
)
async def test_index_has_the_words_that_lines_have(database: Database, text: str) -> None:
    line = msgspec.convert(
        dict.fromkeys(Line.__struct_fields__, "")
        | {"id": UUID(int=1), "source_id": UUID(int=1), "booked_on": day(1), "amount_minor": 1, "fee_minor": 0}
        | {"bank_id": text, "refs": '{"trace": "TR_1-2345"}', "counterparty": text[:255], "description": text}
        | {"created_at": NOW},
        Line,
    )
    indexed = await database.fetchrow(
        "SELECT words_of_line($1, $2, $3, $4) AS words", line.bank_id, line.refs, line.counterparty, line.description
    )
    assert indexed is not None
    assert {word for word in indexed["words"] if len(word) >= 4} == line.words
