"""The page of one payment: how many requests it makes of the API, since those are its reader's own."""

from typing import Any

import pytest

from tests.support.console import Seat

PIX = {"data": "000201", "image_url_png": "https://qr.example/1.png", "hosted_instructions_url": "", "expires_at": None}
BOLETO = {"number": "23790.1", "pdf": "", "hosted_voucher_url": "", "expires_at": "2026-12-03T12:00:00Z"}


@pytest.mark.parametrize(
    ("action", "shown"),
    [
        ({"type": "redirect", "url": "https://issuer.example/3ds"}, "https://issuer.example/3ds"),
        ({"type": "use_stripe_sdk"}, "use_stripe_sdk"),
        ({"type": "pix_display_qr_code", "pix_display_qr_code": PIX}, "000201"),
        ({"type": "boleto_display_details", "boleto_display_details": BOLETO}, "2026-12-03T12:00:00Z"),
    ],
)
async def test_what_the_customer_does_next_is_shown(action: dict[str, Any], shown: str) -> None:
    seat = Seat()
    thing = {"id": "p", "status": "REQUIRES_ACTION", "amount": "1.00", "currency": "BRL", "next_action": action}
    seat.answers["GET", "/v1/payment-intents/p"] = 200, thing | {"events": [], "entries": []}

    page = await seat.get("/console/payments/p")

    assert page.status_code == 200
    assert "What the customer does next" in page.text and shown in page.text


async def test_webhooks_are_read_by_the_newest_public_events_alone() -> None:
    seat = Seat()
    kinds = ["payment.intent.created", "payment.authorize", "payment.authorized", "payment.capture", "payment.settled"]
    events = [
        {"id": str(number), "type": kind, "status": "SETTLED", "actor": "a", "correlation_id": "c", "occurred_at": ""}
        for number, kind in enumerate(kinds)
    ]
    thing = {"id": "p", "status": "SETTLED", "amount": "1.00", "currency": "BRL", "events": events, "entries": []}
    seat.answers["GET", "/v1/payment-intents/p"] = 200, thing
    seat.answers["GET", "/v1/webhook-deliveries"] = 200, {"data": [], "next_cursor": None}

    shown = await seat.get("/console/payments/p")

    # Each event leads to what else its request has changed.
    assert shown.text.count('href="/console/requests?correlation_id=c"') == len(events)

    read = [sent.query for sent in seat.sent if sent.path == "/v1/webhook-deliveries"]
    assert sorted(query.removeprefix("event_id=") for query in read) == ["0", "2", "4"]
    assert len(seat.sent) <= 10
