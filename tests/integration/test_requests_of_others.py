"""No request message crosses tenants: ids of another tenant's things are as unknown ones, also where a statement forgets its tenant."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from deploy.local.servers import Servers
from libs.common.contracts import Message
from libs.common.contracts.gateway_requests import AddGatewayConfig
from libs.common.db.connections import PooledConnection
from tests.support.databases import SERVICES, TestDatabase, fresh_database
from tests.support.requests import FIRST, Answering, answering, body_of, comparable, requests
from tests.support.row_security import policies_off, unprotected, without_tenant

TRIES_MAX = 3
"""A request may be sent again where it could not be answered, as on a busy machine."""
OF_OPERATORS = {
    "circuits.list",
    "dead_letters.get",
    "dead_letters.list",
    "dead_letters.redrive",
    "health.get",
    "reports.refresh",
    "reports.revenue_by_tenant",
}
"""Requests that are about all tenants, and name none."""
SHARED = {"verification.get": "how many groups the chains have, in which entries of all tenants are"}
"""Requests whose reply has more than what is the tenant's, each with what that is."""
ONE_OF_ALL = {"gateway_configs.add", "gateway_configs.delete", "gateway_configs.list", "gateway_configs.rotate_keys"}
"""Requests about what has an id that no other tenant may have too: it is refused to the second, who then has none."""
MAKERS = {
    *FIRST,
    "conversions.post",
    "customers.start_setup",
    "gateway_configs.add",
    "journal.propose",
    "policy.propose",
}
"""What makes something under an id that the caller gives: sent after all others, which would meet the caller's own."""
ENDERS = {
    "customers.detach_method",
    "gateway_configs.delete",
    "holds.capture",
    "holds.void",
    "imports.delete_source",
    "journal.approve",
    "journal.reject",
    "journal.set_policy",
    "periods.close",
    "policy.approve",
    "policy.reject",
    "replays.cancel",
    "webhook_endpoints.delete",
}
"""What ends things: not sent by the one whom others look for."""
LEAKING = {
    "accounts.list",
    "attempts.list",
    "attempts.list_unknown",
    "balances.list",
    "conversions.get",
    "conversions.list",
    "customers.find_method",
    "deliveries.list",
    "discrepancies.get",
    "entries.list",
    "gateway_configs.list",
    "holds.get",
    "imports.get",
    "journal.proposal",
    "line_matches.list",
    "payment_facts.list",
    "processor_events.list",
    "reconciliation_runs.get",
    "replays.get",
    "reports.journal",
    "reports.statement",
    "statement_lines.list",
    "webhook_endpoints.change",
    "webhook_endpoints.get",
}
"""Requests that meet the rows of another tenant once statement and policies forget it: this test is seen to look for them."""

LIMITED = ("gateway", "ledger", "notifier")
"""The services whose requests the database limits to a tenant."""

_TABLES = """
SELECT c.relnamespace::regnamespace::text || '.' || c.relname AS name
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
 WHERE c.relnamespace::regnamespace::text = ANY($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""
_COLUMNS = """
SELECT column_name AS name, udt_name AS type FROM information_schema.columns
 WHERE table_schema || '.' || table_name = $1 AND is_nullable = 'NO' AND column_default IS NULL
"""
_VALUES = {
    "text": "x",
    "jsonb": {},
    "bytea": "\\x00",
    "bpchar": "BRL",
    "timestamptz": "2026-11-20T12:00:00Z",
    "date": "2026-11-20",
}
"""What a column has that a row says nothing about, by its type; a number is 1."""


class Tenant:
    """A tenant who sends requests about things whose ids begin alike."""

    def __init__(self, *, ids: str = "", named: Mapping[str, Any] | None = None) -> None:
        self.id = f"tenant-{uuid4().hex[:12]}"
        self.ids = ids or uuid4().hex[:8]
        self.unanswered: set[str] = set()
        # One Stripe account is one tenant's: `test_account_of_another_tenant_is_refused`.
        self.named: dict[str, Any] = {
            "debit_account": "CASH",
            **(named or {}),
            "secret_key": f"sk_test_{uuid4().hex}0000",
        }

    async def send(self, rig: Answering, kind: type[Message]) -> Any:
        """Send a request; returns what is replied, without what differs between tenants."""
        body = body_of(kind, tenant=self.id, ids=self.ids, named=self.named)
        for _ in range(TRIES_MAX):
            reply = await rig.reply(kind, body, tenant_id=self.id)
            if reply.refusal is None or reply.refusal.kind != "Unavailable":
                break
        if reply.refusal is None:
            self._learn(kind.contract.name, msgspec.json.decode(reply.answer))
        elif reply.refusal.kind == "Unavailable":
            self.unanswered.add(kind.contract.name)
        return comparable(reply, tenant=self.id, ids=self.ids)

    async def send_all(self, rig: Answering) -> dict[str, list[Any]]:
        """Send what is about things that the tenant does not have, then everything."""
        kinds = {kind.contract.name: kind for kind in requests()}
        names = [name for name in kinds if name not in OF_OPERATORS | SHARED.keys()]
        found: dict[str, list[Any]] = defaultdict(list)
        for name in (name for name in names if name not in MAKERS):
            found[name].append(await self.send(rig, kinds[name]))
        for name in (name for name in names if name not in ONE_OF_ALL):
            found[name].append(await self.send(rig, kinds[name]))
        return found

    def _learn(self, name: str, answer: Any) -> None:
        pass


class Victim(Tenant):
    """The tenant that has one of everything, and whose ids the others have."""

    async def fill(self, rig: Answering, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Make everything: by requests, and what comes of other messages in its tables."""
        for table, row in self._rows().items():
            columns = await admin.fetch(_COLUMNS, table)
            values = {each["name"]: _VALUES.get(each["type"], 1) for each in columns}
            values |= {name: "BRL" for name in values if name == "currency"} | {"tenant_id": self.id} | row
            names = ", ".join(values)
            await admin.execute(
                f"INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{table}, $1::jsonb)",
                json.dumps(values),
            )
        for kind in requests():
            if kind.contract.name not in ENDERS | OF_OPERATORS:
                await self.send(rig, kind)
        assert self.unanswered == set()

    def _rows(self) -> dict[str, dict[str, Any]]:
        payment, other, line, match = (self._id(each) for each in ("abce", "abf2", "abf6", "abf7"))
        return {
            "api.payment_intents": {"id": payment, "currency": "BRL", "status": "SETTLED"},
            "gateway.attempts": {
                "id": other,
                "payment_intent_id": payment,
                "operation": "authorize",
                "processor": "sandbox",
                "status": "ACTION_REQUIRED",
            },
            "gateway.discrepancies": {
                "id": other,
                "state": "open",
                "type": "MISSING_LOCAL",
                "subject_kind": "payment",
                "run_id": other,
            },
            "gateway.stripe_events": {"status": "UNMATCHED", "payment_intent_id": payment},
            "gateway.statement_lines": {"id": line, "source_id": other, "import_id": other},
            "gateway.line_matches": {"id": match},
            "gateway.line_match_parts": {"match_id": match, "side": "line", "part_id": other, "scope": other},
            "gateway.reconciliation_periods": {"month": "2025-01", "run_id": other},
        }

    def _id(self, end: str) -> str:
        return str(UUID(f"{self.ids}-5b6c-7d8e-9f01-23456789{end}"))

    def _learn(self, name: str, answer: Any) -> None:
        if name == "journal.post":
            self.named["entry_id"] = answer["results"][0]["id"]
        elif name == "journal.propose":
            self.named["proposal_id"] = answer["proposal"]["id"]
        elif name == "replays.start":
            self.named["replay_id"] = answer["id"]
        elif name == "customers.start_setup":
            self.named["payment_method_id"] = answer["payment_method_id"]

    async def rows(self, admin: "asyncpg.Connection[asyncpg.Record]") -> dict[str, str]:
        """A digest of its rows in each table."""
        digest = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t WHERE tenant_id = $1"
        return {
            row["name"]: await admin.fetchval(digest.format(row["name"]), self.id)
            for row in await admin.fetch(_TABLES, SERVICES)
        }


class Scene:
    """The services, the tenant that is looked for, and what is replied to one who looks for unknown things."""

    def __init__(self, rig: Answering, admin: "asyncpg.Connection[asyncpg.Record]", victim: Victim) -> None:
        self.rig, self.admin, self.victim = rig, admin, victim
        self.unknown: dict[str, list[Any]] = {}

    async def met(self) -> set[str]:
        """Look for the victim's things as a new tenant; returns the requests whose reply is not as for unknown ones."""
        looking = Tenant(ids=self.victim.ids, named=self.victim.named)
        found = await looking.send_all(self.rig)
        return {name for name, replies in found.items() if replies != self.unknown[name]}


@pytest.fixture(scope="module")
async def database(servers: Servers) -> AsyncIterator[TestDatabase]:
    async with fresh_database(servers) as made:
        yield made


@pytest.fixture(scope="module")
async def scene(servers: Servers, database: TestDatabase) -> AsyncIterator[Scene]:
    admin = await asyncpg.connect(database.admin_url)
    async with answering(servers, database) as rig:
        made = Scene(rig, admin, Victim())
        await made.victim.fill(rig, admin)
        named = {name: str(uuid4()) for name in made.victim.named if name.endswith("_id")}
        made.unknown = await Tenant(named=named).send_all(rig)
        yield made
    await admin.close()


async def test_things_of_another_tenant_are_as_unknown_ones(scene: Scene) -> None:
    before = await scene.victim.rows(scene.admin)
    assert await scene.met() == set()
    assert await scene.victim.rows(scene.admin) == before


async def test_forgotten_condition_shows_no_reply_of_another_tenant(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: dict[str, set[str]] = defaultdict(set)
    run = PooledConnection._execute

    async def forgetful(self: PooledConnection, query: str, *arguments: Any, **options: Any) -> Any:
        if self.is_limited and (without := without_tenant(query)) != query:
            changed[self.opening.removeprefix("SET LOCAL ROLE ").partition("_requests")[0]].add(query)
            query = without
        return await run(self, query, *arguments, **options)

    monkeypatch.setattr(PooledConnection, "_execute", forgetful)
    before = await scene.victim.rows(scene.admin)
    assert await scene.met() == set()
    assert await scene.victim.rows(scene.admin) == before
    assert {service for service, queries in changed.items() if len(queries) > 5} == set(LIMITED)
    # The same without the policies: it is they that keep the rows apart, and the test does look for them.
    async with policies_off(scene.admin, SERVICES):
        met = await scene.met()
    assert met >= LEAKING
    assert await scene.victim.rows(scene.admin) != before


@pytest.mark.parametrize("named", [{}, {"config_id": str(uuid4())}])
async def test_account_or_its_configuration_of_another_tenant_is_refused(
    scene: Scene, named: Mapping[str, Any]
) -> None:
    looking = Tenant(ids=scene.victim.ids, named=named)
    if named:
        looking.named["secret_key"] = scene.victim.named["secret_key"]
    reply = await looking.send(scene.rig, AddGatewayConfig)
    assert reply["refusal"]["code"] == "gateway_config_conflict"
    assert scene.victim.id not in str(reply)


async def test_each_table_of_a_tenant_has_its_policies(database: TestDatabase) -> None:
    assert {service: await unprotected(database, service) for service in LIMITED} == {each: {} for each in LIMITED}


def test_requests_of_operators_are_known_by_name() -> None:
    assert {kind.contract.name for kind in requests() if "tenant_id" not in kind.__struct_fields__} == OF_OPERATORS
