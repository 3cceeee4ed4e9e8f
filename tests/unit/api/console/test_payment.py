"""The page of one payment: how many requests it makes of the API, since those are its reader's own."""

from tests.support.console import Seat


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
