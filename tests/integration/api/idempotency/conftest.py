"""Every write of the api, and an owner of what they change that notes what arrives."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from libs.common.contracts import Message
from libs.common.contracts.ledger_journal import Proposal, ProposalAnswer
from libs.common.contracts.notifier import Replay
from libs.common.ids import new_id
from services.api.app import build, seed
from services.api.settings import Settings
from tests.integration.api.conftest import Api, serving, settings_for
from tests.support.databases import TestDatabase
from tests.support.platform import Answer, Client

SECRET = "whsec_shown-once"
ID = "01900000-0000-7000-8000-000000000001"
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
ENTRY = {
    "description": "x",
    "occurred_at": "2026-11-01T00:00:00Z",
    "lines": [
        {"account": "CASH", "side": "DEBIT", "amount": "1.00", "currency": "BRL"},
        {"account": "REVENUE", "side": "CREDIT", "amount": "1.00", "currency": "BRL"},
    ],
}
HOLD = {"debit_account": "CASH", "credit_account": "REVENUE", "currency": "BRL", "amount": "1.00"}
RATE = {"from_currency": "USD", "to_currency": "BRL", "rate": "5.4321", "source": "ECB"}
CONVERSION = {
    "id": ID,
    "from_currency": "USD",
    "to_currency": "BRL",
    "amount": "1.00",
    "from_account": "CASH",
    "to_account": "CASH",
}
SOURCE = {"name": "Stripe", "format": "stripe_balance_change"}
FILE = {"source_id": ID, "file_name": "a.csv", "size_bytes": 1, "sha256": "0" * 64}
WINDOW = {"from": "2026-11-01", "until": "2026-11-02"}
RULES = {"compared_with": "payouts", "rules": [{"kind": "reference", "confidence": 100}]}
MATCH = {"line_ids": [ID], "references": ["po_1"], "reason": "x"}
BODIES: dict[str, tuple[Any, Any]] = {
    "replaceMatchingRules": (RULES, RULES | {"concerns": ["STRIPE"]}),
    "matchLines": (MATCH, MATCH | {"difference_minor": 1}),
    "unmatchLines": ({"reason": "x"}, {"reason": "y"}),
    "createWebhook": ({"url": "https://a.example/x", "events": ["*"]}, {"url": "https://b.example/x", "events": ["*"]}),
    "changeWebhook": ({"description": "one"}, {"description": "two"}),
    "rotateWebhookSecret": ({"overlap_seconds": 60}, {"overlap_seconds": 61}),
    "replayWebhook": ({"outcomes": ["failed"]}, {"outcomes": ["missing"]}),
    "placeHold": (HOLD, HOLD | {"amount": "2.00"}),
    "captureHold": ({"amount": "1.00"}, {"amount": "2.00"}),
    "closeYear": ({"year": 2024}, {"year": 2025}),
    "revalueCurrencies": ({"day": "2024-12-31", "currency": "BRL"}, {"day": "2025-12-31", "currency": "BRL"}),
    "closePeriod": ({"ends_before": "2026-11-01T00:00:00Z"}, {"ends_before": "2026-10-01T00:00:00Z"}),
    "createAccount": (
        {"code": "FEES", "label": "Fees", "account_type": "EXPENSE"},
        {"code": "FEES", "label": "Other", "account_type": "EXPENSE"},
    ),
    "addOwnUnit": ({"code": "PT2", "name": "Loyalty points"}, {"code": "PT2", "name": "Miles"}),
    "putLedgerCalendar": ({"zone": "America/Sao_Paulo"}, {"zone": "Europe/Lisbon"}),
    "putAccountRole": ({"account": "CASH"}, {"account": "BANK"}),
    "recordExchangeRate": (RATE, RATE | {"rate": "5.4322"}),
    "convertAmount": ({"amount": "1.00", "from_currency": "USD", "to_currency": "BRL"}, None),
    "createConversion": (CONVERSION, CONVERSION | {"amount": "2.00"}),
    "createGatewayConfig": (
        {"processor": "stripe", "currencies": ["BRL"], "secret_key": "sk_test_51Mexample"},
        {"processor": "stripe", "currencies": ["USD"], "secret_key": "sk_test_51Mexample"},
    ),
    "rotateGatewayKeys": ({"webhook_secret": "whsec_example1"}, {"webhook_secret": "whsec_example2"}),
    "createSetupIntent": ({"currency": "BRL"}, {"currency": "USD"}),
    "postLedgerEntries": ({"entries": [ENTRY], "mode": "atomic"}, None),
    "proposeLedgerEntries": ({"reason": "x", "entries": [ENTRY]}, None),
    "approveProposal": ({"reason": "one"}, {"reason": "two"}),
    "rejectProposal": ({"reason": "one"}, {"reason": "two"}),
    "putLedgerSettings": ({"manual_entries_need_approval": True}, {"manual_entries_need_approval": False}),
    "proposePolicyChange": ({"reason": "x", "rules": []}, {"reason": "y", "rules": []}),
    "approvePolicyChange": ({"reason": "one"}, {"reason": "two"}),
    "rejectPolicyChange": ({"reason": "one"}, {"reason": "two"}),
    "createImportSource": (SOURCE, SOURCE | {"name": "Other"}),
    "replaceImportSource": (SOURCE, SOURCE | {"name": "Other"}),
    "startImport": (FILE, FILE | {"file_name": "b.csv"}),
    "startReconciliation": (WINDOW, WINDOW | {"dry_run": True}),
    "assignDiscrepancy": ({"assignee": "a@example.com"}, {"assignee": "b@example.com"}),
    "resolveDiscrepancy": ({"note": "one"}, {"note": "two"}),
    "ignoreDiscrepancy": ({"note": "one"}, {"note": "two"}),
    "reopenDiscrepancy": ({"note": "one"}, {"note": "two"}),
    "repairDiscrepancy": ({}, {"proposal_id": ID}),
    "closeReconciliationPeriod": ({"override_reason": "one"}, {"override_reason": "two"}),
    "decideDiscrepancies": ({"ids": [ID], "decision": "resolve"}, {"ids": [ID], "decision": "ignore"}),
    "putTenant": ({"name": "Acme", "plan": "pro", "region": "sa-east-1"}, None),
    "createUser": ({"email": "ana@example.com", "password": "a-long-password-of-one-person", "roles": ["sales"]}, None),
    "changeUser": ({"roles": ["ops"]}, None),
    "putRole": ({"description": "Looks at the books.", "permissions": ["ledger:read"]}, None),
    "putPolicy": ({"effect": "allow", "allowed_plans": [], "allowed_regions": []}, None),
    "putIdentityProvider": ({"issuer": "https://login.example.com", "client_id": "payments"}, None),
    "createApiKey": ({"name": "shop", "scopes": ["payments:read"]}, None),
    "rotateApiKey": ({"overlap_seconds": 60}, {"overlap_seconds": 61}),
    "setFeatureFlag": ({"is_enabled": True}, None),
    "putChaos": ({"enabled": False}, None),
    "changePassword": ({"password": "ops123", "new_password": "a-long-password-of-one-person"}, None),
    "createToken": ({"email": "ops@demo.example.com", "password": "ops123"}, None),
}
"""A body that is accepted and another one, by operation; any other operation reads none."""
PATHS = {"permission": "profile:read", "role": "CASH", "name": "audit_export", "month": "2026-10", "service": "ledger"}


class Owner:
    """The services that the api sends requests to: counts what it did, and can fail before or after doing it."""

    def __init__(self) -> None:
        self.done: list[Message] = []
        self.fails: Exception | None = None
        self.held: asyncio.Event | None = None
        self.reached = asyncio.Event()

    async def ask(self, message: Message) -> Any:
        """Do what is requested."""
        if not changes_something(message):
            return made(message.contract.reply)
        self.done.append(message)
        self.reached.set()
        if self.held is not None:
            await self.held.wait()
        if self.fails is not None:
            raise self.fails
        reply = made(message.contract.reply)
        if hasattr(reply, "secret"):
            reply = msgspec.structs.replace(reply, secret=SECRET)
        if isinstance(reply, ProposalAnswer):
            reply = msgspec.structs.replace(reply, proposal=made(Proposal))
        if isinstance(reply, Replay):
            reply = msgspec.structs.replace(reply, status="RUNNING")
        return reply


def changes_something(message: Message | type[Message]) -> bool:
    """Whether a request changes something, by its name."""
    kind = message if isinstance(message, type) else type(message)
    return not kind.__name__.startswith(("List", "Get", "Find", "Count", "Report"))


def made(kind: Any) -> Any:
    """One value of a type: what has a default has it, texts are `USD`."""
    return msgspec.convert(_plain(msgspec.inspect.type_info(kind)), kind, strict=False)


def _plain(info: Any) -> Any:
    match info:
        case msgspec.inspect.StructType():
            return {field.encode_name: _plain(field.type) for field in info.fields if field.required}
        case msgspec.inspect.UnionType():
            return _plain(next((t for t in info.types if not isinstance(t, msgspec.inspect.NoneType)), None))
        case msgspec.inspect.EnumType():
            return next(iter(info.cls)).value
        case msgspec.inspect.StrType():
            return "USD"
        case msgspec.inspect.UUIDType():
            return str(new_id())
        case msgspec.inspect.DateTimeType():
            return datetime(2026, 11, 1, tzinfo=UTC)
        case msgspec.inspect.DateType():
            return date(2026, 11, 1)
        case msgspec.inspect.DecimalType():
            return Decimal(1)
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return 1
        case msgspec.inspect.DictType():
            return {}
        case _:
            return []


class Write(msgspec.Struct, frozen=True):
    """One write route."""

    method: str
    path: str
    operation: str
    required: bool
    key: str
    asks: bool
    """Whether another service does it."""


def writes() -> list[Write]:
    """Every write of the application, from its own table of routes."""
    found = []
    for route in build(Settings()).app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if "declaration" not in handler.opt:
                # A page of the console, whose writes are calls of these.
                continue
            for method in sorted(handler.http_methods & WRITES):
                documented = handler.opt["declaration"]
                parts = [
                    PATHS.get(part[1:-1].split(":")[0], ID) if part.startswith("{") else part
                    for part in sorted(handler.paths)[0].split("/")
                ]
                found.append(
                    Write(
                        method,
                        "/".join(parts),
                        handler.operation_id,
                        documented.idempotent,
                        documented.key,
                        documented.change is not None,
                    )
                )
    # Litestar keeps the handlers of one path in no order; processes that share the tests must collect the same ones.
    return sorted(found, key=lambda write: write.operation)


ALL = writes()
OPTIONAL = [write for write in ALL if write.key == "optional"]
IN_LEDGER = {"postLedgerEntries", "proposeLedgerEntries"}
"""Whose keys the ledger keeps: the api hands them over."""
KEPT_HERE = [write for write in OPTIONAL if write.operation not in IN_LEDGER and write.asks]


@pytest.fixture(scope="module")
def owner() -> Owner:
    return Owner()


@pytest.fixture(scope="module")
async def api(api_database: TestDatabase, owner: Owner) -> AsyncIterator[Api]:
    settings = settings_for(api_database)
    await seed(settings)
    async with serving(api_database, settings, ask=owner.ask) as running:
        yield running


@pytest.fixture
async def client(api: Api, owner: Owner, tenant_id: str) -> Client:
    # An operator names a tenant that is there.
    member = api.client(tenant_id, roles=["admin"], perms=["profile:read"], plan="enterprise")
    assert (await member.call("GET", "/v1/feature-flags")).status == 200
    # What is saved is saved for a customer.
    sql = "INSERT INTO customers (tenant_id, id, reference, created_at, updated_at) VALUES ($1, $2, 'c', now(), now()) RETURNING 1"
    await api.database.write(sql, tenant_id, ID)
    owner.done.clear()
    owner.fails = owner.held = None
    owner.reached.clear()
    return root(api, tenant_id)


def root(api: Api, tenant_id: str) -> Client:
    """An administrator of the platform, who acts for a tenant."""
    return api.client(tenant_id, sub="root@platform", tid="*", roles=["admin"], perms=[])


async def send(client: Client, write: Write, *, key: str | None, other: bool = False) -> Answer:
    body = BODIES.get(write.operation, (None, {"other": 1}))[other]
    raw = None if body is None else json.dumps(body).encode()
    return await client.call(write.method, write.path, raw=raw, key=key)
