"""Forty payments through a Stripe that has bad days, by two gateways, one killed every other second."""

from pathlib import Path

import pytest

from deploy.local.servers import Servers
from tests.proof.gateway import prove

pytestmark = pytest.mark.long

PAYMENTS = 40


async def test_nothing_is_charged_twice_or_lost_while_stripe_fails(servers: Servers, tmp_path: Path) -> None:
    found = await prove(servers, tmp_path, payments=PAYMENTS, kill_every_seconds=2, outage_seconds=2)
    assert found["captured"] + found["declined"] == PAYMENTS
    assert found["kills"] > 0
    assert sum(found["faults_met"].values()) > 0
