"""What do we hear? Every public event of the api, and the api's requests about endpoints and deliveries."""

from collections.abc import Sequence

from libs.common.clock import Clock
from libs.common.contracts import PublicEvent, heard_by
from libs.common.contracts.notifier import (
    Deleted,
    DeleteEndpoint,
    DeliveryPage,
    EndpointList,
    ListDeliveries,
    ListEndpoints,
    RegisterEndpoint,
    WebhookEndpoint,
)
from libs.common.db import Connection, Database
from libs.common.messaging import Bus, Heard
from services.notifier import commands, queries
from services.notifier.commands import EndpointRules, SecretMint
from services.notifier.schedule import RetryPolicy


def register(
    bus: Bus,
    *,
    database: Database,
    policy: RetryPolicy,
    rules: EndpointRules,
    secrets: SecretMint,
    clock: Clock,
) -> None:
    """Say what is done about each message."""

    async def on_public_event(tx: Connection, heard: Sequence[Heard[PublicEvent]]) -> None:
        await commands.schedule(tx, heard, policy=policy, clock=clock)

    async def on_register_endpoint(request: RegisterEndpoint) -> WebhookEndpoint:
        return await commands.register_endpoint(database, request, rules=rules, secrets=secrets, clock=clock)

    async def on_delete_endpoint(request: DeleteEndpoint) -> Deleted:
        return await commands.delete_endpoint(database, request, clock=clock)

    async def on_list_endpoints(request: ListEndpoints) -> EndpointList:
        return await queries.list_endpoints(database, request)

    async def on_list_deliveries(request: ListDeliveries) -> DeliveryPage:
        return await queries.list_deliveries(database, request)

    # Merchants may hear of every public event, so a new one needs no line here.
    for kind in heard_by("notifier"):
        if issubclass(kind, PublicEvent):
            bus.hear(kind, on_public_event)
    bus.answer(RegisterEndpoint, on_register_endpoint)
    bus.answer(DeleteEndpoint, on_delete_endpoint)
    bus.answer(ListEndpoints, on_list_endpoints)
    bus.answer(ListDeliveries, on_list_deliveries)
