"""Files are imported once, whole or not at all, through overlaps, conflicts, lost claims and killed readers."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from libs.common.clock import ManualClock
from libs.common.contracts.gateway_errors import (
    FileTooLarge,
    ImportConflict,
    ImportNotFound,
    ImportSourceInvalid,
    ImportSourceNotFound,
    ImportSourceUsed,
)
from libs.common.contracts.gateway_imports import (
    AddImportPiece,
    CompleteImport,
    DeleteImportSource,
    FieldMap,
    FileImport,
    GetImport,
    ListImports,
    ListImportSources,
    PutImportSource,
    StartImport,
)
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.reconciliation.imports import Imports, Reader, commands, queries, sql
from services.gateway.reconciliation.imports.commands import reading
from services.gateway.reconciliation.imports.sql import Claimed
from tests.support.databases import TestDatabase

FIELDS = FieldMap(date="date", id="id", amount="amount", currency_code="USD", references={"order": "order"})
HEAD = b"date,id,amount,order\n"
BARE = FieldMap(date="date", amount="amount", currency_code="USD")


@pytest.fixture
async def database(gateway_database: TestDatabase) -> AsyncIterator[Database]:
    async with gateway_database.open("gateway") as opened:
        yield opened


class Bank:
    """A tenant with one source, and the gateway's decisions about its files."""

    def __init__(self, database: Database, tenant_id: str, clock: ManualClock) -> None:
        self.database = database
        self.tenant_id = tenant_id
        self.clock = clock
        self.source_id = new_id()
        self.imports = Imports(self.database, bytes_max=1_000_000, open_max=3, clock=clock)
        self.reader = Reader(self.database, bytes_max=1_000_000, deadline_seconds=30, clock=clock)

    async def source(self, **changes: Any) -> None:
        given: dict[str, Any] = {"name": "Bank", "format": "csv", "fields": FIELDS} | changes
        await self.imports.put_source(PutImportSource(tenant_id=self.tenant_id, source_id=self.source_id, **given))

    async def start(self, content: bytes, **changes: Any) -> FileImport:
        given: dict[str, Any] = {
            "tenant_id": self.tenant_id,
            "import_id": new_id(),
            "source_id": self.source_id,
            "file_name": "january.csv",
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        return await self.imports.start(StartImport(**(given | changes)))

    async def add(self, import_id: UUID, content: bytes, *, part: int = 1, piece: int = 0) -> None:
        await self.imports.add_piece(
            AddImportPiece(tenant_id=self.tenant_id, import_id=import_id, part=part, piece=piece, content=content)
        )

    async def complete(self, import_id: UUID) -> FileImport:
        return await self.imports.complete(CompleteImport(tenant_id=self.tenant_id, import_id=import_id))

    async def send(self, content: bytes) -> UUID:
        """Send a file in two parts, the second before the first."""
        begun = await self.start(content)
        half = len(content) // 2
        await self.add(begun.id, content[half:], part=2)
        await self.add(begun.id, content[:half])
        await self.complete(begun.id)
        return begun.id

    async def read(self, import_id: UUID) -> FileImport:
        while await self.reader.work():
            pass
        return await self.get(import_id)

    async def get(self, import_id: UUID) -> FileImport:
        return await queries.get_import(self.database, GetImport(tenant_id=self.tenant_id, import_id=import_id))

    async def take(self, content: bytes) -> FileImport:
        return await self.read(await self.send(content))

    async def lines(self, columns: str = "bank_id, amount_minor, occurrence") -> list[tuple[Any, ...]]:
        rows = await self.database.fetch(
            f"SELECT {columns} FROM statement_lines WHERE tenant_id = $1 ORDER BY booked_on, bank_id, occurrence",
            self.tenant_id,
        )
        return [tuple(row) for row in rows]

    async def left_over(self) -> int:
        row = await self.database.fetchrow(
            "SELECT (SELECT count(*) FROM import_rows WHERE tenant_id = $1)"
            " + (SELECT count(*) FROM import_pieces WHERE tenant_id = $1) AS n",
            self.tenant_id,
        )
        assert row is not None
        return int(row["n"])


@pytest.fixture
async def bank(database: Database, tenant_id: str) -> Bank:
    made = Bank(database, tenant_id, ManualClock(datetime(2026, 2, 1, 12, tzinfo=UTC)))
    await made.source()
    return made


def shown(found: FileImport) -> tuple[str, int, int, int, int]:
    return found.status, found.lines_read, found.lines_new, found.lines_known, found.errors_total


async def test_the_same_file_twice_is_one_import(bank: Bank) -> None:
    content = HEAD + b"2026-01-15,A1,10.00,o1\n2026-01-16,A2,-3.50,\n"
    first = await bank.take(content)
    assert shown(first) == ("IMPORTED", 2, 2, 0, 0)
    assert (str(first.first_on), str(first.last_on)) == ("2026-01-15", "2026-01-16")
    again = await bank.start(content)
    assert again.id == first.id and again.status == "IMPORTED" and again.is_known
    # The request whose answer was lost is no other one.
    assert not (await bank.start(content, import_id=first.id)).is_known
    assert await bank.lines() == [("A1", 1000, 1), ("A2", -350, 1)]
    assert await bank.left_over() == 0


async def test_overlapping_files_overlap_harmlessly(bank: Bank) -> None:
    await bank.take(HEAD + b"2026-01-15,A1,10.00,\n2026-01-16,A2,2.00,\n")
    second = await bank.take(HEAD + b"2026-01-17,A3,3.00,\n2026-01-15,A1,10.00,o1\n2026-01-17,A3,3.00,\n")
    assert shown(second) == ("IMPORTED", 3, 1, 2, 0)
    assert await bank.lines("bank_id, refs") == [("A1", '{"order": "o1"}'), ("A2", "{}"), ("A3", "{}")]


async def test_equal_lines_are_counted_not_lost(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_SLICE", 2)
    await bank.source(fields=BARE)
    rows = [b"2026-01-15,5.00\n"] * 3 + [b"2026-01-16,1.00\n"] * 2
    assert shown(await bank.take(b"date,amount\n" + b"".join(rows))) == ("IMPORTED", 5, 5, 0, 0)
    overlap = await bank.take(b"date,amount\n" + b"".join(reversed(rows)) + b"2026-01-15,5.00\n")
    assert shown(overlap) == ("IMPORTED", 6, 1, 5, 0)
    assert [line[2] for line in await bank.lines()] == [1, 2, 3, 4, 1, 2]


async def test_a_file_with_one_wrong_line_leaves_nothing(bank: Bank) -> None:
    rows = b"".join(b"2026-01-15,B%d,1.00,\n" % i for i in range(1200))
    found = await bank.take(HEAD + rows + b"2026-01-15,B9999,1.005,\n")
    assert shown(found)[0] == "REJECTED" and await bank.lines() == [] and await bank.left_over() == 0
    assert [(fault.line, fault.column) for fault in found.errors] == [(1202, "amount")]
    mended = await bank.take(HEAD + rows)
    assert shown(mended) == ("IMPORTED", 1200, 1200, 0, 0)


async def test_an_id_with_other_money_is_a_conflict(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    within = await bank.take(HEAD + b"2026-01-15,A1,10.00,\n2026-01-15,A2,1.00,\n2026-01-15,A1,11.00,\n")
    assert shown(within)[0] == "REJECTED" and [fault.line for fault in within.errors] == [4]
    assert await bank.lines() == []
    assert (await bank.take(HEAD + b"2026-01-15,A1,10.00,\n")).status == "IMPORTED"
    monkeypatch.setattr(reading, "_SLICE", 1)
    against = await bank.take(HEAD + b"2026-01-14,A0,1.00,\n2026-01-15,A1,12.00,\n")
    assert shown(against)[0] == "REJECTED" and [fault.line for fault in against.errors] == [3]
    assert await bank.lines() == [("A1", 1000, 1)]


async def test_a_killed_reader_begins_anew(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    content = HEAD + b"".join(b"2026-01-15,C%d,1.00,\n" % i for i in range(1300))
    import_id = await bank.send(content)
    stage, calls = sql.stage, 0

    async def dying(*given: Any, **named: Any) -> bool:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise asyncpg.ConnectionDoesNotExistError("killed")
        return await stage(*given, **named)

    monkeypatch.setattr(sql, "stage", dying)
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await bank.reader.work()
    assert await bank.lines() == [] and (await bank.get(import_id)).status == "READING"
    assert await bank.reader.work() is False, "the claim lasts"
    bank.clock.advance(timedelta(minutes=3))
    assert shown(await bank.read(import_id)) == ("IMPORTED", 1300, 1300, 0, 0)
    assert len(await bank.lines()) == 1300 and await bank.left_over() == 0


async def test_whoever_lost_the_claim_writes_nothing(bank: Bank) -> None:
    import_id = await bank.send(HEAD + b"2026-01-15,A1,10.00,\n")
    now = bank.clock.now()
    late = await sql.claim(bank.database, now=now, until=now)
    assert late is not None
    bank.clock.advance(timedelta(seconds=1))
    assert (await bank.read(import_id)).status == "IMPORTED"
    with pytest.raises(commands.ClaimLost):
        await bank.reader._read(Claimed(**{name: getattr(late, name) for name in late.__struct_fields__}))
    assert shown(await bank.get(import_id)) == ("IMPORTED", 1, 1, 0, 0) and len(await bank.lines()) == 1


async def test_a_file_that_always_kills_its_reader_ends(bank: Bank) -> None:
    import_id = await bank.send(HEAD + b"2026-01-15,A1,10.00,\n")
    for _ in range(reading.TRIES_MAX):
        now = bank.clock.now()
        assert await sql.claim(bank.database, now=now, until=now) is not None
        bank.clock.advance(timedelta(seconds=1))
    assert "however often" in (await bank.read(import_id)).errors[0].reason


async def test_parts_are_taken_once_in_any_order(bank: Bank) -> None:
    content = HEAD + b"2026-01-15,A1,10.00,\n"
    begun = await bank.start(content)
    with pytest.raises(ImportConflict, match=f"0 of {len(content)} bytes"):
        await bank.complete(begun.id)
    await bank.add(begun.id, content[:5], piece=0)
    await bank.add(begun.id, b"xx", piece=1)
    await bank.add(begun.id, content[:5], piece=0)
    await bank.add(begun.id, content[5:], part=7)
    assert (await bank.get(begun.id)).received_bytes == len(content), "a part that came again replaced itself"
    with pytest.raises(ImportConflict, match="more than the"):
        await bank.add(begun.id, b"z", part=8)
    assert (await bank.complete(begun.id)).status == "WAITING"
    with pytest.raises(ImportConflict, match="takes no more parts"):
        await bank.add(begun.id, content)
    assert (await bank.read(begun.id)).status == "IMPORTED"
    assert (await bank.complete(begun.id)).status == "IMPORTED", "again is success"


async def test_what_was_damaged_while_sent_is_rejected(bank: Bank) -> None:
    content = HEAD + b"2026-01-15,A1,10.00,\n"
    begun = await bank.start(content)
    await bank.add(begun.id, content.replace(b"10.00", b"90.00"))
    await bank.complete(begun.id)
    found = await bank.read(begun.id)
    assert found.status == "REJECTED" and "checksum" in found.errors[0].reason and await bank.lines() == []


async def test_source_with_lines_is_read_as_it_was(bank: Bank) -> None:
    """Read otherwise its lines would be others, and count once more."""
    await bank.source(fields=BARE)
    await bank.source()
    await bank.take(HEAD + b"2026-01-15,A1,10.00,o1\n")
    with pytest.raises(ImportSourceUsed):
        await bank.source(fields=BARE)
    await bank.source(name="Another name")


async def test_file_that_was_announced_too_small_is_announced_again(bank: Bank) -> None:
    content = HEAD + b"2026-01-15,A1,10.00,o1\n"
    wrong = await bank.start(content, size_bytes=5)
    right = await bank.start(content)
    assert (right.id != wrong.id, right.size_bytes) == (True, len(content))
    assert (await bank.get(wrong.id)).status == "ABANDONED"
    assert shown(await bank.take(content)) == ("IMPORTED", 1, 1, 0, 0)


async def test_files_of_one_source_count_one_after_the_other(bank: Bank, database: Database) -> None:
    import_id = await bank.send(HEAD + b"2026-01-15,A1,10.00,o1\n")
    async with database.transaction() as other:
        key = f"imports:{bank.tenant_id}:{bank.source_id}"
        await other.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", key)
        working = asyncio.create_task(bank.reader.work())
        async with asyncio.timeout(20):
            while (await bank.get(import_id)).lines_read == 0:
                await asyncio.sleep(0.02)
        assert not working.done()
    assert await working
    assert shown(await bank.get(import_id)) == ("IMPORTED", 1, 1, 0, 0)


async def test_claim_is_kept_while_nothing_else_keeps_it(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_LEASE", timedelta(seconds=0.2))
    import_id = await bank.send(HEAD + b"2026-01-15,A1,10.00,o1\n")
    keep, renewed = sql.renew, asyncio.Event()

    async def renew(database: Database, file: Claimed, *, until: datetime) -> bool:
        held = await keep(database, file, until=until)
        renewed.set()
        return held

    async def slow(*_: Any, **__: Any) -> None:
        await renewed.wait()

    monkeypatch.setattr(sql, "renew", renew)
    monkeypatch.setattr(sql, "clear", slow)
    async with asyncio.timeout(20):
        await bank.reader.work()
    assert (await bank.get(import_id)).status == "IMPORTED"


async def test_refusals_and_limits(bank: Bank, database: Database) -> None:
    with pytest.raises(FileTooLarge):
        await bank.start(b"", size_bytes=1_000_001)
    for changes in ({"format": "pdf"}, {"time_zone": "Mars/Base"}, {"format": "ofx"}, {"fields": None}):
        with pytest.raises(ImportSourceInvalid):
            await bank.source(**changes)
    for number in range(3):
        await bank.start(b"%d" % number)
    with pytest.raises(ImportConflict, match="3 imports are open"):
        await bank.start(b"more")
    stranger = Bank(database, str(new_id()), bank.clock)
    stranger.source_id = bank.source_id
    with pytest.raises(ImportSourceNotFound):
        await stranger.start(b"x")
    mine = (await queries.list_imports(bank.database, ListImports(tenant_id=bank.tenant_id))).imports
    assert len(mine) == 3
    with pytest.raises(ImportNotFound):
        await stranger.get(mine[0].id)
    with pytest.raises(ImportNotFound):
        await stranger.add(mine[0].id, b"x")
    theirs = (await queries.list_imports(bank.database, ListImports(tenant_id=stranger.tenant_id))).imports
    assert theirs == []
    await bank.imports.delete_source(DeleteImportSource(tenant_id=bank.tenant_id, source_id=bank.source_id))
    listed = await queries.list_sources(bank.database, ListImportSources(tenant_id=bank.tenant_id))
    assert listed.sources == []
    with pytest.raises(ImportSourceNotFound):
        await bank.source()


async def test_what_is_old_or_never_came_is_cleared(bank: Bank) -> None:
    done = await bank.take(HEAD + b"2026-01-15,A1,10.00,\n")
    never = await bank.start(b"never")
    await bank.add(never.id, b"ne")
    bank.clock.advance(timedelta(hours=25))
    await bank.reader.tidy(abandon_after=timedelta(hours=24), retention=timedelta(days=90))
    assert (await bank.get(never.id)).status == "ABANDONED" and await bank.left_over() == 0
    assert len(await bank.lines()) == 1
    bank.clock.advance(timedelta(days=91))
    await bank.reader.tidy(abandon_after=timedelta(hours=24), retention=timedelta(days=90))
    assert await bank.lines() == []
    with pytest.raises(ImportNotFound):
        await bank.get(done.id)


async def test_samples_go_through_the_database(bank: Bank) -> None:
    for name, form, lines in [
        ("stripe-balance-change.csv", "stripe_balance_change", 5),
        ("camt053-v8.zip", "camt053", 1),
        ("mt940-new-year.sta", "mt940", 6),
        ("ofx-sgml.ofx", "ofx", 2),
    ]:
        bank.source_id = new_id()
        await bank.source(format=form, fields=None, time_zone="America/Sao_Paulo")
        found = await bank.take((Path("tests/data/imports") / name).read_bytes())
        assert (found.status, found.lines_new) == ("IMPORTED", lines), found.errors
    # Which kinds a report has says whether it can be of all that moved.
    row = await bank.database.fetchrow(
        "SELECT kinds FROM file_imports WHERE tenant_id = $1 AND 'charge' = ANY (kinds)",
        bank.tenant_id,
    )
    assert row is not None and row["kinds"] == ["charge", "dispute_reversal", "fee", "refund"]


async def test_card_numbers_in_texts_are_masked(bank: Bank) -> None:
    await bank.source(fields=FieldMap(date="date", amount="amount", currency_code="USD", description=("text",)))
    content = b"date,amount,text\n2026-01-15,1.00,paid by 4111 1111 1111 1111\n2026-01-16,2.00,order 1234567890123\n"
    assert shown(await bank.take(content)) == ("IMPORTED", 2, 2, 0, 0)
    assert await bank.lines("description") == [("paid by 4111 11** **** 1111",), ("order 1234567890123",)]
    assert not [raw for (raw,) in await bank.lines("raw") if "1111 1111 1111" in raw]
    assert shown(await bank.take(content + b"2026-01-17,3.00,x\n")) == ("IMPORTED", 3, 1, 2, 0)
