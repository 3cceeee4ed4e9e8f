"""The request messages of all services: in which order a tenant could send them, and the services that answer them in this process."""

import importlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from deploy.fake_stripe import running_fake_stripe
from deploy.local.servers import Servers
from libs.common.contracts import REGISTRY, Kind, Message
from libs.common.contracts.ledger_calendar import SetCalendar
from libs.common.messaging.requests import Reply, _refused
from libs.common.observability.correlation import Correlation, correlated
from libs.common.service import Service
from libs.common.settings import load
from tests.support.databases import SERVICES, TestDatabase
from tests.support.platform import service_environment

EXAMPLES, IDS = "00000000-0000-0000-0000-000000000002", "0190f3a4"
"""The tenant of the contracts' examples, and how the ids of things in them begin: both are made anew for each run."""
FIRST = (
    "accounts.open",
    "exchange_rates.record",
    "journal.post",
    "holds.place",
    "webhook_endpoints.register",
    "imports.put_source",
    "imports.start",
    "matching_rules.put",
    "reconciliation_runs.start",
)
"""What makes things that other requests are about."""
LAST = (
    "holds.capture",
    "imports.delete_source",
    "webhook_endpoints.delete",
    "journal.set_policy",
    "policy.propose",
    "policy.change",
    "policy.changes",
    "policy.approve",
    "policy.reject",
    "periods.close",
)
"""What ends them."""


def requests() -> list[type[Message]]:
    """Every request, in the order in which a tenant could send them."""

    def turn(kind: type[Message]) -> tuple[int, int]:
        name = kind.contract.name
        if name in FIRST:
            return 0, FIRST.index(name)
        return (2, LAST.index(name)) if name in LAST else (1, 0)

    return sorted((each for each in REGISTRY.values() if each.contract.kind is Kind.REQUEST), key=turn)


def dates_of(name: str, now: datetime) -> dict[str, str]:
    """What has to be before or after the present in a request, whose example has dates of one year."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    yesterday, month = today - timedelta(days=1), today.replace(day=1)
    # By the zone of the example of `calendar.set`, which is sent before.
    local = now.astimezone(ZoneInfo(SetCalendar.example["zone"]))
    month_of_calendar = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    dates: dict[str, dict[str, datetime]] = {
        "exchange_rates.record": {"effective_at": yesterday},
        "holds.place": {"expires_at": now + timedelta(days=1)},
        "periods.close": {"ends_before": month_of_calendar},
        "reconciliation_runs.start": {"window_from": yesterday, "window_until": today},
    }
    if name in {"reconciliation_periods.close", "reconciliation_periods.get"}:
        return {"month": f"{month - timedelta(days=1):%Y-%m}"}
    return {member: at.isoformat() for member, at in dates.get(name, {}).items()}


def body_of(kind: type[Message], *, tenant: str, ids: str, named: Mapping[str, Any]) -> bytes:
    """The example of a request, of another tenant, about other things; `named` are members that those requests have which have them."""
    body = json.loads(json.dumps(kind.example).replace(EXAMPLES, tenant).replace(IDS, ids))
    body |= {name: value for name, value in named.items() if name in body}
    if {"after", "until"} <= body.keys():
        body |= {"after": str(UUID(int=0)), "until": str(UUID(int=2**128 - 1))}
    return json.dumps(body | dates_of(kind.contract.name, datetime.now(UTC))).encode()


class Answering:
    """The four services, wired as they run, without a broker: a request is answered where it is sent."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}

    async def reply(self, kind: type[Message], body: bytes, *, tenant_id: str = "") -> Reply:
        """What the owner of a request replies."""
        answerer = self.services[kind.contract.owner].bus._answerer
        with correlated(Correlation(correlation_id="test", tenant_id=tenant_id)):
            return await answerer._reply(kind.contract.name, body)

    async def request(self, message: Message) -> Any:
        """Send a request of one service to another."""
        reply = await self.reply(type(message), message.encode())
        if reply.refusal is not None:
            raise _refused(reply.refusal)
        assert message.contract.reply is not None
        return msgspec.json.decode(reply.answer, type=message.contract.reply)


@asynccontextmanager
async def answering(servers: Servers, database: TestDatabase) -> AsyncIterator[Answering]:
    """Wire the four services over a database; what they ask each other is answered here too."""
    made = Answering()
    async with AsyncExitStack() as stack:
        stripe = await stack.enter_async_context(running_fake_stripe())
        environ = service_environment(servers, database, servers.rabbitmq_url) | {"STRIPE_API_BASE": stripe.url}
        for name in SERVICES:
            settings = importlib.import_module(f"services.{name}.settings").Settings
            service: Service = importlib.import_module(f"services.{name}.app").build(
                load(settings, service=name, environ=environ)
            )
            service.bus.request = made.request  # type: ignore[method-assign]  # the broker is not there
            await service.database.open()
            stack.push_async_callback(service.database.close)
            for opened in service._opens:
                await stack.enter_async_context(opened())
            made.services[name] = service
        yield made


_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?"), "<time>"),
    (re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}"), "<id>"),
    (re.compile(r"(whsec|whpk)_[\w+/=-]+"), "<secret>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<digest>"),
)


def comparable(reply: Reply, *, tenant: str, ids: str) -> Any:
    """A reply without what differs between two tenants who send the same."""
    text = msgspec.json.encode(reply).decode().replace(tenant, "<tenant>").replace(ids, IDS)
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return json.loads(text)
