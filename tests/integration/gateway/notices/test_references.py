"""What the processor calls a payment, and what came of it, leads to the payment of the tenant whose it is."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_requests import FindPaymentsByReference
from libs.common.ids import new_id
from services.gateway.notices.queries import find_payments
from services.gateway.notices.sql.references import BY_REFERENCE
from services.gateway.operations import AttemptStatus
from services.gateway.operations.sql import Recording
from services.gateway.processors.port import Operation
from tests.support.stripe_tenant import Tenant

INDEXES = ("ix_attempts_gateway_ref", "ix_attempts_refund_ref", "ix_disputes_gateway_ref")
"""Without those of movements: while there are few, any index of the tenant serves as well, and is taken by chance."""
EMPTY = ("type", "reporting_category", "payment_ref", "charge_ref", "exchange_rate", "source_currency", "raw")


async def named(tenant: Tenant, reference: str, *, tenant_id: str = "") -> list[UUID]:
    request = FindPaymentsByReference(tenant_id=tenant_id or tenant.tenant_id, reference=reference)
    return (await find_payments(tenant.database, request)).payment_intent_ids


async def insert(tenant: Tenant, table: str, row: Mapping[str, Any]) -> None:
    marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await tenant.database.write(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", *row.values())


async def test_each_reference_leads_to_its_payment_alone(tenant: Tenant) -> None:
    attempt, other = await tenant.unanswered(), await tenant.unanswered()
    payment, now, mark = attempt.payment_intent_id, tenant.clock.now(), new_id().hex
    for each in (attempt, other):
        await tenant.receive("payment_intent.amount_capturable_updated", tenant.intent(each))
    await tenant.work()
    refund = msgspec.structs.replace(
        attempt, id=new_id(), refund_id=new_id(), operation=Operation.REFUND, gateway_ref=f"pi_{attempt.id.hex}"
    )
    await tenant.attempts.open(refund)
    given = msgspec.structs.replace(
        refund, status=AttemptStatus.APPROVED, result_ref=f"re_{mark}", next_ask_at=None, decided_at=now
    )
    assert await tenant.attempts.record(Recording(attempt=given, publication=None, recorded_at=now))
    whose = {"tenant_id": tenant.tenant_id, "payment_intent_id": payment, "currency": "BRL", "updated_at": now}
    dispute = {"id": new_id(), "processor": "stripe", "gateway_ref": f"dp_{mark}", "state": "open", "opened_at": now}
    await insert(tenant, "disputes", whose | dispute | {"amount_minor": 1, "reason": "fraudulent"})
    movement = {"account_id": f"acct_{mark}", "is_live": False, "id": f"txn_{mark}", "movement_id": new_id()}
    came = {"is_booked": True, "kind": "charge", "source_ref": f"ch_{mark}", "status": "pending"}
    amounts = {"amount_minor": 2, "fee_minor": 1, "fee_details": "[]", "net_minor": 1}
    at = dict.fromkeys(("created_at", "available_at", "seen_at"), now)
    await insert(tenant, "processor_movements", whose | dict.fromkeys(EMPTY, "") | movement | came | amounts | at)

    for reference in (f"pi_{attempt.id.hex}", *(f"{kind}_{mark}" for kind in ("re", "dp", "ch", "txn"))):
        assert await named(tenant, reference) == [payment], reference
        assert await named(tenant, reference, tenant_id="another") == [], reference
    assert await named(tenant, f"pi_{other.id.hex}") == [other.payment_intent_id]
    for unknown in ("pi_", "re_unknown"):
        assert await named(tenant, unknown) == []


async def test_references_are_found_by_indexes_alone(tenant: Tenant) -> None:
    values = BY_REFERENCE.arguments({"tenant_id": tenant.tenant_id, "reference": "pi_1", "limit": 50})
    async with tenant.database.transaction() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off")
        plan = await tx.fetchval(f"EXPLAIN (FORMAT JSON) {BY_REFERENCE.text}", *values)
    assert [index for index in INDEXES if f'"{index}"' not in plan] == []
