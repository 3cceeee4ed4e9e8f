"""What is sealed and what is not, what verifies it on a clock, what is signed, and an export that is verified without the database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.servers import Servers
from libs.common.clock import SystemClock
from libs.common.evidence import StandingSealer, key_id, read_file
from libs.common.observability.correlation import current
from services.api.access import switch_feature
from services.api.api_keys.sql import note_uses
from services.api.app import check_settings
from services.api.http.callers import ANY_TENANT, PLATFORM_TENANT
from services.api.integrity import HeadSigner, Verifier, export_changes
from services.api.integrity.commands.offline import ExportVerifier
from services.api.integrity.domain import read_heads
from services.api.integrity.sql.changes import LINES, SEALED
from services.api.schema.tables import METADATA
from services.api.settings import ProofSettings, Settings
from tests.integration.api.conftest import serving
from tests.integration.api.integrity.conftest import CHAINS, TENANT, Scene, scene

NOT_SEALED = {
    "tables of payments, whose changes the books are compared with": {
        *("payment_intents", "payment_intent_events", "refunds", "disputes", "sweeps", "orders", "customers"),
        "idempotency_keys",
    },
    "what was sent, which changes nothing": {"logged_requests"},
    "messages": {"inbox", "outbox", "outbox_published", "outbox_refused"},
    "what migrations write alone": {"partition_rules"},
    "the seals": {
        *("change_chains", "change_checks", "change_findings", "sealed_changes", "sealed_tables"),
        *("signed_ends", "signed_heads"),
    },
}


@pytest.fixture
async def made(servers: Servers, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(servers, tmp_path) as each:
        yield each


def faults(lines: Sequence[bytes], made: Scene, *, trusted: bool = True) -> list[str]:
    """What is wrong with an export, by the key and the file of heads that an auditor has."""
    key = made.key if trusted else Ed25519PrivateKey.generate()
    verifier = ExportVerifier({key_id(key.public_key()): key.public_key()}, read_file(made.file).statements)
    verifier.read(lines)
    return verifier.faults


def test_each_table_is_sealed_or_listed_with_the_reason() -> None:
    listed = set().union(*NOT_SEALED.values())
    assert not listed & {*SEALED, LINES}
    assert listed | {*SEALED, LINES} == METADATA.tables.keys()


async def test_each_sealed_table_has_its_triggers_and_no_other_has(made: Scene) -> None:
    rows = await made.database.fetch(
        "SELECT c.relname, t.tgname FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid "
        "WHERE tgfoid = 'api.seal_change'::regproc AND tgenabled = 'O'"
    )
    expected = {(subject, f"seal_{event}") for subject in SEALED for event in ("insert", "update", "delete")}
    assert {(row["relname"], row["tgname"]) for row in rows} == expected


async def test_change_is_sealed_with_the_role_that_made_it(made: Scene) -> None:
    rows = await made.database.fetch(
        "SELECT subject, action, changed_by, content FROM sealed_changes WHERE tenant_id = $1 ORDER BY sequence", TENANT
    )
    assert [(row["subject"], row["action"]) for row in rows] == [
        *(("tenants", "INSERT"), ("tenants", "UPDATE"), (LINES, "INSERT")),
        *(("api_keys", "INSERT"), (LINES, "INSERT")),
        *(("users", "INSERT"), (LINES, "INSERT"), ("users", "UPDATE"), (LINES, "INSERT")),
        *(("tenants", "UPDATE"), (LINES, "INSERT"), ("api_keys", "UPDATE"), (LINES, "INSERT")),
        ("feature_flags", "INSERT"),
    ]
    assert {row["changed_by"] for row in rows} == {"api_app"}
    # Secrets are in it as their SHA-256.
    assert not [row for row in rows if '"password_hash":' in row["content"] or '"secret_hash":' in row["content"]]
    async with made.owner() as owner:
        # By a statement of the owner's own the triggers seal it too, and tell whose it was.
        await owner.execute("UPDATE tenants SET name = 'Other' WHERE id = $1", TENANT)
        last = "SELECT changed_by FROM sealed_changes WHERE tenant_id = $1 ORDER BY sequence DESC LIMIT 1"
        assert await owner.fetchval(last, TENANT) == "api_owner"
        count = "SELECT count(*) FROM sealed_changes"
        before = await owner.fetchval(count)
        await owner.execute("UPDATE tenants SET name = name")
        (key,) = await owner.fetch("SELECT id FROM api_keys WHERE tenant_id = $1", TENANT)
        # When a key was used last is written every minute.
        await note_uses(made.database, {(key["id"], TENANT): made.clock.now()})
        assert await owner.fetchval("SELECT last_used_at IS NOT NULL FROM api_keys WHERE id = $1", key["id"])
        assert await owner.fetchval(count) == before
    assert await made.findings() == set()


async def test_operators_who_switch_features_of_two_tenants_do_not_deadlock(made: Scene) -> None:
    async def switch(scope: str, tenant_id: str) -> None:
        await switch_feature(
            made.database,
            "audit_export",
            action="feature_flag.set",
            is_enabled=True,
            scope=scope,
            tenant_id=tenant_id,
            actor="operator",
            clock=SystemClock(),
            correlation=current(),
        )

    one, two = CHAINS[:2]
    for _ in range(5):
        async with asyncio.TaskGroup() as group:
            for scope, tenant_id in ((one, two), (two, one), (one, one), (ANY_TENANT, one), (ANY_TENANT, two)):
                group.create_task(switch(scope, tenant_id))
    assert await made.findings() == set()


async def test_round_writes_what_it_finds_once_and_shows_it_to_its_tenant(made: Scene) -> None:
    assert await made.verifier.go_on() == []
    async with made.owner() as owner:
        await owner.execute("ALTER TABLE users DISABLE TRIGGER USER; UPDATE users SET roles = '{admin}'")
        await owner.execute("ALTER TABLE sealed_changes DISABLE TRIGGER USER")
        await owner.execute("DELETE FROM sealed_changes WHERE tenant_id = $1 AND sequence > 4", CHAINS[1])
    # A chain that was recomputed before and has lost its end is found by what was signed of it, and by its rows.
    found = {(each.invariant, each.tenant_id) for each in await made.verifier.go_on()}
    assert found == {("row_sealed", TENANT), ("heads_signed", CHAINS[1])}
    assert await made.verifier.go_on() == []
    admin = {"perms": ["admin:write"], "roles": ["admin"], "plan": "enterprise"}
    async with serving(made.place, made.settings) as api:
        for tenant, expected in ((CHAINS[1], ["heads_signed"]), (CHAINS[2], [])):
            answer = await api.client(tenant, **admin).call("GET", "/v1/audit/verification")
            assert answer.status == 200, answer.raw
            (chain,) = answer.json["chains"]
            assert (chain["tenant_id"], chain["changes"], chain["verified"], chain["signed"]) == (tenant, 5, 5, 5)
            assert [each["invariant"] for each in answer.json["findings"]] == expected
        lines = await api.client(CHAINS[1], **admin).call("GET", "/v1/audit?action=access.change_broken")
        assert [line["target"] for line in lines.json["data"]] == ["heads 1"]
        # An operator of the platform sees the chain of roles and policies too.
        operator = api.client(ANY_TENANT, **admin)
        answer = await operator.call("GET", "/v1/audit/verification", headers={"X-Tenant-Id": PLATFORM_TENANT})
        assert [each["tenant_id"] for each in answer.json["chains"]] == ["", PLATFORM_TENANT]


async def test_rows_of_before_are_sealed_as_they_stand(made: Scene) -> None:
    async with made.owner() as owner:
        # As after the upgrade that brought the seals.
        for table in ("sealed_changes", "signed_heads"):
            await owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER; DELETE FROM {table}")
        await owner.execute("DELETE FROM change_chains; DELETE FROM signed_ends; DELETE FROM change_checks")
        await owner.execute(f"UPDATE sealed_tables SET completed_at = NULL, reached = NULL WHERE subject <> '{LINES}'")
        verifier, sealer = Verifier(made.database, clock=made.clock), StandingSealer(made.database, rows_max=500)
        assert (await verifier.all()).findings == []
        await sealer.run()
        # What was changed after it was read, and before it was sealed as it stood, counts as it is.
        await owner.execute("UPDATE policies SET effect = 'deny' WHERE permission = 'payments:read'")
        await owner.execute("UPDATE sealed_tables SET reached = NULL WHERE subject = 'policies'")
        for _ in range(3):
            await sealer.run()
        assert (await verifier.all()).findings == []
        assert await owner.fetchval("SELECT count(*) FROM sealed_tables WHERE completed_at IS NULL") == 0
        await owner.execute("ALTER TABLE policies DISABLE TRIGGER USER; UPDATE policies SET effect = 'allow'")
    assert [finding.invariant for finding in (await verifier.all()).findings] == ["row_sealed"]


async def test_only_chains_that_have_moved_are_signed_in_parts(made: Scene) -> None:
    def signer(**options: int) -> HeadSigner:
        return HeadSigner(made.database, clock=made.clock, keys=[made.key], file=made.file, **options)

    made.clock.advance(timedelta(minutes=1))
    assert await signer().sign() == []
    for tenant in CHAINS[:3]:
        await made.run("key", "--tenant", tenant, "--name", "new", "--scope", "payments:read")
    signed = await signer(heads_max=2).sign()
    assert [[head.tenant_id for head in read_heads(each.statement).heads] for each in signed] == [
        CHAINS[:2],
        CHAINS[2:3],
    ]
    assert read_file(made.file).statements[-2:] == signed
    # Within the minute another process has nothing to do; after a quiet hour one signs all the same.
    await made.run("key", "--tenant", CHAINS[0], "--name", "newer", "--scope", "payments:read")
    assert await signer().sign() == []
    made.clock.advance(timedelta(minutes=1))
    assert len(await signer().sign()) == 1
    made.clock.advance(timedelta(hours=1))
    (quiet,) = await signer().sign()
    assert read_heads(quiet.statement).heads == []
    assert await made.findings() == set()


@pytest.mark.parametrize("change", ["UPDATE sealed_tables SET completed_at = NULL", "DELETE FROM sealed_tables"])
async def test_a_table_that_counts_as_new_again_is_found(made: Scene, change: str) -> None:
    async with made.owner() as owner:
        await owner.execute(f"{change} WHERE subject = 'users'; ALTER TABLE users DISABLE TRIGGER USER")
        await owner.execute(
            "INSERT INTO users (id, email, password_hash, tenant_id, roles, created_at) "
            "SELECT gen_random_uuid(), 'eve@example.com', password_hash, tenant_id, roles, now() FROM users"
        )
    # As after an upgrade of a moment ago, and of long ago.
    assert (await Verifier(made.database, clock=made.clock).all()).findings == []
    verifier = Verifier(made.database, clock=made.clock, standing_max=timedelta(0))
    found = (await verifier.all()).findings
    assert [(each.invariant, each.subject) for each in found] == [("row_sealed", "users")]
    assert await verifier.go_on() == found


async def test_what_was_signed_last_keeps_nobody_from_signing(made: Scene) -> None:
    for change in ("statement = 'x'", "signatures = '[1]'", "signed_at = '20000-01-01'"):
        async with made.owner() as owner:
            await owner.execute("ALTER TABLE signed_heads DISABLE TRIGGER USER")
            await owner.execute(
                f"UPDATE signed_heads SET {change} WHERE number = (SELECT max(number) FROM signed_heads)"
            )
        made.clock.advance(timedelta(hours=1))
        assert len(await made.signer.sign()) == 1, change


async def test_what_is_signed_while_all_is_verified_is_not_missing(made: Scene) -> None:
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'roles'::regclass"
    async with made.owner() as owner, asyncio.TaskGroup() as group:
        async with owner.transaction():
            await owner.execute("LOCK TABLE roles")
            findings = group.create_task(made.findings())
            while await owner.fetchval(waits) is None:
                await asyncio.sleep(0.01)
            made.clock.advance(timedelta(hours=1))
            assert len(await made.signer.sign()) == 1
        assert await findings == set()


async def test_sound_export_is_verified_and_each_change_of_it_named(made: Scene) -> None:
    lines = [line async for line in export_changes(made.database)]
    assert faults(lines, made) == []
    assert faults(lines, made, trusted=False) == ["no known key has signed the last statement, or there is none"]
    for old, new, named in (
        (b"SUSPENDED", b"ACTIVE", "is not as it was sealed"),
        (b'"changed_by":"api_app"', b'"changed_by":"api_owner"', "is not as it was sealed"),
        (b'"sequence":2,', b'"sequence":9,', "are missing from their chain"),
    ):
        changed = b"".join(lines).replace(old, new, 1).splitlines(keepends=True)
        assert changed != lines, old
        assert any(named in fault for fault in faults(changed, made)), old
    for place, line in enumerate(lines[1:], start=1):
        assert faults([*lines[:place], *lines[place + 1 :]], made), line[:200]
    assert faults([*lines, b"{"], made)[0].startswith(f"line {len(lines) + 1} cannot be read")
    assert msgspec.json.decode(lines[0]) == {"export": "api.changes.v1"}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (ProofSettings(api_signing_private_key="x"), "API_SIGNING_PRIVATE_KEY must be PEM"),
        (ProofSettings(api_public_keys="x"), "API_PUBLIC_KEYS must be PEM"),
        (ProofSettings(api_signing_next_private_key="x"), "API_SIGNING_NEXT_PRIVATE_KEY"),
    ],
)
def test_keys_that_cannot_sign_are_named_at_the_start(settings: ProofSettings, sentence: str) -> None:
    assert any(fault.startswith(sentence) for fault in check_settings(Settings(proof=settings)))
