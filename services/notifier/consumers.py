"""What do we hear? Every public event, and the api's requests about endpoints, deliveries and replays."""

from collections.abc import Sequence
from datetime import timedelta

from libs.common.clock import Clock
from libs.common.contracts import PublicEvent, heard_by
from libs.common.contracts.notifier import (
    CancelReplay,
    ChangeEndpoint,
    Deleted,
    DeleteEndpoint,
    DeliveryPage,
    EndpointList,
    GetEndpoint,
    GetReplay,
    ListDeliveries,
    ListEndpoints,
    RegisterEndpoint,
    Replay,
    RotateSecret,
    SendTestEvent,
    StartReplay,
    TestSent,
    WebhookEndpoint,
)
from libs.common.db import Connection, Database
from libs.common.messaging import Bus, Heard
from services.notifier import commands, queries
from services.notifier.commands import EndpointRules, SecretMint
from services.notifier.schedule import HealthPolicy, RetryPolicy


def register(
    bus: Bus,
    *,
    database: Database,
    policy: RetryPolicy,
    health: HealthPolicy,
    ordering_wait: timedelta,
    rules: EndpointRules,
    secrets: SecretMint,
    clock: Clock,
) -> None:
    """Say what is done about each message."""

    async def on_public_event(tx: Connection, heard: Sequence[Heard[PublicEvent]]) -> None:
        await commands.schedule(tx, heard, policy=policy, clock=clock, ordering_wait=ordering_wait)

    async def on_register_endpoint(request: RegisterEndpoint) -> WebhookEndpoint:
        return await commands.register_endpoint(database, request, rules=rules, secrets=secrets, clock=clock)

    async def on_change_endpoint(request: ChangeEndpoint) -> WebhookEndpoint:
        return await commands.change_endpoint(database, request, rules=rules, secrets=secrets, clock=clock)

    async def on_rotate_secret(request: RotateSecret) -> WebhookEndpoint:
        return await commands.rotate_secret(database, request, secrets=secrets, clock=clock)

    async def on_send_test_event(request: SendTestEvent) -> TestSent:
        return await commands.send_test_event(database, request, clock=clock)

    async def on_delete_endpoint(request: DeleteEndpoint) -> Deleted:
        return await commands.delete_endpoint(database, request, clock=clock)

    async def on_start_replay(request: StartReplay) -> Replay:
        return await commands.start_replay(database, request, clock=clock)

    async def on_cancel_replay(request: CancelReplay) -> Replay:
        return await commands.cancel_replay(database, request, clock=clock)

    async def on_get_replay(request: GetReplay) -> Replay:
        return await queries.get_replay(database, request)

    async def on_get_endpoint(request: GetEndpoint) -> WebhookEndpoint:
        return await queries.get_endpoint(database, request, policy=health, clock=clock)

    async def on_list_endpoints(request: ListEndpoints) -> EndpointList:
        return await queries.list_endpoints(database, request)

    async def on_list_deliveries(request: ListDeliveries) -> DeliveryPage:
        return await queries.list_deliveries(database, request)

    # Merchants may hear of every public event, so a new one needs no line here.
    for kind in heard_by("notifier"):
        if issubclass(kind, PublicEvent):
            bus.hear(kind, on_public_event)
    bus.answer(RegisterEndpoint, on_register_endpoint)
    bus.answer(ChangeEndpoint, on_change_endpoint)
    bus.answer(RotateSecret, on_rotate_secret)
    bus.answer(SendTestEvent, on_send_test_event)
    bus.answer(DeleteEndpoint, on_delete_endpoint)
    bus.answer(StartReplay, on_start_replay)
    bus.answer(CancelReplay, on_cancel_replay)
    bus.answer(GetReplay, on_get_replay)
    bus.answer(GetEndpoint, on_get_endpoint)
    bus.answer(ListEndpoints, on_list_endpoints)
    bus.answer(ListDeliveries, on_list_deliveries)
