"""Every write honours its `Idempotency-Key` or refuses it, and what another service is to do leaves its intention."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from importlib import import_module
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from libs.common.contracts import Message
from libs.common.contracts.ledger_books import PlaceHold
from libs.common.contracts.ledger_journal import PostEntries, Proposal, ProposalAnswer, ProposeEntries
from libs.common.contracts.notifier import RegisterEndpoint, Replay, SendTestEvent
from libs.common.errors import Conflict, Unavailable
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
BODIES: dict[str, tuple[Any, Any]] = {
    "createWebhook": ({"url": "https://a.example/x", "events": ["*"]}, {"url": "https://b.example/x", "events": ["*"]}),
    "changeWebhook": ({"description": "one"}, {"description": "two"}),
    "rotateWebhookSecret": ({"overlap_seconds": 60}, {"overlap_seconds": 61}),
    "replayWebhook": ({"outcomes": ["failed"]}, {"outcomes": ["missing"]}),
    "placeHold": (HOLD, HOLD | {"amount": "2.00"}),
    "captureHold": ({"amount": "1.00"}, {"amount": "2.00"}),
    "closePeriod": ({"ends_before": "2026-11-01"}, {"ends_before": "2026-10-01"}),
    "createAccount": (
        {"code": "FEES", "label": "Fees", "account_type": "EXPENSE"},
        {"code": "FEES", "label": "Other", "account_type": "EXPENSE"},
    ),
    "putAccountRole": ({"account": "CASH"}, {"account": "BANK"}),
    "recordExchangeRate": (RATE, RATE | {"rate": "5.4322"}),
    "convertAmount": ({"amount": "1.00", "from_currency": "USD", "to_currency": "BRL"}, None),
    "createConversion": (CONVERSION, CONVERSION | {"amount": "2.00"}),
    "createGatewayConfig": (
        {"processor": "stripe", "currencies": ["BRL"], "secret_key": "sk_test_51Mexample"},
        {"processor": "stripe", "currencies": ["USD"], "secret_key": "sk_test_51Mexample"},
    ),
    "rotateGatewayKeys": ({"webhook_secret": "whsec_example1"}, {"webhook_secret": "whsec_example2"}),
    "postLedgerEntries": ({"entries": [ENTRY], "mode": "atomic"}, None),
    "proposeLedgerEntries": ({"reason": "x", "entries": [ENTRY]}, None),
    "approveProposal": ({"reason": "one"}, {"reason": "two"}),
    "rejectProposal": ({"reason": "one"}, {"reason": "two"}),
    "putLedgerSettings": ({"manual_entries_need_approval": True}, {"manual_entries_need_approval": False}),
    "setFeatureFlag": ({"is_enabled": True}, None),
    "putChaos": ({"enabled": False}, None),
    "createToken": ({"email": "ops@demo.example.com", "password": "ops123"}, None),
}
"""A body that is accepted and another one, by operation; any other operation reads none."""
PATHS = {"role": "CASH", "name": "audit_export"}


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


def writes() -> list[Write]:
    """Every write of the application, from its own table of routes."""
    found = []
    for route in build(Settings()).app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(handler.http_methods & WRITES):
                documented = handler.opt["declaration"]
                parts = [
                    PATHS.get(part[1:-1].split(":")[0], ID) if part.startswith("{") else part
                    for part in sorted(handler.paths)[0].split("/")
                ]
                found.append(
                    Write(method, "/".join(parts), handler.operation_id, documented.idempotent, documented.key)
                )
    # Litestar keeps the handlers of one path in no order; processes that share the tests must collect the same ones.
    return sorted(found, key=lambda write: write.operation)


ALL = writes()
OPTIONAL = [write for write in ALL if write.key == "optional"]
IN_LEDGER = {"postLedgerEntries", "proposeLedgerEntries"}
"""Whose keys the ledger keeps: the api hands them over."""
KEPT_HERE = [write for write in OPTIONAL if write.operation not in IN_LEDGER]


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


def test_every_write_says_what_it_does_with_a_key() -> None:
    assert len(ALL) >= 29
    assert [write.operation for write in ALL if not write.required and write.key not in ("optional", "refused")] == []


@pytest.mark.parametrize("write", [w for w in ALL if w.required], ids=lambda w: w.operation)
async def test_write_that_requires_a_key_is_refused_without_one(client: Client, write: Write) -> None:
    body = {"amount": "1.00", "currency": "BRL", "customer_ref": "c"} if write.operation.startswith("create") else {}
    answer = await client.call(write.method, write.path, body)
    assert (answer.status, answer.json["code"]) == (400, "idempotency_key_missing")


@pytest.mark.parametrize("write", [w for w in ALL if w.key == "refused"], ids=lambda w: w.operation)
async def test_write_that_takes_no_key_refuses_one(api: Api, client: Client, owner: Owner, write: Write) -> None:
    answer = await send(client, write, key="k")
    assert (answer.status, answer.json["code"]) == (400, "idempotency_key_refused")
    assert owner.done == []


@pytest.mark.parametrize("write", KEPT_HERE, ids=lambda w: w.operation)
async def test_key_is_honoured(api: Api, client: Client, owner: Owner, tenant_id: str, write: Write) -> None:
    owner.held = asyncio.Event()
    first = asyncio.create_task(send(client, write, key="k"))
    async with asyncio.timeout(60):
        await owner.reached.wait()
    meanwhile = await send(client, write, key="k")
    assert (meanwhile.status, meanwhile.json["code"]) == (409, "idempotency_in_progress")
    assert int(meanwhile.headers["Retry-After"]) > 0
    owner.held.set()
    answer = await first
    assert answer.status < 300, answer.raw
    assert "Idempotency-Replayed" not in answer.headers
    again = await send(client, write, key='"k"')
    assert (again.status, again.headers["Idempotency-Replayed"]) == (answer.status, "true")
    assert again.raw == answer.raw.replace(f',"secret":"{SECRET}"'.encode(), b"")
    other = await send(client, write, key="k", other=True)
    # A write without a body may refuse one as such.
    assert other.status == 422
    assert other.json["code"] == "idempotency_key_reused" or write.operation not in BODIES
    malformed = await send(client, write, key="k k")
    assert (malformed.status, malformed.json["code"]) == (400, "idempotency_key_invalid")
    assert len(owner.done) == 1
    kept = await api.database.fetch(
        "SELECT convert_from(response_body, 'UTF8') AS body FROM idempotency_keys WHERE tenant_id = $1", tenant_id
    )
    assert len(kept) == 1 and SECRET not in kept[0]["body"]


@pytest.mark.parametrize("write", KEPT_HERE, ids=lambda w: w.operation)
async def test_lost_reply_is_requested_again_with_the_same_id(client: Client, owner: Owner, write: Write) -> None:
    owner.fails = Unavailable("the owner does not answer")
    lost = await send(client, write, key="k")
    assert lost.status == 503
    owner.fails = None
    answer = await send(client, write, key="k")
    assert answer.status < 300
    assert len(owner.done) == 2
    assert owner.done[0] == owner.done[1]
    other = await send(client, write, key="k", other=True)
    # A write without a body may refuse one as such.
    assert other.status == 422
    assert other.json["code"] == "idempotency_key_reused" or write.operation not in BODIES


async def test_refusal_does_not_use_a_key_up(client: Client, owner: Owner) -> None:
    write = next(w for w in KEPT_HERE if w.operation == "createWebhook")
    owner.fails = Conflict("no", code="webhook_endpoint_conflict")
    assert (await send(client, write, key="k")).status == 409
    owner.fails = None
    assert (await send(client, write, key="k", other=True)).status == 201


@pytest.mark.parametrize("too_large", [0, 1])
async def test_answer_that_is_too_large_to_keep_leaves_its_key_free(
    client: Client, owner: Owner, monkeypatch: pytest.MonkeyPatch, too_large: int
) -> None:
    write = next(w for w in KEPT_HERE if w.operation == "placeHold")
    size = len(msgspec.json.encode(made(PlaceHold.contract.reply)))
    monkeypatch.setattr(import_module("services.api.idempotency.requests"), "_ANSWER_BYTES_MAX", size - too_large)
    answers = [await send(client, write, key="k") for _ in range(2)]
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None, None if too_large else "true"]
    assert len(owner.done) == 1 + too_large


async def test_without_a_key_each_request_creates(client: Client, owner: Owner) -> None:
    for operation in ("createWebhook", "testWebhook"):
        write = next(w for w in KEPT_HERE if w.operation == operation)
        owner.done.clear()
        assert [(await send(client, write, key=None)).status < 300 for _ in range(2)] == [True, True]
        ids = {_minted(message) for message in owner.done}
        assert len(ids) == 2


def _minted(message: Message) -> UUID | None:
    if isinstance(message, RegisterEndpoint):
        return message.endpoint_id
    assert isinstance(message, SendTestEvent)
    return message.event_id


async def test_keys_that_the_ledger_keeps_are_handed_over(client: Client, owner: Owner) -> None:
    for write in OPTIONAL:
        if write.operation in IN_LEDGER:
            owner.done.clear()
            await send(client, write, key="mine")
            (message,) = owner.done
            assert isinstance(message, PostEntries | ProposeEntries)
            assert message.key == "mine"


class Outcome(StrEnum):
    """What the audit log has of a request."""

    REQUESTED = "requested"
    SUCCESS = "success"
    FAILED = "failed"
    UNKNOWN = "unknown"


async def audited(api: Api, tenant_id: str) -> list[tuple[str, str]]:
    rows = await api.database.fetch(
        "SELECT outcome, coalesce(detail->>'reason', '') AS reason FROM audit_log WHERE tenant_id = $1 "
        "AND outcome <> 'denied' ORDER BY id",
        tenant_id,
    )
    return [(row["outcome"], row["reason"]) for row in rows]


@pytest.mark.parametrize("operation", ["deleteWebhook", "putLedgerSettings", "approveProposal", "placeHold"])
async def test_missing_reply_leaves_a_line_that_says_so(
    api: Api, client: Client, owner: Owner, tenant_id: str, operation: str
) -> None:
    write = next(w for w in ALL if w.operation == operation)
    owner.fails = Unavailable("the owner does not answer")
    assert (await send(client, write, key=None)).status == 503
    assert await audited(api, tenant_id) == [(Outcome.REQUESTED, ""), (Outcome.UNKNOWN, "unavailable")]


async def test_done_and_refused_requests_have_both_lines(
    api: Api, client: Client, owner: Owner, tenant_id: str
) -> None:
    write = next(w for w in ALL if w.operation == "deleteWebhook")
    assert (await send(client, write, key=None)).status == 204
    owner.fails = Conflict("no", code="webhook_endpoint_conflict")
    assert (await send(client, write, key=None)).status == 409
    assert await audited(api, tenant_id) == [
        (Outcome.REQUESTED, ""),
        (Outcome.SUCCESS, ""),
        (Outcome.REQUESTED, ""),
        (Outcome.FAILED, "webhook_endpoint_conflict"),
    ]
    listed = await root(api, tenant_id).call("GET", "/v1/audit?outcome=requested")
    assert [line["outcome"] for line in listed.json["data"]] == ["requested", "requested"]


async def test_outcome_that_the_log_does_not_take_denies_nothing(
    api: Api, api_database: TestDatabase, client: Client, owner: Owner, tenant_id: str
) -> None:
    admin = await asyncpg.connect(api_database.admin_url)
    rule = "ALTER TABLE api.audit_log ADD CONSTRAINT no_success CHECK (outcome <> 'success') NOT VALID"
    await admin.execute(rule)
    try:
        for operation in ("deleteWebhook", "putLedgerSettings"):
            write = next(w for w in ALL if w.operation == operation)
            assert (await send(client, write, key=None)).status < 300
    finally:
        await admin.execute("ALTER TABLE api.audit_log DROP CONSTRAINT no_success")
        await admin.close()
    assert await audited(api, tenant_id) == [(Outcome.REQUESTED, "")] * 2
    assert len(owner.done) == 2


async def test_without_a_log_of_the_intention_nothing_is_requested(
    api: Api, api_database: TestDatabase, client: Client, owner: Owner, tenant_id: str
) -> None:
    admin = await asyncpg.connect(api_database.admin_url)
    await admin.execute("ALTER TABLE api.audit_log ADD CONSTRAINT none CHECK (outcome <> 'requested') NOT VALID")
    try:
        write = next(w for w in ALL if w.operation == "deleteWebhook")
        assert (await send(client, write, key=None)).status >= 500
    finally:
        await admin.execute("ALTER TABLE api.audit_log DROP CONSTRAINT none")
        await admin.close()
    assert owner.done == []
