"""Events of one second, in any order: what they are about decides, read as it stands; a clock of seconds does not."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from libs.common.clock import ManualClock
from libs.common.ids import new_id
from services.gateway.errors import ProcessorUnavailable
from services.gateway.operations import Attempt, attempt_id
from services.gateway.processors.port import Operation
from tests.support.stripe_tenant import MOVEMENT, Tenant

SECOND = 1_763_800_000
"""When the events of a `Tenant` happened, where no other is given."""
DECLINE, HOLD = "payment_intent.payment_failed", "payment_intent.amount_capturable_updated"


def shown(tenant: Tenant, attempt: Attempt, kind: str) -> dict[str, Any]:
    return tenant.intent(attempt, status="requires_payment_method" if kind == DECLINE else "requires_capture")


def warned(logged: list[EventDict], reference: str) -> int:
    """How often it was logged that a notice of a payment took no effect."""
    return sum(line["event"] == "notice.not_applied" and line["gateway_ref"] == reference for line in logged)


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
    with capture_logs() as logged:
        await tenant.work()
    assert sorted(await statuses(tenant, *found)) == ["CONTRADICTED", "HANDLED"]
    assert warned(logged, refused["id"]) == 1


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


async def disputed(tenant: Tenant) -> dict[str, Any]:
    """A captured payment; returns a dispute of it, which Stripe has no status of yet."""
    attempt = await tenant.unanswered()
    taken = tenant.intent(attempt, status="succeeded", amount_received=1_000)
    await tenant.receive("payment_intent.succeeded", taken)
    await tenant.work()
    return {
        "id": f"dp_{attempt.id.hex}",
        "payment_intent": taken["id"],
        "amount": 1_000,
        "currency": "brl",
        "created": SECOND,
        "metadata": taken["metadata"],
    }


async def closed(tenant: Tenant, dispute: dict[str, Any], status: str, **more: Any) -> str:
    """Receive a decision of the bank, and work on it."""
    found = await tenant.receive("charge.dispute.closed", dispute | {"status": status}, **more)
    await tenant.work()
    return found


async def state(tenant: Tenant, dispute: dict[str, Any]) -> str:
    row = await tenant.database.fetchrow("SELECT state FROM disputes WHERE gateway_ref = $1", dispute["id"])
    assert row is not None
    return str(row["state"])


def at(tenant: Tenant, seconds: float) -> Tenant:
    """The same tenant at another instant, counted from the events' own second."""
    start = datetime.fromtimestamp(SECOND, UTC) + timedelta(seconds=seconds)
    return Tenant(tenant.database, ManualClock(start), tenant.tenant_id)


@pytest.mark.parametrize("is_behind", [False, True], ids=["by our clock", "our clock is behind"])
@pytest.mark.parametrize("last", ["won", "lost"])
async def test_two_decisions_of_one_second_are_read(tenant: Tenant, last: str, is_behind: bool) -> None:
    if is_behind:
        tenant = at(tenant, -1)
    dispute = await disputed(tenant)
    tenant.objects["dispute", dispute["id"]] = dispute | {"status": last}
    with capture_logs() as logged:
        found = [await closed(tenant, dispute, status) for status in ("won", "lost")]
    assert await statuses(tenant, *found) == ["HANDLED"] * 2
    assert await state(tenant, dispute) == last
    # What is decided well is nobody's to look at.
    assert warned(logged, dispute["payment_intent"]) == 0


async def test_decision_after_the_reading_counts(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object changes once it was read, and before what it showed is written down."""
    tenant = at(tenant, 10.5)
    dispute = await disputed(tenant)
    tenant.objects["dispute", dispute["id"]] = dispute | {"status": "lost"}

    async def slowly(*named: str) -> dict[str, Any] | None:
        tenant.clock.advance(timedelta(seconds=2))
        return await tenant._read(*named)

    monkeypatch.setattr(tenant.inbox._opening, "_read", slowly)
    found = [await closed(tenant, dispute, status) for status in ("won", "lost")]
    assert await state(tenant, dispute) == "lost"
    found.append(await closed(tenant, dispute, "won", created=SECOND + 11))
    assert await state(tenant, dispute) == "won"
    assert await statuses(tenant, *found) == ["HANDLED"] * 3


async def refund_ended(tenant: Tenant, status: str, reason: str, reference: str) -> dict[str, Any]:
    """A captured payment whose refund has ended here; returns what Stripe has of it, under the reference `re_1`."""
    attempt = await tenant.unanswered()
    taken = tenant.intent(attempt, status="succeeded", amount_received=1_000)
    await tenant.receive("payment_intent.succeeded", taken)
    await tenant.work()
    refund_id = new_id()
    given = msgspec.structs.replace(
        attempt,
        id=attempt_id(tenant_id=attempt.tenant_id, subject_id=refund_id, operation=Operation.REFUND),
        refund_id=refund_id,
        operation=Operation.REFUND,
        gateway_ref=taken["id"],
    )
    await tenant.attempts.open(given)
    await tenant.database.fetch(
        """UPDATE attempts SET status = $2, next_ask_at = NULL, decided_at = $3, reason = $4, result_ref = $5
            WHERE id = $1""",
        *(given.id, status, tenant.clock.now(), reason, reference),
    )
    return {
        "id": "re_1",
        "payment_intent": taken["id"],
        "amount": 1_000,
        "currency": "brl",
        "metadata": taken["metadata"] | {"refund_id": str(refund_id)},
    }


@pytest.mark.parametrize(
    ("reason", "reference", "stands", "expected"),
    [
        # By an operator's word, or by what our own reading did not find.
        ("not_received", "", "succeeded", "CONTRADICTED"),
        ("not_received", "re_1", "succeeded", "CONTRADICTED"),
        # Before it was sent, or by an answer to the request.
        ("disputed", "", "succeeded", "CONTRADICTED"),
        # Its success is older than its failure, which Stripe has reported, or shows.
        ("processor_refused", "re_1", "succeeded", "HANDLED"),
        ("not_received", "", "failed", "HANDLED"),
        # Another refund there with our id, beside one that has failed.
        ("processor_refused", "re_2", "succeeded", "CONTRADICTED"),
        ("processor_refused", "re_2", "failed", "HANDLED"),
    ],
)
async def test_success_of_a_refund_that_we_declined_contradicts(
    tenant: Tenant, reason: str, reference: str, stands: str, expected: str
) -> None:
    refund = await refund_ended(tenant, "DECLINED", reason, reference)
    tenant.objects["refund", refund["id"]] = refund | {"status": stands}
    found = await tenant.receive("refund.updated", refund | {"status": "succeeded"})
    await tenant.work()
    assert await statuses(tenant, found) == [expected]


@pytest.mark.parametrize(("stands", "expected"), [("succeeded", "CONTRADICTED"), ("failed", "HANDLED")])
@pytest.mark.parametrize("reference", ["re_1", "re_2"])
async def test_another_refund_at_stripe_is_not_taken_for_ours(
    tenant: Tenant, reference: str, stands: str, expected: str
) -> None:
    """Two refunds have the id of ours: both succeeded, the customer has the money twice; one failed, ours stands."""
    refund = await refund_ended(tenant, "APPROVED", "", reference)
    tenant.objects["refund", refund["id"]] = refund | {"status": stands}
    found = await tenant.receive("refund.updated", refund | {"status": stands})
    await tenant.work()
    is_ours = reference == refund["id"]
    assert await statuses(tenant, found) == ["HANDLED" if is_ours else expected]
    row = await tenant.database.fetchrow(
        "SELECT status FROM attempts WHERE operation = 'refund' AND payment_intent_id = $1",
        UUID(refund["metadata"]["payment_intent_id"]),
    )
    assert row is not None
    assert row["status"] == ("REVERSED" if is_ours and stands == "failed" else "APPROVED")


async def test_what_moved_is_kept_where_the_reading_shows_a_new_status(tenant: Tenant) -> None:
    await tenant.own()
    dispute = await disputed(tenant)
    tenant.objects["dispute", dispute["id"]] = dispute | {"status": "arbitrated"}
    moved = MOVEMENT | {"id": f"txn_{dispute['id']}", "amount": -1_000, "type": "adjustment", "source": dispute["id"]}
    await closed(tenant, dispute, "won")
    found = await closed(tenant, dispute | {"balance_transactions": [moved]}, "lost")
    event = await tenant.event(found)
    assert (event.status, event.reason) == ("FAILED", "unknown_status")
    assert (await tenant.published())[-1] == "processor_movement.recorded"
