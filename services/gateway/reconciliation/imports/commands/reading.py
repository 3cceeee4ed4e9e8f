"""What becomes of a file that has come: it is read, staged, and counts as a whole or not at all."""

import asyncio
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from itertools import islice
from uuid import UUID

import msgspec

from libs.common.cards import mask_card_numbers
from libs.common.clock import Clock
from libs.common.contracts.gateway_imports import ImportFault
from libs.common.db import Connection, Database
from libs.common.errors import Transient
from libs.common.ids import new_id
from libs.common.observability.logging import get_logger
from services.gateway.reconciliation.imports import sql
from services.gateway.reconciliation.imports.commands.neighbours import next_to
from services.gateway.reconciliation.imports.domain import (
    ImportStatus,
    Item,
    Line,
    LineError,
    Reading,
    Skipped,
    Statement,
    essence,
    identity,
)
from services.gateway.reconciliation.imports.reading import read_file
from services.gateway.reconciliation.imports.sql import Claimed, Slice, StagedRow
from services.gateway.reconciliation.imports.statements import BankStatement, numbered

log = get_logger("gateway.imports")

ERRORS_MAX = 1_000
"""Faults of one file that are kept; reading ends there, since a person mends the source and not a thousand lines."""
TRIES_MAX = 5
"""How often the reading of a file is begun before it is rejected: what ends its reader each time would do so for ever."""
_BATCH = 500
"""Items that are read and staged at a time: some 20 ms of the thread that reads."""
_SLICE = 2_000
"""Staged rows that one statement lets count: some tenths of a second, most of it for the indexes of lines."""
_CLEAR = 5_000
_KINDS_MAX = 100
"""Kinds of lines that are remembered of a file: reports of processors have some twenty."""
_LEASE = timedelta(minutes=2)
"""How long a claim lasts; it is renewed with each batch, and from time to time in between."""
_TURN_SECONDS = 1.0
"""How soon a file is tried again that another one of its source keeps from counting."""
_DAY = timedelta(days=1)


class ClaimLost(Exception):
    """Somebody else reads the file: this reader was away for too long."""


class _Conflicts(Exception):
    """Lines have ids that stand for other money already."""

    def __init__(self, lines: list[int]) -> None:
        super().__init__()
        self.lines = lines


class _Count:
    """What was read of a file so far."""

    def __init__(self) -> None:
        self.lines = self.skipped = self.errors_total = 0
        self.errors: list[ImportFault] = []
        self.first_on: date | None = None
        self.last_on: date | None = None
        self.kinds: set[str] = set()
        self.statements: list[BankStatement] = []
        self._days = (0, new_id(), date.min, date.min, 0)
        """Of the statement that is read: its place, id, first and last day, and what moved on that."""

    def fault(self, reason: str, *, line: int = 0, column: str = "") -> None:
        self.errors_total += 1
        if len(self.errors) < ERRORS_MAX:
            self.errors.append(ImportFault(line=line, column=column, reason=reason))

    def take(self, line: Line) -> int:
        self.lines += 1
        if line.kind and len(self.kinds) < _KINDS_MAX:
            self.kinds.add(line.kind)
        place, statement_id, first_on, last_on, moved = self._days
        if line.statement != place:
            self._days = (line.statement, new_id(), line.booked_on, line.booked_on, line.amount_minor)
        elif line.booked_on > last_on:
            self._days = (place, statement_id, first_on, line.booked_on, line.amount_minor)
        else:
            moved += line.amount_minor if line.booked_on == last_on else 0
            self._days = (place, statement_id, min(first_on, line.booked_on), last_on, moved)
        self.first_on = line.booked_on if self.first_on is None else min(self.first_on, line.booked_on)
        self.last_on = line.booked_on if self.last_on is None else max(self.last_on, line.booked_on)
        return self.lines

    @property
    def statement_id(self) -> UUID | None:
        """The statement that is read; None: none has the line."""
        return self._days[1] if self._days[0] else None

    def end(self, statement: Statement) -> None:
        """Remember a statement that has lines and a number: nothing else tells it from another one of its day."""
        place, statement_id, first_on, last_on, moved = self._days
        if statement.number and place == statement.place:
            self.statements.append(
                BankStatement(
                    id=statement_id,
                    account=statement.account,
                    currency=statement.currency,
                    number=numbered(statement.number, statement.page),
                    opening_minor=statement.opening_minor,
                    closing_minor=statement.closing_minor,
                    first_on=first_on,
                    last_on=last_on,
                    last_day_minor=moved,
                )
            )


class Reader:
    """Reads files that have come, one at a time: into staged rows first, which count together or not at all.

    Parsing runs in a thread, so that the loop goes on; the thread fetches the pieces of the file as it needs them. A reader
    that dies leaves a claim that ends, and the next one begins anew.
    """

    def __init__(self, database: Database, *, bytes_max: int, deadline_seconds: float, clock: Clock) -> None:
        self._database = database
        self._bytes_max = bytes_max
        self._deadline_seconds = deadline_seconds
        self._clock = clock

    async def work(self) -> bool:
        """Read the next file that waits; False when none does."""
        now = self._clock.now()
        file = await sql.claim(self._database, now=now, until=now + _LEASE)
        if file is None:
            return False
        renewing = asyncio.create_task(self._renew(file))
        try:
            await self._read(file)
        except ClaimLost:
            log.warning("import.claim_lost", import_id=str(file.id))
            return True
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        await sql.clear(self._database, tenant_id=file.tenant_id, import_id=file.id, pieces=True, limit=_CLEAR)
        return True

    async def _renew(self, file: Claimed) -> None:
        """Keep the claim while nothing else does: rows of an earlier try are cleared, and a large file takes minutes to count."""
        while True:
            await asyncio.sleep(_LEASE.total_seconds() / 4)
            try:
                if not await sql.renew(self._database, file, until=self._clock.now() + _LEASE):
                    return
            except Transient as fault:
                log.warning("import.claim_not_renewed", import_id=str(file.id), reason=fault.detail)

    async def _read(self, file: Claimed) -> None:
        count = _Count()
        source = await sql.source(self._database, tenant_id=file.tenant_id, source_id=file.source_id)
        if file.tries > TRIES_MAX or source is None:
            count.fault("the file could not be read, however often it was tried")
            await self._reject(file, count)
            return
        await sql.clear(self._database, tenant_id=file.tenant_id, import_id=file.id, pieces=False, limit=_CLEAR)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await self._stage(file, source.how(), count)
        except TimeoutError:
            count.fault(f"reading took longer than {self._deadline_seconds:.0f} seconds; send the file in several ones")
        if not count.errors_total:
            try:
                await self._keep(file, count)
            except _Conflicts as found:
                for line in found.lines:
                    count.fault("the id stands for other money, or another time, already", line=line)
        if count.errors_total:
            await self._reject(file, count)

    async def _stage(self, file: Claimed, reading: Reading, count: _Count) -> None:
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="imports")
        pieces = _Pieces(self._database, file, loop)
        items = read_file(pieces, reading, bytes_max=self._bytes_max)
        try:
            while True:
                batch, rows = await loop.run_in_executor(thread, _next, items, file, count)
                held = await sql.stage(
                    self._database,
                    file,
                    rows,
                    lines_read=count.lines,
                    lines_skipped=count.skipped,
                    until=self._clock.now() + _LEASE,
                )
                if not held:
                    raise ClaimLost
                if batch < _BATCH or count.errors_total >= ERRORS_MAX:
                    break
            if not count.errors_total and pieces.sha256.hexdigest() != file.sha256:
                # What stands behind the end of a packed or marked up file is read by nobody else.
                await loop.run_in_executor(thread, pieces.drain)
                if pieces.sha256.hexdigest() != file.sha256:
                    count.fault("the content has another checksum than was announced: it was damaged while it was sent")
        finally:
            pieces.stop()
            thread.shutdown(wait=False, cancel_futures=True)

    async def _keep(self, file: Claimed, count: _Count) -> None:
        """Let all staged rows count, in one transaction.

        Raises:
            _Conflicts: when some have ids that stand for other money; nothing counts then.
            ClaimLost: when the file is somebody else's meanwhile.
        """
        while True:
            if await self._kept(file, count):
                return
            await asyncio.sleep(_TURN_SECONDS)

    async def _kept(self, file: Claimed, count: _Count) -> bool:
        """Let them count where no other file of the source is being counted; returns False where one is."""
        at = self._clock.now()
        after = Slice(rows=0, new=0, conflicts=[], identity=None, number=None, occurrence=None)
        rows = new = 0
        conflicts: list[int] = []
        async with self._database.transaction() as tx:
            if not await sql.lock_source(tx, file):
                return False
            others, fresh = await next_to(tx, file, count.statements)
            while True:
                after = await sql.keep_slice(
                    tx, file, after, apart=others, fresh=fresh, limit=_SLICE, conflicts_max=ERRORS_MAX, at=at
                )
                rows, new = rows + after.rows, new + after.new
                conflicts += after.conflicts[: ERRORS_MAX - len(conflicts)]
                if after.rows < _SLICE:
                    break
            if conflicts:
                raise _Conflicts(sorted(conflicts))
            if rows != count.lines:
                raise ClaimLost
            if count.statements:
                await sql.add_statements(tx, file.tenant_id, file.source_id, count.statements, at=at)
            # The time now, as counting takes minutes: a run that began meanwhile has seen none of it.
            if not await self._end(tx, file, count, ImportStatus.IMPORTED, lines_new=new, at=self._clock.now()):
                raise ClaimLost
        log.info("import.imported", import_id=str(file.id), lines=rows, new=new)
        return True

    async def _reject(self, file: Claimed, count: _Count) -> None:
        async with self._database.transaction() as tx:
            if not await self._end(tx, file, count, ImportStatus.REJECTED, lines_new=0, at=self._clock.now()):
                raise ClaimLost
        log.info("import.rejected", import_id=str(file.id), errors=count.errors_total)

    async def _end(
        self, tx: Connection, file: Claimed, count: _Count, status: ImportStatus, *, lines_new: int, at: datetime
    ) -> bool:
        return await sql.end(
            tx,
            file,
            status=status,
            lines_read=count.lines,
            lines_new=lines_new,
            lines_skipped=count.skipped,
            errors_total=count.errors_total,
            errors=count.errors,
            first_on=count.first_on,
            last_on=count.last_on,
            kinds=sorted(count.kinds),
            at=at,
        )

    async def tidy(self, *, abandon_after: timedelta, retention: timedelta) -> None:
        """End what does not come, clear what is over and forget what is old."""
        now = self._clock.now()
        await sql.abandon(self._database, before=now - abandon_after, at=now)
        for tenant_id, import_id in await sql.left_over(self._database, since=now - 30 * _DAY, limit=100):
            await sql.clear(self._database, tenant_id=tenant_id, import_id=import_id, pieces=True, limit=_CLEAR)
        while await sql.forget(self._database, before=now - retention, limit=_CLEAR) == _CLEAR:
            pass


class _Pieces:
    """The pieces of a file, fetched by the thread that reads them; its checksum is made as they pass."""

    def __init__(self, database: Database, file: Claimed, loop: asyncio.AbstractEventLoop) -> None:
        self.sha256 = hashlib.sha256()
        self._database = database
        self._file = file
        self._loop = loop
        self._place = (0, -1)
        self._is_stopped = False

    def __iter__(self) -> Iterator[bytes]:
        while True:
            part, piece = self._place
            coming = asyncio.run_coroutine_threadsafe(
                sql.next_piece(self._database, self._file, part=part, piece=piece), self._loop
            )
            while True:
                try:
                    found = coming.result(timeout=0.5)
                    break
                except TimeoutError:
                    if self._is_stopped:
                        coming.cancel()
                        return
            if found is None:
                return
            part, piece, content = found
            self._place = (part, piece)
            self.sha256.update(content)
            yield content

    def drain(self) -> None:
        """Pass over what is left."""
        for _ in self:
            pass

    def stop(self) -> None:
        """Let the thread end where it waits."""
        self._is_stopped = True


def _next(items: Iterator[Item], file: Claimed, count: _Count) -> tuple[int, list[StagedRow]]:
    """Read the next items; returns how many, and the rows among them. Runs in the thread."""
    batch = 0
    rows: list[StagedRow] = []
    for batch, item in enumerate(islice(items, _BATCH), start=1):  # noqa: B007 - its last value is the answer
        if isinstance(item, Line):
            number = count.take(item)
            if not count.errors_total:
                rows.append(_row(item, number, file, count.statement_id))
        elif isinstance(item, Statement):
            count.end(item)
        elif isinstance(item, LineError):
            count.fault(item.reason, line=item.number, column=item.column)
        elif isinstance(item, Skipped):
            count.skipped += 1
    return batch, rows


def _row(line: Line, number: int, file: Claimed, statement_id: UUID | None) -> StagedRow:
    return StagedRow(
        number=number,
        tenant_id=file.tenant_id,
        id=new_id(),
        import_id=file.id,
        statement_id=statement_id,
        line=line.number,
        identity=identity(line),
        essence=essence(line),
        account=line.account,
        bank_id=line.bank_id,
        booked_on=line.booked_on,
        value_on=line.value_on,
        occurred_at=line.occurred_at,
        currency=line.currency,
        amount_minor=line.amount_minor,
        fee_minor=line.fee_minor,
        kind=line.kind,
        refs=msgspec.json.encode(line.references).decode(),
        # Never kept, whatever people write; references stay as they are, since by them a line finds its payout.
        counterparty=mask_card_numbers(line.counterparty),
        description=mask_card_numbers(line.description),
        raw=mask_card_numbers(msgspec.json.encode(line.raw).decode()),
    )
