"""One large file of a bank, imported over the api by the services that run in production: how long it takes, and in how much memory.

    python -m tests.bench.imports --megabytes 500 --format camt053

Writes a file of so many megabytes, all of it one account in one month, starts the four services as processes on a database and a virtual
host of their own, sends the file in parts of 8 MiB, and waits until it is imported. Prints the seconds of sending and of importing, the
CPU of each service and of PostgreSQL, and the most memory that each service had before it and with it.
"""

import argparse
import asyncio
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import uvloop

from deploy.local import servers as local
from tests.bench.costs import memory_of
from tests.bench.facts import cpu_seconds, database_cpu
from tests.bench.payments import ROOT
from tests.e2e.bookkeeping import new_tenant, person
from tests.support.platform import Client, Platform, running_platform

_DEADLINE_SECONDS = 7_200
"""So long a gateway may take to read and count a file here."""
_PART = 8 * 2**20
_SOURCES, _IMPORTS = "/v1/reconciliation/sources", "/v1/reconciliation/imports"
_FIELDS = {"date": "date", "amount": "amount", "currency_code": "EUR", "description": ["text"]}
_TEXT = "Invoice of a customer for goods that were delivered in November and thank you for the payment"


def _csv(size: int) -> Iterator[bytes]:
    head = b"date,amount,text\n"
    yield head
    written, number = len(head), 0
    while written < size:
        number += 1
        row = f"2026-11-{number % 30 + 1:02},{number % 9_999 + 1}.{number % 100:02},{_TEXT} {number}\n".encode()
        written += len(row)
        yield row


def _camt(size: int) -> Iterator[bytes]:
    yield (
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr/><Stmt><Id>1</Id>'
        b"<Acct><Id><IBAN>DE1</IBAN></Id></Acct>"
    )
    written = number = 0
    while written < size:
        number += 1
        row = (
            f'<Ntry><Amt Ccy="EUR">{number % 9_999 + 1}.{number % 100:02}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
            f"<BookgDt><Dt>2026-11-{number % 30 + 1:02}</Dt></BookgDt><NtryDtls><TxDtls><Refs><EndToEndId>E{number}</EndToEndId></Refs>"
            f"<RmtInf><Ustrd>{_TEXT}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
        ).encode()
        written += len(row)
        yield row
    yield b"</Stmt></BkToCstmrStmt></Document>"


_WRITERS: dict[str, Callable[[int], Iterator[bytes]]] = {"csv": _csv, "camt053": _camt}


def _write(path: Path, form: str, size: int) -> tuple[str, int]:
    """Write a file, and return its checksum and its bytes."""
    checksum = hashlib.sha256()
    with path.open("wb") as file:
        for row in _WRITERS[form](size):
            file.write(row)
            checksum.update(row)
    return checksum.hexdigest(), path.stat().st_size


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while content := file.read(_PART):
            yield content


async def _import(
    path: Path, checksum: str, size: int, form: str, somebody: Callable[[], Client]
) -> tuple[Any, float, float]:
    """Send a file, and wait until it is over; returns its import, and the seconds of both."""

    async def call(method: str, where: str, body: Any = None, **more: Any) -> Any:
        # With a token of its own each time: one is valid for ten minutes.
        answer = await somebody().call(method, where, body, **more)
        assert answer.status < 300, answer.raw
        return answer.json if answer.raw else None

    reading = {"format": form} | ({"fields": _FIELDS} if form == "csv" else {})
    source = await call("POST", _SOURCES, {"name": "Bank", **reading})
    started = time.perf_counter()
    begun = await call(
        "POST",
        _IMPORTS,
        {"source_id": source["id"], "file_name": path.name, "size_bytes": size, "sha256": checksum},
    )
    for number, content in enumerate(_parts(path), start=1):
        await call(
            "PUT",
            f"{_IMPORTS}/{begun['id']}/parts/{number}",
            raw=content,
            headers={"Content-Type": "application/octet-stream"},
        )
    await call("POST", f"{_IMPORTS}/{begun['id']}/complete")
    sent = time.perf_counter()
    async with asyncio.timeout(_DEADLINE_SECONDS):
        while not (found := await call("GET", f"{_IMPORTS}/{begun['id']}"))["ended_at"]:
            await asyncio.sleep(0.5)
    return found, sent - started, time.perf_counter() - sent


def _used(platform: Platform) -> dict[str, float]:
    return {name: cpu_seconds(Path(f"/proc/{pid}/stat")) for name, pid in platform.processes().items()}


def _most(platform: Platform) -> dict[str, int]:
    return {name: memory_of(pid).get("most", 0) for name, pid in platform.processes().items()}


async def measure(arguments: argparse.Namespace) -> None:
    """Write, import, print."""
    servers = await asyncio.to_thread(local.ensure, "test", ROOT)
    with tempfile.TemporaryDirectory() as directory:
        path, form = Path(directory) / f"november.{arguments.format}", arguments.format
        checksum, size = await asyncio.to_thread(_write, path, form, int(arguments.megabytes * 1_000_000))
        print(f"wrote {size / 1e6:.1f} MB of {form}", flush=True)
        async with running_platform(servers, Path(directory)) as platform:
            tenant = new_tenant()
            before, used, server = _most(platform), _used(platform), await database_cpu(platform.database)
            found, sending, reading = await _import(
                path, checksum, size, form, lambda: person(platform, tenant, "bench", ("admin:write",))
            )
            server = await database_cpu(platform.database) - server
            cpu, most = {name: each - used[name] for name, each in _used(platform).items()}, _most(platform)
        print(
            f"{found['status']}: {found['lines_new']:,} lines, sent in {sending:.1f} s, imported in {reading:.1f} s\n"
            f"  CPU seconds: {', '.join(f'{name} {each:.1f}' for name, each in cpu.items())}, PostgreSQL {server:.1f}\n"
            f"  memory at most, MiB: {', '.join(f'{name} {each} (before {before[name]})' for name, each in most.items())}",
            flush=True,
        )
        assert found["status"] == "IMPORTED", found["errors"][:5]


def main(arguments: Sequence[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=500.0)
    parser.add_argument("--format", choices=[*_WRITERS], default="csv")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    uvloop.run(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
