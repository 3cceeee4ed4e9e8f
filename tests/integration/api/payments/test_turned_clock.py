"""Under a clock that is given, ids have its time: rows lie in the partition of their instants, and lists keep their order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from libs.common.clock import ManualClock
from libs.common.ids import time_of_id
from services.api.app import seed
from tests.integration.api.conftest import serving, settings_for, token_of
from tests.support.databases import TestDatabase


@pytest.mark.parametrize("days", [400, -40])
async def test_ids_have_the_time_of_the_clock(api_database: TestDatabase, days: int) -> None:
    clock = ManualClock(datetime.now(UTC) + timedelta(days=days))
    tenant = f"tenant-{uuid4().hex[:12]}"
    settings = settings_for(api_database)
    await seed(settings)
    async with serving(api_database, settings, clock=clock) as api:
        began = int(clock.now().timestamp())
        token = token_of(tenant, iat=began, exp=began + 86_400)
        headers = {"Authorization": f"Bearer {token}", "X-Tenant-Id": tenant}
        body = {"amount": "1.00", "currency": "BRL", "customer_ref": "c"}
        ids: list[UUID] = []
        for _ in range(5):
            clock.advance(timedelta(minutes=1))
            async with api.http.post(
                f"{api.base}/v1/payment-intents", json=body, headers=headers | {"Idempotency-Key": str(uuid4())}
            ) as answer:
                assert answer.status in {200, 201}, await answer.text()
                ids.append(UUID((await answer.json())["id"]))
        async with api.http.get(f"{api.base}/v1/payment-intents", headers=headers) as answer:
            listed = [UUID(item["id"]) for item in (await answer.json())["data"]]
        assert listed == ids[::-1]
        assert ids == sorted(ids)
        rows = await api.database.fetch(
            "SELECT id, created_at AS at FROM payment_intents WHERE tenant_id = $1 UNION ALL "
            "SELECT id, occurred_at FROM payment_intent_events WHERE tenant_id = $1 UNION ALL "
            "SELECT id, created_at FROM audit_log WHERE tenant_id = $1 AND action = 'payment_intent.create' UNION ALL "
            "SELECT event_id, occurred_at FROM outbox WHERE tenant_id = $1 AND contract LIKE '%created'",
            tenant,
        )
        assert len(rows) == 20
        assert all(timedelta(0) <= row["at"] - time_of_id(row["id"]) < timedelta(milliseconds=1) for row in rows)
