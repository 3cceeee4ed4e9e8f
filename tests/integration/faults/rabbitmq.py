"""Ways in which RabbitMQ may be sick or hang up."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from deploy.local.native import rabbitmq
from tests.integration.faults.rig import Rig

CLOSE_CONNECTIONS = '[rabbit_networking:close_connection(P, "by a test") || P <- rabbit_networking:connections()]'
KILL_CHANNELS = "[exit(P, kill) || P <- rabbit_channel:list()]"


@asynccontextmanager
async def _alarm(rig: Rig, resource: str) -> AsyncIterator[None]:
    alarm = f"{{resource_limit, {resource}, node()}}"
    rabbitmq.evaluate(rig.rabbitmq, f"rabbit_alarm:set_alarm({{{alarm}, []}})")
    try:
        yield
    finally:
        rabbitmq.evaluate(rig.rabbitmq, f"rabbit_alarm:clear_alarm({alarm})")


def memory_alarm(rig: Rig) -> AbstractAsyncContextManager[None]:
    return _alarm(rig, "memory")


def disk_alarm(rig: Rig) -> AbstractAsyncContextManager[None]:
    return _alarm(rig, "disk")


@asynccontextmanager
async def login_refused(rig: Rig) -> AsyncIterator[None]:
    def change(password: str) -> None:
        rabbitmq.evaluate(
            rig.rabbitmq,
            f'rabbit_auth_backend_internal:change_password(<<"guest">>, <<"{password}">>, <<"by a test">>)',
        )

    change("another")
    rabbitmq.evaluate(rig.rabbitmq, CLOSE_CONNECTIONS)
    try:
        yield
    finally:
        change("guest")
