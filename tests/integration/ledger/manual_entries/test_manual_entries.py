"""Entries that people make: in bulk, all or each for itself, once for each key; and never half."""

import asyncio
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import msgspec
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_errors import EntryInvalid
from libs.common.contracts.ledger_journal import (
    EntryResult,
    ManualEntry,
    ManualLine,
    Mode,
    Outcome,
)
from libs.common.db import Database
from libs.common.errors import IdempotencyKeyReused
from libs.common.ids import new_id
from services.ledger.posting.locked import GROUP_MAX
from tests.integration.ledger.books import Books, moved
from tests.integration.ledger.conftest import audit

MAKER, CHECKER = "maker@example.com", "checker@example.com"


def line(account: str, side: Side, amount: str, currency: str = "BRL") -> ManualLine:
    return ManualLine(account=account, side=side, amount=amount, currency=currency)


def entry(*lines: ManualLine, description: str = "By hand") -> ManualEntry:
    return ManualEntry(description=description, lines=list(lines))


BAD: dict[str, tuple[ManualEntry, str, str]] = {
    "unknown account": (moved("CASH", "NOWHERE"), "account_unknown", "/lines/1/account"),
    "unbalanced": (
        entry(line("CASH", Side.DEBIT, "1.00"), line("REVENUE", Side.CREDIT, "1.01")),
        "entry_unbalanced",
        "/lines",
    ),
    "two currencies": (
        entry(line("CASH", Side.DEBIT, "1.00"), line("REVENUE", Side.CREDIT, "1.00", "USD")),
        "entry_currency_mixed",
        "/lines/1/currency",
    ),
    "no such currency": (moved("CASH", "REVENUE", "1.00", "XYZ"), "unsupported_currency", "/lines/0/currency"),
    "too many decimals": (moved("CASH", "REVENUE", "1.005"), "invalid_amount", "/lines/0/amount"),
    "negative": (moved("CASH", "REVENUE", "-1"), "invalid_amount", "/lines/0/amount"),
    "too much": (moved("CASH", "REVENUE", "1e30"), "invalid_amount", "/lines/0/amount"),
    "not a number": (moved("CASH", "REVENUE", "NaN"), "invalid_amount", "/lines/0/amount"),
    "one line": (entry(line("CASH", Side.DEBIT, "1.00")), "entry_invalid", "/lines"),
    "no lines": (entry(), "entry_invalid", "/lines"),
    "no description": (moved("CASH", "REVENUE", description=""), "entry_invalid", "/description"),
    "long description": (moved("CASH", "REVENUE", description="x" * 501), "entry_invalid", "/description"),
    "an account that cannot be": (moved("CASH", "A\0B"), "account_unknown", "/lines/1/account"),
    "beyond time": (
        msgspec.structs.replace(
            moved("CASH", "REVENUE"), occurred_at=datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))
        ),
        "entry_invalid",
        "/occurred_at",
    ),
    "no text": (moved("CASH", "REVENUE", description="a\0b"), "entry_invalid", "/description"),
}


def outcomes(results: list[EntryResult]) -> list[str]:
    return [result.outcome.value for result in results]


class TestBulk:
    async def test_one_entry_stands_in_the_books_with_who_made_it(self, books: Books, tenant_id: str) -> None:
        answer = await books.post(tenant_id, moved("CASH", "REVENUE", "12.34"))
        assert outcomes(answer.results) == ["posted"]
        row = await books.database.fetchrow(
            "SELECT e.kind, m.description, m.made_by, m.approved_by FROM journal_entries AS e "
            "JOIN manual_entries AS m ON m.tenant_id = e.tenant_id AND m.entry_id = e.id WHERE e.tenant_id = $1",
            tenant_id,
        )
        assert row is not None
        assert tuple(row) == ("manual", "By hand", "ops@example.com", None)

    @pytest.mark.parametrize("what", BAD)
    async def test_bad_entry_is_refused_with_code_and_place_and_nothing_is_written(
        self, books: Books, tenant_id: str, what: str
    ) -> None:
        bad, code, pointer = BAD[what]
        entries = [*(moved("CASH", "REVENUE", f"{n}.00") for n in range(1, 18)), bad, moved("REVENUE", "CASH")]
        answer = await books.post(tenant_id, *entries)
        refused = answer.results[17]
        assert (refused.outcome, refused.code, refused.pointer) == (Outcome.REFUSED, code, f"/entries/17{pointer}")
        assert refused.detail
        assert {r.outcome for i, r in enumerate(answer.results) if i != 17} == {Outcome.NOT_POSTED}
        assert await books.count(tenant_id) == (0, 0, 0)

        apart = await books.post(tenant_id, *entries, mode=Mode.INDEPENDENT)
        assert outcomes(apart.results) == ["posted"] * 17 + ["refused"] + ["posted"]
        assert (apart.results[17].code, apart.results[17].pointer) == (code, f"/entries/17{pointer}")
        assert await books.count(tenant_id) == (18, 36, 18)

    async def test_what_the_engine_refuses_undoes_all_of_an_atomic_call(self, books: Books, tenant_id: str) -> None:
        taken = new_id()
        await books.post(tenant_id, moved("CASH", "REVENUE", "1.00", entry_id=taken))
        answer = await books.post(
            tenant_id,
            moved("CASH", "REVENUE"),
            moved("CASH", "REVENUE", "2.00", entry_id=taken),
            moved("CASH", "REVENUE"),
        )
        assert outcomes(answer.results) == ["not_posted", "refused", "not_posted"]
        assert (answer.results[1].code, answer.results[1].pointer) == ("entry_conflict", "/entries/1")
        assert await books.count(tenant_id) == (1, 2, 1)

    async def test_an_id_of_ones_own_is_a_replay_when_it_comes_again(self, books: Books, tenant_id: str) -> None:
        one = moved("CASH", "REVENUE", "1.00", entry_id=new_id())
        await books.post(tenant_id, one)
        again = await books.post(tenant_id, one, moved("CASH", "REVENUE"))
        assert outcomes(again.results) == ["replayed", "posted"]
        assert await books.count(tenant_id) == (2, 4, 2)

    @pytest.mark.parametrize("mode", list(Mode))
    async def test_a_key_received_again_is_answered_the_same_and_posts_nothing(
        self, books: Books, tenant_id: str, mode: Mode
    ) -> None:
        entries = [moved("CASH", "REVENUE"), moved("REVENUE", "CASH"), moved("CASH", "REVENUE")]
        first = await books.post(tenant_id, *entries, key="k", mode=mode)
        again = await books.post(tenant_id, *entries, key="k", mode=mode)
        assert again.is_replay
        assert again.results == first.results
        with pytest.raises(IdempotencyKeyReused):
            await books.post(tenant_id, entries[0], key="k", mode=mode)
        assert await books.count(tenant_id) == (3, 6, 3)

    @pytest.mark.parametrize("mode", list(Mode))
    async def test_one_key_used_by_many_at_once_posts_once(
        self, books: Books, database: Database, clock: ManualClock, tenant_id: str, mode: Mode
    ) -> None:
        entries = [moved("CASH", "REVENUE", f"{n}.00") for n in range(1, 30)]
        processes = [Books(database, clock) for _ in range(4)]
        answers = await asyncio.gather(*(p.post(tenant_id, *entries, key="k", mode=mode) for p in processes))
        assert sum(not answer.is_replay for answer in answers) == 1
        assert {tuple(answer.results) for answer in answers} == {tuple(answers[0].results)}
        assert await books.count(tenant_id) == (29, 58, 29)
        assert await audit(database) == []

    @pytest.mark.parametrize("mode", list(Mode))
    async def test_a_refused_call_does_not_use_up_its_key(self, books: Books, tenant_id: str, mode: Mode) -> None:
        refused = await books.post(tenant_id, moved("CASH", "NOWHERE"), key="k", mode=mode)
        assert outcomes(refused.results) == ["refused"]
        better = await books.post(tenant_id, moved("CASH", "REVENUE"), key="k", mode=mode)
        assert outcomes(better.results) == ["posted"]

    @pytest.mark.parametrize("mode", list(Mode))
    async def test_a_dry_run_decides_everything_and_keeps_nothing(
        self, books: Books, tenant_id: str, mode: Mode
    ) -> None:
        good, bad = moved("CASH", "REVENUE"), moved("CASH", "NOWHERE")
        answer = await books.post(tenant_id, good, bad, good, mode=mode, is_dry_run=True)
        expected = "posted" if mode is Mode.INDEPENDENT else "not_posted"
        assert outcomes(answer.results) == [expected, "refused", expected]
        assert {result.posted_at for result in answer.results} == {None}
        answer = await books.post(tenant_id, good, good, mode=mode, is_dry_run=True)
        assert outcomes(answer.results) == ["posted", "posted"]
        assert await books.count(tenant_id) == (0, 0, 0)

    async def test_independent_entries_of_several_groups_are_posted_each_for_itself(
        self, books: Books, tenant_id: str
    ) -> None:
        entries = [moved("CASH", "NOWHERE" if n % 100 == 7 else "REVENUE", f"{n + 1}.00") for n in range(1203)]
        answer = await books.post(tenant_id, *entries, mode=Mode.INDEPENDENT, key="k")
        refused = [n for n, result in enumerate(answer.results) if result.outcome is Outcome.REFUSED]
        assert refused == list(range(7, 1203, 100))
        assert [answer.results[n].pointer for n in refused] == [f"/entries/{n}/lines/1/account" for n in refused]
        assert (await books.count(tenant_id))[0] == 1203 - len(refused)
        assert (await books.post(tenant_id, *entries, mode=Mode.INDEPENDENT, key="k")).is_replay

    async def test_no_entries_and_too_many_are_refused(self, books: Books, tenant_id: str) -> None:
        for entries in ([], [moved("CASH", "REVENUE")] * 10_001):
            with pytest.raises(EntryInvalid, match="entries must be 1 to 10000"):
                await books.post(tenant_id, *entries)
        many = entry(*([line("CASH", Side.DEBIT, "1")] * 60), *([line("REVENUE", Side.CREDIT, "1")] * 60))
        with pytest.raises(EntryInvalid, match="at most 50000 lines"):
            await books.post(tenant_id, *([many] * 417))

    async def test_ten_thousand_at_once_are_all_there(self, books: Books, database: Database, tenant_id: str) -> None:
        entries = [moved("CASH", "REVENUE", f"{n + 1}.00") for n in range(10_000)]
        answer = await books.post(tenant_id, *entries)
        assert set(outcomes(answer.results)) == {"posted"}
        assert await books.count(tenant_id) == (10_000, 20_000, 10_000)
        # In groups, between which the process does other work.
        largest = await database.fetchrow(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM journal_entries WHERE tenant_id = $1 "
            "GROUP BY chain, sequence) AS groups",
            tenant_id,
        )
        assert largest is not None
        assert largest[0] <= GROUP_MAX
        assert await audit(database) == []

    async def test_all_or_none_holds_for_more_than_a_group_takes(
        self, books: Books, database: Database, tenant_id: str
    ) -> None:
        entries = [moved("CASH", "REVENUE", f"{n + 1}.00") for n in range(GROUP_MAX + 100)]
        answer = await books.post(tenant_id, *entries, moved("CASH", "NOWHERE"))
        assert (answer.results[-1].code, set(outcomes(answer.results[:-1]))) == ("account_unknown", {"not_posted"})
        assert await books.count(tenant_id) == (0, 0, 0)
        same = msgspec.structs.replace(entries[0], id=uuid4())
        answer = await books.post(tenant_id, same, *entries[1:], same)
        assert outcomes(answer.results) == ["posted"] * len(entries) + ["replayed"]
        assert await books.count(tenant_id) == (len(entries), 2 * len(entries), len(entries))
        assert await audit(database) == []
