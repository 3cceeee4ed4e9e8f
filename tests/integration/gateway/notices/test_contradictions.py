"""Events of one second, in any order: what they are about decides, read as it stands; a clock of seconds does not."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from services.gateway.errors import ProcessorUnavailable
from services.gateway.operations import Attempt
from services.gateway.processors.port import Operation
from tests.support.stripe_tenant import Tenant

DECLINE, HOLD = "payment_intent.payment_failed", "payment_intent.amount_capturable_updated"


def shown(tenant: Tenant, attempt: Attempt, kind: str) -> dict[str, Any]:
    return tenant.intent(attempt, status="requires_payment_method" if kind == DECLINE else "requires_capture")


async def statuses(tenant: Tenant, *identifiers: str) -> list[str]:
    return [(await tenant.event(each)).status for each in identifiers]


@pytest.mark.parametrize("order", list(permutations((DECLINE, HOLD))), ids=("decline first", "hold first"))
async def test_decline_and_hold_of_one_second_contradict_in_no_order(tenant: Tenant, order: tuple[str, ...]) -> None:
    """A card was declined, and in the same second another one was accepted for the same payment intent."""
    attempt = await tenant.unanswered()
    held = shown(tenant, attempt, HOLD)
    tenant.objects["payment_intent", held["id"]] = held
    found = []
    for kind in (*order, *order):
        found.append(await tenant.receive(kind, shown(tenant, attempt, kind)))
        await tenant.work()
    assert await statuses(tenant, *found) == ["HANDLED"] * 4
    first = next(a for a in await attempts(tenant, attempt) if a.operation is Operation.AUTHORIZE)
    assert first.status == ("DECLINED" if order[0] == DECLINE else "APPROVED")


async def attempts(tenant: Tenant, attempt: Attempt) -> list[Attempt]:
    return await tenant.attempts.of_intent(tenant_id=attempt.tenant_id, payment_intent_id=attempt.payment_intent_id)


async def test_decline_that_the_processor_still_shows_is_for_a_person(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    refused = shown(tenant, attempt, DECLINE)
    tenant.objects["payment_intent", refused["id"]] = refused
    found = [await tenant.receive(HOLD, shown(tenant, attempt, HOLD)), await tenant.receive(DECLINE, refused)]
    await tenant.work()
    assert sorted(await statuses(tenant, *found)) == ["CONTRADICTED", "HANDLED"]


async def test_what_cannot_be_read_at_the_moment_is_read_later(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = await tenant.unanswered()
    held = shown(tenant, attempt, HOLD)
    tenant.objects["payment_intent", held["id"]] = held

    async def unreadable(*_: str) -> None:
        raise ProcessorUnavailable("not now")

    await tenant.receive(HOLD, held)
    await tenant.work()
    late = await tenant.receive(DECLINE, shown(tenant, attempt, DECLINE))
    with monkeypatch.context() as patch:
        patch.setattr(tenant.inbox._opening, "_read", unreadable)
        await tenant.work()
    assert await statuses(tenant, late) == ["RECEIVED"]
    tenant.clock.advance(timedelta(minutes=1))
    await tenant.work()
    assert await statuses(tenant, late) == ["HANDLED"]


@pytest.mark.parametrize("last", ["won", "lost"])
async def test_two_decisions_of_one_second_are_read(tenant: Tenant, last: str) -> None:
    attempt = await tenant.unanswered()
    taken = tenant.intent(attempt, status="succeeded", amount_received=1_000)
    await tenant.receive("payment_intent.succeeded", taken)
    await tenant.work()
    dispute = {
        "id": f"dp_{attempt.id.hex}",
        "payment_intent": taken["id"],
        "amount": 1_000,
        "currency": "brl",
        "created": 1_763_800_000,
        "metadata": taken["metadata"],
    }
    tenant.objects["dispute", dispute["id"]] = dispute | {"status": last}
    found = []
    for status in ("won", "lost"):
        found.append(await tenant.receive("charge.dispute.closed", dispute | {"status": status}))
        await tenant.work()
    assert await statuses(tenant, *found) == ["HANDLED"] * 2
    row = await tenant.database.fetchrow("SELECT state FROM disputes WHERE gateway_ref = $1", dispute["id"])
    assert row is not None
    assert row["state"] == last
