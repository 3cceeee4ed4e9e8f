"""One payment, from the first request to a verified webhook, reported step by step; everything stays up afterwards."""

import json
import time
import uuid
from collections.abc import Callable, Mapping

import msgspec

from deploy.local.bootstrap import SERVICES
from deploy.local.client import Client
from deploy.local.errors import LocalFailure
from deploy.local.lifecycle import base_url
from deploy.local.receiver import Receiver, receiving
from deploy.local.t_accounts import Entry, t_accounts, totals
from deploy.local.waiting import wait_until

TENANT = "00000000-0000-0000-0000-000000000002"
"""The demo merchant's tenant, seeded."""

OPS = ("ops@demo.example.com", "ops123")
SALES = ("sales@demo.example.com", "sales123")
ADMIN = ("admin@local", "admin123")
"""Seeded users with their passwords; they exist only where the demo data was seeded."""

EVENTS = ["payment.authorized", "payment.settled"]
SETTLE_SECONDS = 20.0
WEBHOOK_SECONDS = 20.0
AMOUNT, CURRENCY = "150.50", "BRL"
ENTRIES_MAX = 200

Report = Callable[[str], None]


class Token(msgspec.Struct, frozen=True):
    """The answer to a log-in."""

    access_token: str


class Intent(msgspec.Struct, frozen=True):
    """What the demo reads of a payment intent."""

    id: str
    status: str
    amount: str
    currency: str


class Endpoint(msgspec.Struct, frozen=True):
    """A registered webhook endpoint; the secret is shown this once."""

    id: str
    secret: str


def log_in(base: str, user: tuple[str, str], tenant: str) -> Client:
    """Return a client that acts as a user for a tenant.

    Raises:
        LocalFailure: when the log-in is refused.
    """
    anonymous = Client(base_url=base)
    answer = anonymous.post("/v1/auth/token", {"email": user[0], "password": user[1], "tenantId": tenant})
    return Client(base_url=base, token=answer.expect(200).read(Token).access_token, tenant=tenant)


def register(admin: Client, receiver: Receiver) -> Endpoint:
    """Register the receiver as a webhook endpoint of the client's tenant."""
    answer = admin.post("/v1/webhooks", {"url": receiver.url, "events": EVENTS})
    return answer.expect(201).read(Endpoint)


def create(client: Client, *, customer: str = "demo-customer", key: str = "") -> Intent:
    """Create a payment intent of 150.50 BRL."""
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    body = {"amount": AMOUNT, "currency": CURRENCY, "customer_ref": customer}
    return client.post("/v1/payment-intents", body, headers=headers).expect(200).read(Intent)


def confirm(client: Client, intent: Intent) -> Intent:
    """Confirm a payment intent; the answer is the authorized intent, or one still in processing (202)."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    return client.post(f"/v1/payment-intents/{intent.id}/confirm", headers=headers).expect(200, 202).read(Intent)


def wait_settled(client: Client, intent: Intent, *, seconds: float = SETTLE_SECONDS) -> Intent:
    """Read a payment until it is settled.

    Raises:
        LocalFailure: when it is not in time, with the status it has instead.
    """
    latest = intent

    def settled() -> bool:
        nonlocal latest
        latest = client.get(f"/v1/payment-intents/{intent.id}").expect(200).read(Intent)
        return latest.status == "SETTLED"

    if not wait_until(settled, seconds=seconds):
        raise LocalFailure(f"Payment {intent.id} is {latest.status} after {seconds:.0f} s; expected SETTLED.")
    return latest


def book(client: Client) -> list[Entry]:
    """Return the tenant's latest journal entries."""
    return client.get(f"/v1/ledger/entries?limit={ENTRIES_MAX}").expect(200).read(list[Entry])


def demonstrate(env: Mapping[str, str], report: Report) -> None:
    """Report each step of one payment on a running, seeded platform.

    Raises:
        LocalFailure: at the first step that does not do what it should.
    """
    base = base_url(env, "api")
    with receiving() as receiver:
        ops = log_in(base, OPS, TENANT)
        report(f"1. Logged in as {OPS[0]} of tenant {TENANT}.")
        admin = log_in(base, ADMIN, TENANT)
        endpoint = register(admin, receiver)
        report(f"2. {ADMIN[0]} registered the webhook endpoint {receiver.url} for {', '.join(EVENTS)}.")
        try:
            intent = create(ops)
            report(f"3. Created payment intent {intent.id}: {intent.amount} {intent.currency}, {intent.status}.")
            began = time.monotonic()
            confirmed = confirm(ops, intent)
            report(f"4. Confirmed: {confirmed.status} after {time.monotonic() - began:.2f} s.")
            wait_settled(ops, intent)
            report(f"5. Captured and booked: SETTLED after {time.monotonic() - began:.2f} s.")
            _verify_webhook(receiver, endpoint, intent)
            report(
                f"6. Webhook payment.settled received after {time.monotonic() - began:.2f} s; its signature is genuine."
            )
        finally:
            # The receiver ends with us; an endpoint that nobody answers would collect retries.
            admin.delete(f"/v1/webhooks/{endpoint.id}")
    entries = book(ops)
    for currency, (debit, credit) in sorted(totals(entries).items()):
        if debit != credit:
            raise LocalFailure(f"The book does not balance: {debit} debit, {credit} credit in {currency}.")
    report(f"\nThe book of tenant {TENANT} (the latest {len(entries)} entries; a posting is named by its payment):\n")
    report(t_accounts(entries))
    report(summary(env, intent))


def summary(env: Mapping[str, str], intent: Intent) -> str:
    """Return the closing block: addresses, credentials, the next request to try, how to stop."""
    urls = {service: base_url(env, service) for service in SERVICES}
    api = urls["api"]
    login = json.dumps({"email": OPS[0], "password": OPS[1], "tenantId": TENANT})
    lines = [
        "=" * 100,
        "The platform is up.",
        "",
        *(f"  {service:9} {url}   health {url}/readyz   messages {url}/asyncapi" for service, url in urls.items()),
        f"  {'docs':9} {api}/docs   OpenAPI {api}/openapi.json",
        "",
        f"  {'merchant':9} {OPS[0]} / {OPS[1]}   tenant {TENANT}",
        f"  {'read-only':9} {SALES[0]} / {SALES[1]}",
        f"  {'admin':9} {ADMIN[0]} / {ADMIN[1]}   (every tenant)",
        "",
        "  Try next:",
        f"    TOKEN=$(curl -s {api}/v1/auth/token -H 'Content-Type: application/json' \\",
        f'      -d \'{login}\' | sed \'s/.*"access_token":"\\([^"]*\\)".*/\\1/\')',
        f"    curl -s {api}/v1/payment-intents/{intent.id} \\",
        f"      -H \"Authorization: Bearer $TOKEN\" -H 'X-Tenant-Id: {TENANT}'",
        "",
        "  Check: ./scripts/smoke.sh   Logs: ./scripts/logs.sh   Stop: ./scripts/down.sh   All tasks: .venv/bin/just",
        "=" * 100,
    ]
    return "\n".join(lines)


def _verify_webhook(receiver: Receiver, endpoint: Endpoint, intent: Intent) -> None:
    delivery = receiver.wait_for("payment.settled", intent.id, seconds=WEBHOOK_SECONDS)
    if delivery is None:
        raise LocalFailure(f"No webhook payment.settled for {intent.id} arrived within {WEBHOOK_SECONDS:.0f} s.")
    if not delivery.is_signed_with(endpoint.secret):
        raise LocalFailure(f"The webhook for {intent.id} arrived, but its signature does not verify.")
