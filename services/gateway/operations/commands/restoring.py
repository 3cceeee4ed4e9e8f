"""After the database was restored: which time it has lost, so that nothing of that time is done twice at a processor."""

import argparse
import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec

from libs.common.clock import Clock, iso
from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.single_flight import SingleFlight
from services.gateway.operations.commands.calling import find_out
from services.gateway.operations.domain.attempts import Attempt
from services.gateway.operations.domain.patience import Patience
from services.gateway.operations.domain.restored import LostTime
from services.gateway.operations.sql import restored as restored_sql
from services.gateway.processors.port import Absent, Approved, Declined, Finding, Processor


class Restoring:
    """Knows the times that the database has lost; reads them once."""

    def __init__(self, database: Database, *, patience: Patience, clock: Clock) -> None:
        self._database = database
        self._patience = patience
        self._clock = clock
        self._lost: list[LostTime] | None = None
        self._reads = SingleFlight[list[LostTime]]()

    async def find_out(self, processor: Processor, attempt: Attempt, *, timeout_seconds: float) -> Finding:
        """Call a processor for an attempt; where that could do it twice, read its records.

        What may have been called in a time that is lost is read first, and called where the processor does not have it.
        """
        if self._lost is None:
            self._lost = await self._reads.do("lost", partial(restored_sql.lost, self._database))
        now = self._clock.now()
        lifetime = self._patience.key_lifetime
        if any(lost.may_have(attempt, now=now, key_lifetime=lifetime) for lost in self._lost):
            answer = await find_out(processor, attempt, may_call=False, timeout_seconds=timeout_seconds)
            if not isinstance(answer, Absent):
                # It stays uncalled, so that the records are read before the first call still.
                return answer if isinstance(answer, Approved | Declined) else msgspec.structs.replace(answer, calls=0)
        may_call = self._patience.may_call(attempt, now=now)
        return await find_out(processor, attempt, may_call=may_call, timeout_seconds=timeout_seconds)


async def restored(database: Database, arguments: Sequence[str], *, now: datetime) -> str:
    """Run the command line `--to TIMESTAMP`, with the services stopped; returns what to print.

    Raises:
        Invalid: when the timestamp is none, or is yet to come.
    """
    parser = argparse.ArgumentParser(prog="python -m services.gateway restored", allow_abbrev=False)
    parser.add_argument("--to", required=True, help="RFC 3339: the last moment that the database has")
    text = parser.parse_args(arguments).to
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as fault:
        raise Invalid(f"'{text}' is no instant; write 2026-11-22T10:00:00Z") from fault
    since = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if since > now:
        raise Invalid(f"{iso(since)} is yet to come")
    await restored_sql.lose(database, LostTime(since=since, until=now), actor=getpass.getuser())
    return f"the gateway reads the processor's records before it calls about what it may have lost since {iso(since)}"
