"""A forged capture on running services: it is found by itself, named, counted, and never settles the payment."""

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.forgery import Forgery, client_of
from tests.support.platform import Client, Platform

FOUND_SECONDS = 120
"""A minute, and as much again for a machine that does other things too."""

pytestmark = pytest.mark.late


@pytest.fixture
def victim(platform: Platform, forgery: Forgery) -> Client:
    """Somebody who may read everything of the tenant."""
    return client_of(platform, forgery)


async def test_a_forged_capture_settles_nothing_and_is_named(
    platform: Platform, forgery: Forgery, victim: Client
) -> None:
    async with asyncio.timeout(FOUND_SECONDS):
        while not (lines := logged(platform, "api", "payment.capture_unknown", forgery)):
            await asyncio.sleep(0.1)
    assert lines[0]["level"] == "error"
    assert lines[0]["tenant_id"] == forgery.tenant
    assert logged(platform, "gateway", "capture.unknown", forgery)[0]["level"] == "error"
    assert await sample(platform, "api", 'payment_captures_unasked_total{outcome="unknown"}') == 1
    assert await sample(platform, "gateway", "gateway_captures_unknown_total") == 1
    intent = (await victim.call("GET", f"/v1/payment-intents/{forgery.intent}")).json
    assert (intent["status"], intent["captured_amount"]) == ("AUTHORIZED", "0.00")
    audited = (await victim.call("GET", "/v1/audit?action=payment.capture_unknown")).json["data"]
    assert [line["target"] for line in audited] == [forgery.intent]


async def test_the_books_name_a_forged_capture_by_themselves(
    platform: Platform, forgery: Forgery, victim: Client
) -> None:
    async with asyncio.timeout(FOUND_SECONDS):
        while (books := (await victim.call("GET", "/v1/ledger/verification")).json)["sound"]:
            await asyncio.sleep(0.5)
    assert len(books["findings"]) == 1, books["findings"]
    [finding] = books["findings"]
    assert finding["invariant"] == "entry_without_intent"
    assert forgery.intent in finding["detail"]
    async with asyncio.timeout(FOUND_SECONDS):
        # Where the ledger was started anew meanwhile, its next round of verification counts again.
        while await sample(platform, "ledger", "ledger_findings") != 1:
            await asyncio.sleep(0.5)
    assert (await victim.call("GET", f"/v1/payment-intents/{forgery.intent}")).json["status"] == "AUTHORIZED"


def logged(platform: Platform, service: str, event: str, forgery: Forgery) -> list[dict[str, Any]]:
    """What a service has logged of this kind about the payment."""
    lines = [json.loads(line) for line in platform.log(service).splitlines() if f'"{event}"' in line]
    return [line for line in lines if str(line.get("payment_intent_id")) == forgery.intent]


async def sample(platform: Platform, service: str, name: str) -> float:
    """The value of one metric of a service."""
    async with platform.http.get(f"{platform.base(service)}/metrics") as answer:
        text = await answer.text()
    return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.rpartition(" ")[0] == name)
