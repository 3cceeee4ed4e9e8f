"""Where the chains end is signed once a minute by one process, and an export is verified without the database."""

import asyncio
import fcntl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.servers import Servers
from libs.common.contracts.ledger_books import BooksSigned
from libs.common.errors import Unavailable
from libs.common.evidence import StandingSealer, key_id, read_file, seal_standing
from services.ledger.app import check_settings
from services.ledger.integrity import HeadSigner, Verifier, export_books
from services.ledger.integrity.commands.changes import check_changes
from services.ledger.integrity.commands.offline import ExportVerifier
from services.ledger.settings import ProofSettings, Settings
from tests.integration.ledger.bank import Bank
from tests.integration.ledger.integrity.test_insiders import Scene, scene


async def exported(books: Scene) -> list[bytes]:
    return [line async for line in export_books(books.database)]


def faults(lines: Sequence[bytes], books: Scene, *, trusted: bool = True) -> list[str]:
    """What is wrong with an export, by the key and the file of heads that an auditor has."""
    key = books.key if trusted else Ed25519PrivateKey.generate()
    verifier = ExportVerifier({key_id(key.public_key()): key.public_key()}, read_file(books.file).statements)
    verifier.read(lines)
    return verifier.faults


async def test_one_process_signs_once_a_minute_and_while_anything_changes(bank: Bank, tmp_path: Path) -> None:
    key, file = Ed25519PrivateKey.generate(), tmp_path / "heads.jsonl"
    one, two = (HeadSigner(bank.database, clock=bank.clock, keys=[key], file=file) for _ in range(2))
    first = await one.sign()
    assert first is not None
    bank.clock.advance(timedelta(seconds=40))
    await bank.post("VAULT", "WALLET", 1)
    assert await two.sign() is None
    bank.clock.advance(timedelta(seconds=20))
    second = await two.sign()
    assert second is not None
    assert second.number == first.number + 1
    # Nothing has changed, so the next one is an hour later.
    bank.clock.advance(timedelta(minutes=59))
    assert await one.sign() is None
    bank.clock.advance(timedelta(minutes=1))
    third = await one.sign()
    assert third is not None
    assert read_file(file).statements[-3:] == [first, second, third]
    # A file that was lost is written again.
    file.unlink()
    assert await two.sign() is None
    assert read_file(file).statements[-3:] == [first, second, third]
    rows = await bank.database.fetch(
        "SELECT body FROM outbox WHERE contract = 'event:ledger:books.signed' ORDER BY seq"
    )
    published = [msgspec.json.decode(row["body"], type=BooksSigned) for row in rows]
    assert [event.statement for event in published[-3:]] == [first.statement, second.statement, third.statement]


async def test_file_is_looked_at_where_something_was_signed(bank: Bank, tmp_path: Path) -> None:
    file = tmp_path / "heads.jsonl"
    signer = HeadSigner(bank.database, clock=bank.clock, keys=[Ed25519PrivateKey.generate()], file=file)
    first = await signer.sign()
    assert first is not None
    with file.open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        # Nobody waits for the lock who has nothing to append.
        assert await signer.sign() is None
        bank.clock.advance(timedelta(hours=1))
        with pytest.raises(Unavailable):
            await signer.sign()
    # What was signed meanwhile is in the database, and is appended though nothing new is signed.
    assert await signer.sign() is None
    assert [signed.number for signed in read_file(file).statements][-2:] == [first.number, first.number + 1]


@pytest.mark.parametrize("change", ["UPDATE sealed_tables SET completed_at = NULL", "DELETE FROM sealed_tables"])
async def test_a_table_that_counts_as_new_again_is_found(servers: Servers, tmp_path: Path, change: str) -> None:
    async with scene(servers, tmp_path) as books, books.superuser() as superuser:
        await superuser.execute(f"{change} WHERE subject = 'accounts'")
        for anew in (True, False):
            async with books.database.transaction() as tx:
                # As after an upgrade of a moment ago, and of long ago.
                assert (await check_changes(tx, anew=anew)).findings == []
                found = (await check_changes(tx, anew=anew, standing_max=timedelta(0))).findings
            assert [(each.invariant, each.subject) for each in found] == [("row_sealed", "accounts")]


async def test_what_was_signed_last_keeps_nobody_from_signing(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as books, books.superuser() as superuser:
        await superuser.execute("SET session_replication_role = replica")
        signer = HeadSigner(books.database, clock=books.clock, keys=[books.key], file=books.file)
        for change in ("statement = 'x'", "signatures = '[1]'", "signed_at = '20000-01-01'"):
            await superuser.execute(
                f"UPDATE signed_heads SET {change} WHERE number = (SELECT max(number) FROM signed_heads)"
            )
            books.clock.advance(timedelta(hours=1))
            assert await signer.sign() is not None, change


async def test_what_is_signed_while_all_is_verified_is_not_missing(servers: Servers, tmp_path: Path) -> None:
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with scene(servers, tmp_path) as books, books.superuser() as superuser, asyncio.TaskGroup() as group:
        async with superuser.transaction():
            await superuser.execute("LOCK TABLE postings")
            findings = group.create_task(books.findings())
            while await superuser.fetchval(waits) is None:
                await asyncio.sleep(0.01)
            books.clock.advance(timedelta(hours=1))
            signer = HeadSigner(books.database, clock=books.clock, keys=[books.key], file=books.file)
            assert await signer.sign() is not None
        assert await findings == set()


async def test_lines_that_cannot_be_read_are_found(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as books:
        with books.file.open("ab") as stream:
            stream.write(b'{"number": 7}\n{"number"')
        assert await books.findings() == {("heads_signed", "heads file", "line 3 of the file cannot be read")}


async def test_key_is_rotated_by_signing_with_both_for_a_while(bank: Bank) -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    for keys in ([old], [old, new], [new]):
        bank.clock.advance(timedelta(minutes=1))
        await bank.post("VAULT", "WALLET", 1)
        assert await HeadSigner(bank.database, clock=bank.clock, keys=keys, file=None).sign() is not None
    for known, expected in (([new], 0), ([old, new], 0), ([old], 1)):
        public = {key_id(key.public_key()): key.public_key() for key in known}
        report = await Verifier(bank.database, clock=bank.clock, keys=public).all()
        assert [finding.invariant for finding in report.findings] == ["heads_signed"] * expected


async def test_sound_export_is_verified_and_each_change_of_it_named(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as books:
        lines = await exported(books)
        assert faults(lines, books) == []
        assert faults(lines, books, trusted=False) == ["no known key has signed the last statement, or there is none"]
        for old, new, named in (
            (b'"amount_minor":1000', b'"amount_minor":1001', "is not as it was sealed"),
            (b"Bank fee of November", b"Bank fee of December", "is not as it was sealed"),
            (b'"kind":"manual"', b'"kind":"refund"', "is not as it was sealed"),
            (b'"entry_count":1,', b'"entry_count":2,', "something of the group is missing"),
        ):
            changed = b"".join(lines).replace(old, new, 1).splitlines(keepends=True)
            assert changed != lines, old
            assert any(named in fault for fault in faults(changed, books)), old
        for place, line in enumerate(lines[1:], start=1):
            assert faults([*lines[:place], *lines[place + 1 :]], books), line[:200]
        assert faults([*lines, b"{"], books)[0].startswith(f"line {len(lines) + 1} cannot be read")


async def test_rows_of_before_are_sealed_as_they_stand(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as books:
        async with books.superuser() as superuser:
            # As after the upgrade that brought the seals.
            await superuser.execute(
                "SET session_replication_role = replica; DELETE FROM sealed_changes; DELETE FROM change_groups; "
                "UPDATE change_chains SET sequence = 0, hash = decode(repeat('00', 32), 'hex'); "
                "DELETE FROM signed_heads; UPDATE sealed_tables SET completed_at = NULL"
            )
        verifier = Verifier(books.database, clock=books.clock)
        assert (await verifier.all()).findings == []
        sealer = StandingSealer(books.database, rows_max=2_000)
        for _ in range(3):
            await sealer.run()
        assert (await verifier.all()).findings == []
        async with books.superuser() as superuser:
            assert await superuser.fetchval("SELECT count(*) FROM sealed_tables WHERE completed_at IS NULL") == 0
            await superuser.execute(
                "SET session_replication_role = replica; UPDATE accounts SET label = 'x' WHERE code = 'VAULT'"
            )
        assert [finding.invariant for finding in (await verifier.all()).findings] == ["row_sealed"]
        assert [finding.invariant for finding in (await verifier.go_on(invariants_age_max=0)).new] == ["row_sealed"]


async def test_rows_of_many_pages_are_sealed_once_each(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as books:
        async with books.superuser() as superuser:
            # Of 9,000 rows on some 300 pages the first 8,700 are gone: more pages without a row than are read at a time.
            await superuser.execute(
                "SET session_replication_role = replica; INSERT INTO accounts SELECT tenant_id, gen_random_uuid(), "
                "'PAGE' || n, repeat(md5(n::text), 3), account_type, false, opened_at FROM accounts, "
                "generate_series(1, 9000) AS n WHERE code = 'CASH'; "
                "DELETE FROM accounts WHERE code LIKE 'PAGE%' AND substr(code, 5)::int <= 8700; "
                "UPDATE sealed_tables SET completed_at = NULL, reached = (SELECT max(ctid)::text FROM accounts "
                "WHERE code NOT LIKE 'PAGE%') WHERE subject = 'accounts'"
            )
        counts = []
        async with books.database.transaction() as tx:
            while count := await seal_standing(tx, "accounts", limit=110):
                counts.append(count)
        assert counts == [110, 110, 80]
        assert await books.findings() == set()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (ProofSettings(ledger_signing_private_key="x"), "LEDGER_SIGNING_PRIVATE_KEY must be PEM"),
        (ProofSettings(ledger_public_keys="x"), "LEDGER_PUBLIC_KEYS must be PEM"),
        (ProofSettings(ledger_signing_next_private_key="x"), "LEDGER_SIGNING_NEXT_PRIVATE_KEY"),
    ],
)
def test_keys_that_cannot_sign_are_named_at_the_start(settings: ProofSettings, sentence: str) -> None:
    assert any(fault.startswith(sentence) for fault in check_settings(Settings(proof=settings)))
