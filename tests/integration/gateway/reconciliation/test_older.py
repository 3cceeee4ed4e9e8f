"""Payments of other times than the window, for which something moved in it, are listed seldom and compared each once."""

from datetime import timedelta
from typing import Any

import pytest

from services.gateway.reconciliation.runs import sql
from services.gateway.reconciliation.runs.commands import reading
from tests.integration.gateway.reconciliation.conftest import Office
from tests.integration.gateway.reconciliation.listing import Listing
from tests.integration.gateway.reconciliation.test_at_once import changed, record
from tests.integration.gateway.reconciliation.test_taken_back import SINCE, UNTIL

PAYMENTS = 12


@pytest.mark.parametrize(("listed", "lists"), [(2, 7), (4, 4), (5, 3), (6, 3), (12, 2), (100, 1)])
async def test_older_payments_are_listed_for_many_steps(
    office: Office, monkeypatch: pytest.MonkeyPatch, listed: int, lists: int
) -> None:
    made = [
        changed(
            number, "moved", created_at=SINCE + timedelta(minutes=number), seen_at=SINCE + timedelta(minutes=number)
        )
        for number in range(PAYMENTS)
    ]
    await record(office, *made)
    office.sides = Listing(*made)
    office.runs = office.another()
    calls = 0
    older_payments = sql.older_payments

    async def counted(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        return await older_payments(*given, **named)

    monkeypatch.setattr(sql, "older_payments", counted)
    monkeypatch.setattr(reading, "LISTED_MAX", listed)
    monkeypatch.setattr(reading, "_STEP_MAX", 2)
    run = await office.compare(SINCE, UNTIL)
    assert (run.state, run.payments, run.movements, run.matched) == ("complete", PAYMENTS, PAYMENTS, PAYMENTS)
    assert calls == lists
