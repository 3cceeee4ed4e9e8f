"""An administration in which everything has happened that can be tampered with, sealed and signed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.servers import Servers
from libs.common.clock import ManualClock, SystemClock
from libs.common.db import Database
from libs.common.evidence import StandingSealer, key_id
from libs.common.ids import new_id
from libs.common.observability.correlation import current
from services.api.access import switch_feature
from services.api.cli import administer
from services.api.http.callers import PLATFORM_TENANT
from services.api.integrity import HeadSigner, Verifier
from services.api.settings import Settings
from tests.integration.api.conftest import settings_for
from tests.support.databases import TestDatabase, fresh_database

TENANT = "tenant-a"
CHAINS = [f"tenant-{letter}" for letter in "bcdefg"]
"""Tenants with a key each, of whose chains one is tampered with at a time."""
EMAIL = "maria@example.com"
PASSWORD = "a-long-password-of-one-person"


class Scene(msgspec.Struct, kw_only=True):
    """The database, and who verifies and signs."""

    place: TestDatabase
    database: Database
    settings: Settings
    file: Path
    key: Ed25519PrivateKey
    clock: ManualClock
    signer: HeadSigner
    verifier: Verifier

    async def run(self, *arguments: str) -> str:
        """Run a command of an operator."""
        return await administer(self.settings, arguments, read_password=lambda: PASSWORD)

    @asynccontextmanager
    async def owner(self) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        """A connection of the role that owns the schema."""
        connection = await asyncpg.connect(
            self.place.url("api_owner"), server_settings={"search_path": "api", "timezone": "UTC"}
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def findings(self) -> set[tuple[str, str, str, str]]:
        """Verify everything: what is wrong, whose, where, and how it is named."""
        report = await self.verifier.all()
        return {(found.invariant, found.tenant_id, found.subject, found.detail) for found in report.findings}


@asynccontextmanager
async def scene(servers: Servers, folder: Path) -> AsyncIterator[Scene]:
    """Administer two kinds of tenants: one with everything, and some with a key each."""
    clock, key = ManualClock(datetime.now(UTC)), Ed25519PrivateKey.generate()
    async with fresh_database(servers, ("api",)) as place, place.open("api") as database:
        for _ in range(2):
            await StandingSealer(database, rows_max=500).run()
        file = folder / "heads.jsonl"
        keys = {key_id(key.public_key()): key.public_key()}
        made = Scene(
            place=place,
            database=database,
            settings=settings_for(place),
            file=file,
            key=key,
            clock=clock,
            signer=HeadSigner(database, clock=clock, keys=[key], file=file),
            verifier=Verifier(database, clock=clock, keys=keys, file=file),
        )
        await made.run("role", "clerk", "--permission", "payments:read")
        await made.run("policy", "payments:read", "--plan", "pro", "--plan", "enterprise")
        for tenant in (TENANT, *CHAINS):
            await made.run("tenant", tenant, "--name", "Acme", "--plan", "pro", "--region", "region-a")
            await made.run("key", "--tenant", tenant, "--name", "till", "--scope", "payments:read")
        await made.run("user", EMAIL, "--tenant", TENANT, "--role", "clerk", "--password")
        await made.run("user", EMAIL, "--tenant", TENANT, "--disable")
        await made.run(
            "tenant", TENANT, "--name", "Acme", "--plan", "pro", "--region", "region-a", "--status", "SUSPENDED"
        )
        key_of = await database.fetchrow("SELECT id::text FROM api_keys WHERE tenant_id = $1", TENANT)
        assert key_of is not None
        await made.run("revoke-key", key_of["id"], "--tenant", TENANT)
        await switch_feature(
            database,
            "audit_export",
            action="feature_flag.set",
            is_enabled=False,
            scope=TENANT,
            tenant_id=PLATFORM_TENANT,
            actor="operator",
            clock=SystemClock(),
            correlation=current(),
        )
        async with database.transaction() as tx:
            await tx.execute(
                "INSERT INTO operator_actions (id, at, actor, action, subject, detail) "
                "VALUES ($1, now(), 'ana', 'refused.given_up', 'gateway.commands', '{}')",
                new_id(),
            )
        assert await made.signer.sign()
        clock.advance(timedelta(minutes=1))
        await made.run("key", "--tenant", CHAINS[0], "--name", "shop", "--scope", "payments:read")
        assert await made.signer.sign()
        yield made
