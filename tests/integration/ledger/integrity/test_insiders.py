"""Each way by which an insider changes the books past the services, done on a real database, and found and named.

`docs/tamper-evidence.md` prints the table; a test holds it to this one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.servers import Servers
from libs.common.clock import ManualClock, SystemClock
from libs.common.contracts.ledger import AccountType
from libs.common.contracts.ledger_calendar import SetCalendar
from libs.common.contracts.ledger_money import PostConversion
from libs.common.contracts.ledger_policy import ApprovalRule, RuleKind
from libs.common.contracts.ledger_roles import AssignAccountRole, Role
from libs.common.contracts.ledger_units import AddOwnUnit
from libs.common.currencies import EXPONENTS
from libs.common.db import Database
from libs.common.evidence import key_id
from libs.common.ids import new_id
from services.ledger.balances.sql.effective import fold
from services.ledger.integrity import HeadSigner, Verifier
from services.ledger.integrity.sql.changes import SEALED
from services.ledger.periods import Periods
from services.ledger.units import CurrencyExponents, UnitCommands
from tests.integration.ledger.bank import Bank
from tests.integration.ledger.books import Books, moved
from tests.integration.ledger.conftest import Ledger
from tests.integration.ledger.exchange.test_money import record
from tests.integration.ledger.manual_entries.test_proposals import Office
from tests.integration.ledger.policies.test_changes import Board
from tests.support.databases import ROOT, TestDatabase, fresh_database

PAGE = ROOT / "docs" / "tamper-evidence.md"


class Tampering(msgspec.Struct, frozen=True, kw_only=True):
    """What an insider does, and how it is found."""

    who: str
    """The runtime role, the owner of the schema, or a superuser."""
    does: str
    """As the page says it."""
    sql: str
    finding: str
    subject: str
    """How the subject of the finding begins."""
    names: str = ""
    """What its detail names."""


RUNTIME, OWNER, SUPERUSER = "runtime role", "owner", "superuser"
_SEALED = "row_sealed"
_UNIT = (
    "INSERT INTO own_units (tenant_id, code, exponent, name, created_by, created_at) "
    "SELECT tenant_id, '{code}', 2, name, created_by, created_at FROM own_units WHERE code = 'PT2'"
)
TAMPERINGS = [
    Tampering(who=RUNTIME, does="changes `effective_totals`", finding="totals_follow_postings", subject="",
              sql="UPDATE effective_totals SET debits_minor = debits_minor + 1 WHERE grain = 'HOUR'"),
    Tampering(who=RUNTIME, does="sets `effective_folds` back", finding="totals_follow_postings", subject="",
              sql="UPDATE effective_folds SET version = version - 1 WHERE version > 1"),
    Tampering(who=RUNTIME, does="resolves a hold without freeing what it held", finding="holds_pending", subject="",
              sql="UPDATE holds SET state = 'VOIDED', resolved_at = now() WHERE state = 'OPEN'"),
    Tampering(who=OWNER, does="changes the type of an account", finding=_SEALED, subject="accounts", names="account_type",
              sql="UPDATE accounts SET account_type = 'EXPENSE' WHERE code = 'VAULT'"),
    Tampering(who=OWNER, does="changes the code of an account", finding=_SEALED, subject="accounts", names="code",
              sql="UPDATE accounts SET code = 'OTHER' WHERE code = 'BANK'"),
    Tampering(who=OWNER, does="opens an account", finding=_SEALED, subject="accounts", names="without a sealed change",
              sql="INSERT INTO accounts SELECT tenant_id, gen_random_uuid(), 'NEW', label, account_type, false, opened_at "
                  "FROM accounts WHERE code = 'CASH'"),
    Tampering(who=OWNER, does="lets another account have played a role", finding=_SEALED, subject="role_changes",
              names="account_id",
              sql="UPDATE role_changes AS r SET account_id = a.id FROM accounts AS a "
                  "WHERE a.tenant_id = r.tenant_id AND a.code = 'CASH'"),
    Tampering(who=OWNER, does="changes a rate", finding=_SEALED, subject="exchange_rates", names="rate",
              sql="UPDATE exchange_rates SET rate = rate * 2"),
    Tampering(who=OWNER, does="closes a period", finding=_SEALED, subject="periods", names="without a sealed change",
              sql="INSERT INTO periods SELECT tenant_id, ends_before + interval '1 day', closed_at, closed_by FROM periods"),
    Tampering(who=OWNER, does="takes a rule out of the policy", finding=_SEALED, subject="approval_rules",
              names="the row is missing", sql="DELETE FROM approval_rules WHERE rule_no = 2"),
    Tampering(who=OWNER, does="changes who approved the policy", finding=_SEALED, subject="approval_policies",
              names="approved_by", sql="UPDATE approval_policies SET approved_by = 'nobody' WHERE revision = 2"),
    Tampering(who=OWNER, does="changes an entry that is proposed", finding=_SEALED, subject="proposals",
              names="entries_sha256", sql="UPDATE proposals SET entries = replace(entries, '12.50', '99.50')"),
    Tampering(who=SUPERUSER, does="changes who made an entry", finding=_SEALED, subject="manual_entries", names="made_by",
              sql="UPDATE manual_entries SET made_by = 'nobody@example.com' WHERE approved_by IS NULL"),
    Tampering(who=SUPERUSER, does="changes who approved an entry", finding=_SEALED, subject="manual_entries",
              names="approved_by",
              sql="UPDATE manual_entries SET approved_by = 'nobody' WHERE approved_by IS NOT NULL"),
    Tampering(who=SUPERUSER, does="changes why an entry was made", finding=_SEALED, subject="manual_entries",
              names="description", sql="UPDATE manual_entries SET description = 'Audit fee' WHERE approved_by IS NULL"),
    Tampering(who=SUPERUSER, does="opens a closed period", finding=_SEALED, subject="periods", names="the row is missing",
              sql="DELETE FROM periods"),
    Tampering(who=SUPERUSER, does="changes what a closed period showed", finding=_SEALED, subject="period_seals",
              names="sha256", sql="UPDATE period_seals SET sha256 = sha256(sha256)"),
    Tampering(who=SUPERUSER, does="changes the zone of a calendar", finding=_SEALED, subject="calendars", names="zone",
              sql="UPDATE calendars SET zone = 'Asia/Tokyo'"),
    Tampering(who=SUPERUSER, does="renames an own unit", finding=_SEALED, subject="own_units", names="name",
              sql="UPDATE own_units SET name = 'Miles'"),
    Tampering(who=SUPERUSER, does="changes the decimals of a currency", finding=_SEALED, subject="currency_exponents",
              names="exponent", sql="UPDATE currency_exponents SET exponent = 0 WHERE currency = 'BRL'"),
    Tampering(who=SUPERUSER, does="changes a conversion", finding=_SEALED, subject="conversions", names="bought_minor",
              sql="UPDATE conversions SET bought_minor = bought_minor + 1"),
    Tampering(who=SUPERUSER, does="changes a hold that was captured", finding=_SEALED, subject="holds", names="amount_minor",
              sql="UPDATE holds SET amount_minor = amount_minor + 1 WHERE state = 'CAPTURED'"),
    Tampering(who=SUPERUSER, does="changes who decided about the policy", finding=_SEALED, subject="policy_changes",
              names="decided_by", sql="UPDATE policy_changes SET decided_by = 'nobody' WHERE decided_by IS NOT NULL"),
    Tampering(who=SUPERUSER, does="changes what was sealed of a row", finding="change_sealed", subject="changes 0/",
              sql="UPDATE sealed_changes SET content = replace(content, 'ECB', 'BCB') WHERE subject = 'exchange_rates'"),
    *(Tampering(who=SUPERUSER, does=does, finding=_SEALED, subject="own_units", names="without a sealed change",
                sql=f"{_UNIT.format(code=code)};"
                    "INSERT INTO sealed_changes (chain, sequence, position, subject, tenant_id, key, action, content, changed_at, "
                    f"seal) SELECT {place}, 1, 'own_units', tenant_id, jsonb_build_array(tenant_id, code)::text, 'INSERT', "
                    f"to_jsonb(u)::text, now(), '' FROM own_units AS u WHERE code = '{code}'")
      for does, code, place in (
          ("adds an own unit, and a seal of it before the begin of a chain", "PA2", "0, 0"),
          ("adds an own unit, and a seal of it in a chain that is not there", "PB2", "99, 1"),
          ("adds an own unit, and a seal of it in a group that is not there", "PC2", "0, 1000"))),
    Tampering(who=SUPERUSER, does="changes when a change was made", finding="change_sealed", subject="changes 0/",
              sql="UPDATE sealed_changes SET changed_at = '20000-01-01' WHERE subject = 'calendars'"),
    Tampering(who=SUPERUSER, does="takes a change out of its chain", finding="change_linked", subject="changes 0/",
              sql="DELETE FROM change_groups WHERE chain = 0 AND sequence = 2"),
    Tampering(who=SUPERUSER, does="cuts off the last entries with their balances and heads", finding="heads_signed",
              subject="heads ",
              sql="DELETE FROM postings WHERE entry_id IN (SELECT e.id FROM journal_entries AS e JOIN chains AS c USING "
                  "(chain, sequence)); DELETE FROM journal_entries AS e USING chains AS c WHERE e.chain = c.chain AND "
                  "e.sequence = c.sequence; UPDATE chains AS c SET sequence = g.sequence - 1, hash = g.previous FROM "
                  "entry_groups AS g WHERE g.chain = c.chain AND g.sequence = c.sequence; DELETE FROM entry_groups AS g "
                  "USING chains AS c WHERE g.chain = c.chain AND g.sequence > c.sequence"),
    Tampering(who=SUPERUSER, does="removes the last signed statement", finding="heads_signed", subject="heads ",
              names="in the file, and not in the database",
              sql="DELETE FROM signed_heads WHERE number = (SELECT max(number) FROM signed_heads)"),
    Tampering(who=SUPERUSER, does="signs with a key of their own", finding="heads_signed", subject="heads ",
              names="no known key",
              sql="UPDATE signed_heads SET signatures = '{\"0000000000000000\": \"AAAA\"}'"),
    Tampering(who=SUPERUSER, does="writes over the signed statements", finding="heads_signed", subject="heads ",
              names="cannot be read",
              sql="UPDATE signed_heads SET statement = '{\"a\":' || repeat('[', 100000), signatures = '[1]', "
                  "signed_at = '20000-01-01'"),
]  # fmt: skip


class Scene(msgspec.Struct, kw_only=True):
    """Books in which everything has happened that can be tampered with, sealed and signed."""

    place: TestDatabase
    database: Database
    tenant_id: str
    file: Path
    verifier: Verifier
    key: Ed25519PrivateKey
    clock: ManualClock

    @asynccontextmanager
    async def superuser(self) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        """A connection that may do everything."""
        connection = await asyncpg.connect(self.place.admin_url, server_settings={"search_path": "ledger"})
        try:
            yield connection
        finally:
            await connection.close()

    async def tamper(self, tampering: Tampering) -> None:
        """Change the books as the insider can."""
        url = {
            RUNTIME: self.place.url("ledger_app"),
            OWNER: self.place.url("ledger_owner"),
            SUPERUSER: self.place.admin_url,
        }[tampering.who]
        insider = await asyncpg.connect(url, server_settings={"search_path": "ledger"})
        try:
            async with insider.transaction():
                if tampering.who == SUPERUSER:
                    await insider.execute("SET LOCAL session_replication_role = replica")
                if tampering.who == OWNER:
                    # What the owner of a table may do by one statement more.
                    for table in {word for word in tampering.sql.replace("(", " ").split() if word in SEALED}:
                        await insider.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
                assert not (await insider.execute(tampering.sql)).endswith(" 0"), tampering.does
        finally:
            await insider.close()

    async def findings(self) -> set[tuple[str, str, str]]:
        """Verify everything: what is wrong, where, and how it is named."""
        report = await self.verifier.all()
        return {(finding.invariant, finding.subject, finding.detail) for finding in report.findings}


@asynccontextmanager
async def scene(servers: Servers, folder: Path) -> AsyncIterator[Scene]:
    """Let everything happen once: accounts, entries by hand, holds, rates, a conversion, roles, periods, policies, proposals."""
    clock, tenant_id, key = ManualClock(datetime.now(UTC)), "tenant-insiders", Ed25519PrivateKey.generate()
    async with fresh_database(servers, ("ledger",)) as place, place.open("ledger") as database:
        bank, books, ledger = Bank(database, tenant_id, clock), Books(database, clock), Ledger(database, clock)
        await bank.open("VAULT", AccountType.ASSET)
        await bank.open("WALLET", AccountType.LIABILITY, floor_minor=0)
        await bank.post("VAULT", "WALLET", 1000)
        await books.post(tenant_id, moved("CASH", "REVENUE", description="Bank fee of November"))
        await bank.capture(await bank.hold(20))
        await bank.hold(30)
        await record(ledger, tenant_id, "USD/BRL", "5.00", at=clock.now() - timedelta(hours=1))
        conversion = PostConversion(
            tenant_id=tenant_id, conversion_id=new_id(), from_currency="USD", to_currency="BRL", amount_minor=100
        )
        await ledger.exchange.on_post_conversion(conversion)
        await ledger.roles.on_assign_account_role(
            AssignAccountRole(tenant_id=tenant_id, role=Role.BANK, account="VAULT", actor="ana")
        )
        office, board = Office(books, tenant_id), Board(books, tenant_id)
        await office.approve(await office.propose())
        await office.propose()
        await board.propose(ApprovalRule(kind=RuleKind.REVERSAL))
        rules = ApprovalRule(kind=RuleKind.REVERSAL), ApprovalRule(kind=RuleKind.HOLD)
        await board.approve(await board.propose(*rules))
        await UnitCommands(database, clock=clock).add(
            AddOwnUnit(tenant_id=tenant_id, code="PT2", name="Points", created_by="ana")
        )
        await CurrencyExponents(database, EXPONENTS).keep()
        await Periods(database, clock=clock).keep_by(SetCalendar(tenant_id=tenant_id, zone="Etc/UTC", changed_by="ana"))
        await bank.close(clock.now().replace(hour=0, minute=0, second=0, microsecond=0))
        async with database.transaction() as tx:
            await fold(tx, postings_min=1, accounts_max=1000, postings_max=1000)
        file = folder / "heads.jsonl"
        signer = HeadSigner(database, clock=clock, keys=[key], file=file)
        assert await signer.sign() is not None
        clock.advance(timedelta(minutes=1))
        await books.post(tenant_id, moved("CASH", "REVENUE"))
        assert await signer.sign() is not None
        keys = {key_id(key.public_key()): key.public_key()}
        verifier = Verifier(database, clock=SystemClock(), keys=keys, file=file)
        yield Scene(
            place=place, database=database, tenant_id=tenant_id, file=file, verifier=verifier, key=key, clock=clock
        )


async def test_each_tampering_is_found_and_named(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as books:
        assert await books.findings() == set()
        before: set[tuple[str, str, str]] = set()
        for tampering in TAMPERINGS:
            await books.tamper(tampering)
            found = await books.findings()
            new = [
                (invariant, subject, detail)
                for invariant, subject, detail in found - before
                if invariant == tampering.finding
                and subject.startswith(tampering.subject)
                and tampering.names in detail
            ]
            assert new, (tampering.who, tampering.does, found - before)
            before = found


async def test_bytes_changed_on_the_disk_are_found(servers: Servers, tmp_path: Path) -> None:
    async with scene(servers, tmp_path) as books:
        admin = await asyncpg.connect(servers.postgres_url)
        copy = f"{books.place.name}_disk"
        try:
            folder = await admin.fetchval("SHOW data_directory")
            eyes = await asyncpg.connect(books.place.admin_url)
            path = Path(folder) / await eyes.fetchval("SELECT pg_relation_filepath('ledger.manual_entries')")
            await eyes.close()
            await books.database.close()
            await admin.execute("CHECKPOINT")
            content = path.read_bytes()
            assert content.count(b"Bank fee of November") == 1
            path.write_bytes(content.replace(b"Bank fee of November", b"Bank fee of December"))
            # Read from the disk: what the server has in its memory is of before.
            await admin.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{books.place.name}" STRATEGY file_copy')
            async with TestDatabase(servers, copy).open("ledger") as database:
                report = await Verifier(database, clock=SystemClock()).all()
            assert [(finding.invariant, finding.detail) for finding in report.findings] == [
                ("row_sealed", "the row is not as it was sealed: description")
            ]
        finally:
            await admin.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
            await admin.close()


def test_page_prints_the_table() -> None:
    page = PAGE.read_text()
    rows = [f"| {one.who} | {one.does} | `{one.finding}` |" for one in TAMPERINGS]
    assert [row for row in rows if row not in page] == []
