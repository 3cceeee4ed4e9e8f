"""A new master key takes over: everything that the earlier one sealed is sealed anew, and then it can be removed."""

import base64
import os
from collections.abc import Sequence
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from standardwebhooks import Webhook

from libs.common.contracts.notifier import RegisterEndpoint, RotateSecret, WebhookEndpoint
from libs.common.ids import new_id
from services.notifier.deliveries.workers import Courier
from services.notifier.endpoints import Resealer, endpoint_workers
from services.notifier.endpoints import commands as endpoint_commands
from services.notifier.endpoints import sql as endpoint_sql
from services.notifier.sending import EndpointSecrets
from tests.integration.notifier.conftest import RULES, SETTINGS, Notifier, Receiver
from tests.support.waiting import until

OWN = {"X-Own": "t0p-secret"}


def new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


async def register(
    notifier: Notifier, tenant_id: str, url: str, ring: EndpointSecrets, *, is_rotated: bool = False
) -> WebhookEndpoint:
    """Register an endpoint, with headers and optionally with a retired secret, under a key ring of one's own."""
    request = RegisterEndpoint(
        tenant_id=tenant_id, endpoint_id=new_id(), url=url, events=["*"], headers=OWN, has_public_key=True
    )
    made = await endpoint_commands.register_endpoint(
        notifier.database, request, rules=RULES, secrets=ring, clock=notifier.clock
    )
    if is_rotated:
        rotation = RotateSecret(tenant_id=tenant_id, endpoint_id=made.id, overlap_seconds=86_400)
        await endpoint_commands.rotate_secret(notifier.database, rotation, secrets=ring, clock=notifier.clock)
    return made


def courier(notifier: Notifier, ring: EndpointSecrets) -> Courier:
    return Courier(
        database=notifier.database,
        sender=notifier.sender,
        secrets=ring,
        policy=notifier.policy,
        settings=SETTINGS,
        clock=notifier.clock,
    )


async def outdated(notifier: Notifier, ring: EndpointSecrets) -> int:
    async with notifier.database.connection() as connection:
        return await endpoint_sql.count_outdated(connection, key_id=ring.current_id)


async def test_after_resealing_both_secrets_sign_without_the_earlier_key(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    old, new = new_key(), new_key()
    endpoint = await register(notifier, tenant_id, receiver.url, EndpointSecrets(old), is_rotated=True)
    deleted = await register(notifier, tenant_id, receiver.url, EndpointSecrets(old))
    await notifier.delete(tenant_id, deleted.id)
    fresh = await register(notifier, tenant_id + "-other", receiver.url, EndpointSecrets(new))
    before = await notifier.database.fetchrow("SELECT w FROM webhook_endpoints AS w WHERE id = $1", fresh.id)
    both = EndpointSecrets(new, [old])
    assert await outdated(notifier, both) == 2
    await Resealer(database=notifier.database, secrets=both).run()
    assert await outdated(notifier, both) == 0
    assert REGISTRY.get_sample_value("webhook_secrets_outdated") == 0
    # What was under the newest key already is not touched.
    assert await notifier.database.fetchrow("SELECT w FROM webhook_endpoints AS w WHERE id = $1", fresh.id) == before
    await notifier.handle(notifier.event(tenant_id))
    async with notifier.delivering(courier(notifier, EndpointSecrets(new))):
        await notifier.attempted(tenant_id, endpoint.id, times=1)
    (request,) = receiver.received
    assert request.headers["X-Own"] == "t0p-secret"
    # The first secret was rotated, and within its overlap still verifies.
    assert endpoint.secret is not None
    Webhook(endpoint.secret).verify(request.body, request.headers)
    assert [part.split(",")[0] for part in request.headers["webhook-signature"].split(" ")] == ["v1", "v1a"] * 2


async def test_secrets_are_sealed_again_as_the_process_starts(notifier: Notifier) -> None:
    workers = {
        worker.name: worker for worker in endpoint_workers(notifier.database, secrets=EndpointSecrets(new_key()))
    }
    assert workers["resealer"].is_due_at_start


class Interrupted(EndpointSecrets):
    """Secrets of endpoints whose process ends after it has sealed so much again."""

    def __init__(self, current: str, previous: Sequence[str], *, after: int) -> None:
        super().__init__(current, previous)
        self._left = after

    def reseal(self, sealed: bytes, *, tenant_id: str, owner_id: UUID) -> bytes:
        if not self._left:
            raise RuntimeError("the process ends")
        self._left -= 1
        return super().reseal(sealed, tenant_id=tenant_id, owner_id=owner_id)


async def test_resealing_that_is_interrupted_goes_on_where_it_ended(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    old, new = new_key(), new_key()
    for number in range(5):
        await register(notifier, f"{tenant_id}-{number}", receiver.url, EndpointSecrets(old))
    both = EndpointSecrets(new, [old])
    with pytest.raises(RuntimeError, match="the process ends"):
        # Each endpoint has a secret and headers: the end comes in the middle of the fourth.
        await endpoint_commands.reseal_secrets(notifier.database, secrets=Interrupted(new, [old], after=7), batch=2)
    # The first batch stays, the second is undone as a whole.
    assert await outdated(notifier, both) == 3
    result = await endpoint_commands.reseal_secrets(notifier.database, secrets=both, batch=2)
    assert (result.done, result.left, result.unreadable) == (3, 0, ())


async def test_a_secret_whose_key_is_lost_stays_as_it_is_and_is_counted(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    lost, old, new = new_key(), new_key(), new_key()
    broken = await register(notifier, tenant_id, receiver.url, EndpointSecrets(lost))
    await register(notifier, tenant_id, receiver.url, EndpointSecrets(old))
    result = await endpoint_commands.reseal_secrets(notifier.database, secrets=EndpointSecrets(new, [old]))
    assert (result.done, result.left, result.unreadable) == (1, 1, (broken.id,))
    # With the key back in the ring it is not lost.
    result = await endpoint_commands.reseal_secrets(notifier.database, secrets=EndpointSecrets(new, [old, lost]))
    assert (result.done, result.left) == (1, 0)


async def test_resealing_and_delivering_at_once_hinder_nobody(
    notifier: Notifier, receiver: Receiver, tenant_id: str
) -> None:
    old, new = new_key(), new_key()
    both = EndpointSecrets(new, [old])
    made = [
        await register(notifier, tenant_id, f"{receiver.url}/{number}", EndpointSecrets(old)) for number in range(10)
    ]
    async with notifier.delivering(courier(notifier, both)):
        for _ in range(5):
            await notifier.handle(notifier.event(tenant_id))
            await endpoint_commands.reseal_secrets(notifier.database, secrets=both)

        async def delivered() -> bool:
            found: list[tuple[UUID, str]] = [
                (endpoint.id, delivery.status)
                for endpoint in made
                for delivery in await notifier.deliveries(tenant_id, endpoint.id)
            ]
            return len(found) == 50 and {status for _, status in found} == {"DELIVERED"}

        await until(delivered)
    assert await outdated(notifier, both) == 0
