"""Some payments with everything that moves money at Stripe, over the whole platform: its balance is what the books have."""

from pathlib import Path

import pytest

from deploy.local.servers import Servers
from tests.proof.statement import prove

pytestmark = pytest.mark.long

PAYMENTS = 8
KILL_SECONDS = 15
"""The first gateway is killed at once, and some more while this goes on."""


async def test_books_and_payments_are_what_stripe_says_after_everything_happened(
    servers: Servers, tmp_path: Path
) -> None:
    found = await prove(
        servers,
        tmp_path,
        payments=PAYMENTS,
        seed=11,
        kill_every_seconds=KILL_SECONDS,
        rounds=1,
        errors_hide_refusals=False,
    )
    assert sum(found["ends"].values()) == PAYMENTS
    assert found["kills"] > 1
    assert {"error_after", "drop_after"} <= set(found["faults_met"])
