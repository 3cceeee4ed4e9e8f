"""`payctl payments`."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click

from payments_client import Client, models
from payments_client.payctl.commands import again, command, first, given, limited, preferred, waiting

_COLUMNS = ("id", "status", "amount", "currency", "customer_ref", "created_at")
_MOVING = {models.Status.CREATED, models.Status.PROCESSING}
_PAGE = 500
_POLL_SECONDS = 0.5


@click.group()
def payments() -> None:
    """Create, confirm, capture, refund and follow payments."""


@command(payments, "create", example="payctl payments create 150.50 BRL ana@example.com")
@click.argument("amount")
@click.argument("currency")
@click.argument("customer_ref")
@click.option("--manual", is_flag=True, help="Authorize first, and capture later.")
@click.option("--description", help="Shown to you only.")
@again
def create(
    client: Client,
    *,
    amount: str,
    currency: str,
    customer_ref: str,
    manual: bool,
    description: str | None,
    idempotency_key: str | None,
) -> object:
    """Create a payment of AMOUNT, a decimal number, by your CUSTOMER_REF."""
    more = given(description=description, capture_method=models.CaptureMethod.MANUAL if manual else None)
    body = models.CreatePaymentIntent(amount=amount, currency=currency, customer_ref=customer_ref, **more)
    return client.create_payment_intent(body, idempotency_key=idempotency_key)


@command(payments, "confirm", example="payctl payments confirm $PAYMENT")
@click.argument("payment")
@waiting
@again
def confirm(client: Client, *, payment: str, no_wait: bool, idempotency_key: str | None) -> object:
    """Collect the money of a payment, or authorize it."""
    return client.confirm_payment_intent(payment, prefer=preferred(no_wait=no_wait), idempotency_key=idempotency_key)


@command(payments, "capture", example="payctl payments capture $AUTHORIZED --amount 50.00")
@click.argument("payment")
@click.option("--amount", help="A part of it; the rest is released.")
@waiting
@again
def capture(client: Client, *, payment: str, amount: str | None, no_wait: bool, idempotency_key: str | None) -> object:
    """Capture what was authorized."""
    body = models.CaptureRequest(**given(amount=amount))
    return client.capture_payment_intent(
        payment, body, prefer=preferred(no_wait=no_wait), idempotency_key=idempotency_key
    )


@command(payments, "void", example="payctl payments void $AUTHORIZED")
@click.argument("payment")
@waiting
@again
def void(client: Client, *, payment: str, no_wait: bool, idempotency_key: str | None) -> object:
    """Release what was authorized, or give a payment up before it is collected."""
    return client.void_payment_intent(payment, prefer=preferred(no_wait=no_wait), idempotency_key=idempotency_key)


@command(payments, "refund", example="payctl payments refund $SETTLED --amount 0.50 --reason 'arrived late'")
@click.argument("payment")
@click.option("--amount", help="A part of it.")
@click.option("--reason", help="For your own records.")
@waiting
@again
def refund(
    client: Client, *, payment: str, amount: str | None, reason: str | None, no_wait: bool, idempotency_key: str | None
) -> object:
    """Pay back a settled payment."""
    body = models.RefundRequest(**given(amount=amount, reason=reason))
    return client.refund_payment_intent(
        payment, body, prefer=preferred(no_wait=no_wait), idempotency_key=idempotency_key
    )


@command(payments, "show", example="payctl payments show $SETTLED --json")
@click.argument("payment")
def show(client: Client, *, payment: str) -> object:
    """Show a payment."""
    return client.get_payment_intent(payment)


@command(payments, "list", example="payctl payments list --status SETTLED --limit 10", columns=_COLUMNS)
@click.option("--status", help="One or more, with commas between them.")
@click.option("--customer-ref", help="Exactly this reference.")
@click.option("--from", "from_", help="Created at or after this date or instant (UTC).")
@click.option("--to", help="Created until this instant, or on this date.")
@limited
def list_(
    client: Client, *, status: str | None, customer_ref: str | None, from_: str | None, to: str | None, limit: int
) -> object:
    """List payments, newest first."""
    found = client.iterate_payment_intents(
        status=status, customer_ref=customer_ref, from_=from_, to=to, page_size=min(limit, _PAGE)
    )
    return first(found, limit)


@command(payments, "stuck", example="payctl payments stuck --minutes 15", columns=_COLUMNS)
@click.option("--minutes", type=click.IntRange(0), default=15, show_default=True, help="Created so long ago.")
@limited
def stuck(client: Client, *, minutes: int, limit: int) -> object:
    """List payments that are still processed, or not settled by themselves, though they were created long ago."""
    until = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    found = client.iterate_payment_intents(status="PROCESSING,AUTHORIZED", to=until, page_size=_PAGE)
    return first(filter(_is_moving, found), limit)


@command(payments, "watch", example="payctl payments watch $SETTLED", columns=("occurred_at", "type", "status"))
@click.argument("payment")
@click.option("--seconds", type=click.IntRange(0), default=300, show_default=True, help="Stop after so long.")
def watch(client: Client, *, payment: str, seconds: int) -> object:
    """Print what happens to a payment until it is settled, waits for you (a capture, an action), or has ended."""
    return _happening(client, payment, ends=time.monotonic() + seconds)


def _is_moving(payment: models.PaymentIntentBody | models.ExpandedPaymentIntent) -> bool:
    """Tell whether the platform goes on with it; AUTHORIZED is also what is captured and not yet in the books."""
    is_automatic = payment.capture_method == models.CaptureMethod.AUTOMATIC
    return payment.status in _MOVING or (payment.status == models.Status.AUTHORIZED and is_automatic)


def _happening(client: Client, payment: str, *, ends: float) -> Iterator[models.TimelineEventBody]:
    seen: set[str] = set()
    while True:
        # Its status first: what led to it is in the events that are read afterwards.
        present = client.get_payment_intent(payment)
        for event in client.list_payment_intent_events(payment):
            if event.id not in seen:
                seen.add(event.id)
                yield event
        if not _is_moving(present):
            return
        if time.monotonic() >= ends:
            raise click.ClickException(f"It is still {present.status}.")
        time.sleep(_POLL_SECONDS)
