"""Each consumer of the four services, by messages that are shuffled, doubled and late, comes to the state that their order makes.

A story is handled in its order once, and then in orders that hypothesis draws, some of it twice, alone and in packs; what came
too early comes again. No message is a dead letter, and what the services have of the tenant is the same.
"""

import json
import random
import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deploy.local.servers import Servers
from libs.common.contracts import Kind, handled_by
from services.api.audit.consumers import AuditConsumers
from services.api.reconciliation.consumers import ReconciliationConsumers
from services.gateway.customers import CustomerConsumers, Saving
from services.notifier.deliveries import DeliveryConsumers
from services.notifier.deliveries.domain import RetryPolicy
from services.notifier.settings import WebhookSettings
from tests.proof.post import Letter
from tests.proof.world import Registration, World, open_world
from tests.support.databases import SERVICES
from tests.support.stories import STORIES, Story, Telling

pytestmark = pytest.mark.long

ORDERS = 4
"""Orders in which each story is handled beside its own."""
ROUNDS_MAX = 30
"""How often what came too early comes again at most."""
APART = {"inbox", "outbox", "outbox_published", "outbox_refused", "idempotency_keys", "payment_intent_events", "sweeps"}
"""Tables of messages, of requests, and of what was seen when."""
VOLATILE = {
    *("version", "sequence", "position", "chain", "seq", "asks", "fence", "attempts_before"),
    *("debits_after_minor", "credits_after_minor"),
}
"""Columns that count, or say what stood there just then."""
NAMES = re.compile(r"tenant-[0-9a-f]{12}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{24,32}")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+(?:\+00:00|Z)")
BYTES = re.compile(r"\\\\x[0-9a-f]+")
_TABLES = """
SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
 WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""


def more_consumers(world: World) -> Sequence[Registration]:
    """Those that the world has not, since they concern no payment."""
    gateway, notifier = world.databases["gateway"], world.databases["notifier"]
    saving = Saving(gateway, accounts=world.processors, vault_of=_no_vault, clock=world.clock)
    policy = RetryPolicy.of(WebhookSettings())
    deliveries = DeliveryConsumers(notifier, policy=policy, ordering_wait=timedelta(minutes=1), clock=world.clock)
    return (
        ("api", AuditConsumers().register),
        ("api", ReconciliationConsumers().register),
        ("gateway", CustomerConsumers(saving, database=gateway, clock=world.clock).register),
        ("notifier", deliveries.register),
    )


def _no_vault(_: str) -> Any:
    raise AssertionError("nothing is saved in these stories")


@pytest.fixture(scope="module")
async def world(servers: Servers) -> AsyncIterator[World]:
    async with open_world(servers, more=more_consumers) as opened:
        yield opened


async def state_of(telling: Telling) -> dict[str, list[str]]:
    """What the service has of a tenant, without what counts, when it was written, and ids that are made up."""
    service, names = telling.story.service, {str(own): f"<{example}>" for example, own in telling.ids.items()}
    names[telling.tenant_id] = "<tenant>"
    eyes, found = telling.world.eyes, {}
    for row in await eyes.fetch(_TABLES, service):
        table = row["relname"]
        if table not in APART or (table == "outbox" and telling.story.is_published):
            rows = await eyes.fetch(
                f"SELECT to_jsonb(t)::text FROM {service}.{table} AS t WHERE tenant_id = $1", telling.tenant_id
            )
            found[table] = sorted(_plain(each[0], names) for each in rows)
    return {table: rows for table, rows in found.items() if rows}


def _plain(row: str, names: dict[str, str]) -> str:
    kept = {name: value for name, value in json.loads(row).items() if name not in VOLATILE}
    text = NAMES.sub(lambda found: names.get(found[0], "<id>"), json.dumps(kept, sort_keys=True))
    return BYTES.sub("<bytes>", INSTANT.sub("<instant>", text))


async def handled_in(
    telling: Telling, packs: Sequence[Sequence[Letter]], chance: random.Random
) -> dict[str, list[str]]:
    """Handle packs one after the other, and what comes again; returns the state."""
    post = telling.world.post
    for pack in packs:
        await post.hand([pack])
    for _ in range(ROUNDS_MAX):
        if not post.bag:
            break
        await post.deliver(chance, share=0.7, doubled=0.1)
    assert post.dead == []
    assert not post.bag, "too early for ever"
    return await state_of(telling)


@pytest.mark.sampled(by=lambda given: given["story"].service, each=2)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: f"{story.service}: {story.name}")
@settings(
    max_examples=ORDERS,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_story_in_any_order_makes_the_state_of_its_own(world: World, story: Story, data: st.DataObject) -> None:
    first, other = Telling(world, story), Telling(world, story)
    await first.begin()
    expected = await handled_in(first, [[letter] for letter in first.letters()], random.Random(0))
    assert expected
    places = list(range(len(story.steps)))
    again = data.draw(st.lists(st.sampled_from(places), max_size=len(places)), label="doubled")
    order = data.draw(st.permutations([*places, *again]), label="order")
    chance = random.Random(data.draw(st.integers(0, 2**31), label="when what was too early comes again"))
    await other.begin()
    letters = other.letters()
    assert await handled_in(other, [[letters[place]] for place in order], chance) == expected


@pytest.mark.parametrize("service", SERVICES)
def test_every_message_of_a_service_is_in_a_story(service: str) -> None:
    kinds = {kind for story in STORIES if story.service == service for kind in story.kinds}
    handled = {
        kind for kind in handled_by(service) if kind.contract.kind is not Kind.REQUEST and not kind.contract.broadcast
    }
    assert kinds == handled, "add the new message to a story in tests/support/stories.py"
