"""What a payment costs, in counts that are the same on every machine: a budget for each, so that none grows unseen.

A budget that is exceeded is raised here only with its reason in `docs/performance.md`; one that is not needed any more
is lowered. `just bench` counts the same over HTTP, with the couriers and under load.
"""

from deploy.local.servers import Servers
from tests.support.payment_costs import PAYMENTS, counted

ROWS = {
    "api.audit_log": 2,
    "api.idempotency_keys": 2,
    "api.inbox": 3,
    "api.outbox": 12,
    "api.outbox_published": 6,
    "api.payment_intent_events": 6,
    "api.payment_intents": 5,
    "gateway.attempts": 4,
    "gateway.outbox": 4,
    "gateway.outbox_published": 2,
    "gateway.sandbox_payments": 2,
    "ledger.claims": 1,
    "ledger.inbox": 2,
    "ledger.journal_entries": 1,
    "ledger.outbox": 2,
    "ledger.outbox_published": 1,
    "ledger.postings": 2,
    "notifier.deliveries": 1,
    "notifier.inbox": 4,
    "notifier.messages": 1,
}
"""Rows that are inserted, updated and deleted for each payment, by table; the attempt at its webhook is not among them."""
ALONE = {"create": 1, "confirm": 1}
"""Statements for each request of a client, without the wait for the answer."""
TOGETHER = {
    "api": {"handle": 15, "publish": 15},
    "gateway": {"handle": 24, "publish": 8},
    "ledger": {"handle": 15, "publish": 7},
    "notifier": {"handle": 17, "publish": 10},
}
"""Statements at most, BEGIN and COMMIT among them, for all payments together, which move in packs."""
PUBLIC_EVENTS = 4
"""AMQP messages for each payment: other teams get theirs one by one."""
PACKS = {"api": 7, "gateway": 3, "ledger": 1}
"""AMQP messages for all payments together, however many they are up to a hundred."""
BYTES = {"api": 4700, "gateway": 1250, "ledger": 500}
"""Bytes of bodies for each payment at most, by who publishes."""


async def test_a_payment_stays_within_what_it_may_cost(servers: Servers) -> None:
    async with counted(servers) as (world, costs):
        settled = await world.eyes.fetchval("SELECT count(*) FROM api.payment_intents WHERE status = 'SETTLED'")
    assert settled == PAYMENTS
    assert {name: found.written / PAYMENTS for name, found in costs.rows.items()} == ROWS
    assert {what: costs.statements["api"].pop(what) / PAYMENTS for what in ALONE} == ALONE
    beyond = {
        (service, what, count)
        for service, counts in costs.statements.items()
        for what, count in counts.items()
        if count > TOGETHER[service][what]
    }
    assert beyond == set()
    assert costs.messages == PACKS | {"api": PACKS["api"] + PUBLIC_EVENTS * PAYMENTS}
    assert {service for service, count in costs.bytes.items() if count > BYTES[service] * PAYMENTS} == set()
