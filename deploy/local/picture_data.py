"""What the pictures of the console show: a day at a shop, made once over the API of the running demo platform."""

import hashlib
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from deploy.local.client import Answer, Client
from deploy.local.waiting import wait_until

_WAIT_SECONDS = 120
_POLL_SECONDS = 2
"""Each look is one of the requests that a caller may make in a minute."""
_PAYER = {
    "name": "Maria Silva",
    "email": "maria@example.com",
    "tax_id": "000.000.000-00",
    "address": {"line1": "Rua A, 1", "city": "São Paulo", "state": "SP", "postal_code": "01310-100"},
}
_BOUGHT = (
    ("maria", "1290.00", "Bicycle"),
    ("joao", "89.90", "Helmet"),
    ("ana", "45.50", "Bell and lamp"),
    ("carlos", "990.01", "Trailer"),
    ("lucia", "310.00", "Child seat"),
    ("pedro", "190.71", "Saddle"),
    ("maria", "25.00", "Repair kit"),
    ("rafael", "2450.00", "Cargo bicycle"),
    ("bia", "149.99", "Lock"),
    ("joao", "75.25", "Gloves"),
    ("ana", "620.00", "Wheels"),
    ("tiago", "190.02", "Pump"),
)
"""Who buys, for how much, and what; endings of amounts force outcomes (docs/sandbox.md)."""
_REFUNDED, _HELD = {"310.00": "110.00", "1290.00": "1290.00"}, {"2450.00", "620.00"}
_RUNS = "/v1/reconciliation/runs"
_SOURCES = "/v1/reconciliation/sources"
_STATEMENT = (
    "date;text;amount\n2026-11-02;Card payout;1250.40\n2026-11-03;Rent;-900.00\n2026-11-03;Unknown sender;75.00\n"
)


def furnish(client: Client, report: Callable[[str], None]) -> None:
    """Make what the pictures show, unless it is there.

    Raises:
        LocalFailure: when the api refuses something.
    """
    if _read(client, f"{_RUNS}?limit=1"):
        # It comes last.
        return
    report("Making what the pictures show ...")
    _post(client, "/v1/webhooks", {"url": "https://shop.example.com/hooks", "events": ["payment.*"]})
    _post(client, "/v1/customers", {"reference": "maria", "name": "Maria Silva", "email": "maria@example.com"})
    for who, amount, what in _BOUGHT:
        _buy(client, who, amount, what)
    _buy(client, "maria", "190.45", "Basket", payment_method_type="pix", billing_details=_PAYER)
    goodwill = _entry("Goodwill for a late delivery", "REFUND_EXPENSE", "CASH", "12.50")
    _post(client, "/v1/ledger/entries", {"entries": [goodwill]})
    fee = _entry("Bank fee of November", "PROCESSOR_FEES", "CASH", "31.90")
    _post(client, "/v1/ledger/proposals", {"entries": [fee], "reason": "Bank statement of November"})
    hold = {"debit_account": "REVENUE", "credit_account": "CASH", "amount": "50.00", "currency": "BRL"}
    _post(client, "/v1/ledger/holds", hold)
    rate = {"from_currency": "USD", "to_currency": "BRL", "rate": "5.4321", "source": "ECB"}
    _post(client, "/v1/exchange-rates", rate)
    # It takes no key: whose answer has a secret is not replayed.
    client.post("/v1/api-keys", {"name": "Shop", "scopes": ["payments:read", "payments:write"]}).expect(201)
    _reconcile(client)


def _buy(client: Client, who: str, amount: str, what: str, **more: Any) -> None:
    held = {"capture_method": "manual"} if amount in _HELD else {}
    body = {"amount": amount, "currency": "BRL", "customer_ref": f"shop-{who}", "description": what}
    made = _post(client, "/v1/payment-intents", {**body, **held, **more})
    address = f"/v1/payment-intents/{made['id']}"
    _post(client, f"{address}/confirm")
    if amount in _REFUNDED:
        _wait(client, address, "status", {"SETTLED", "PARTIALLY_REFUNDED", "REFUNDED"})
        _post(client, f"{address}/refund", {"amount": _REFUNDED[amount], "reason": "sent back"})


def _reconcile(client: Client) -> None:
    fields = {"date": "date", "amount": "amount", "description": ["text"], "currency_code": "BRL", "delimiter": ";"}
    source = _post(client, _SOURCES, {"name": "Banco do Brasil", "format": "csv", "fields": fields})
    content = _STATEMENT.encode()
    file = {
        "source_id": source["id"],
        "file_name": "november.csv",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    address = f"/v1/reconciliation/imports/{_post(client, '/v1/reconciliation/imports', file)['id']}"
    if _read(client, address)["status"] == "UPLOADING":
        client.put(f"{address}/parts/1", content).expect(204)
        _post(client, f"{address}/complete")
    _wait(client, address, "status", {"IMPORTED"})
    now = datetime.now(UTC)
    window = {"from": (now - timedelta(days=31)).isoformat(), "until": now.isoformat()}
    run = _post(client, "/v1/reconciliation/run", window)
    _wait(client, f"{_RUNS}/{run['id']}", "state", {"complete", "failed"})


def _entry(description: str, debit: str, credit: str, amount: str) -> dict[str, Any]:
    lines = ((debit, "DEBIT"), (credit, "CREDIT"))
    return {
        "description": description,
        "lines": [{"account": a, "side": side, "amount": amount, "currency": "BRL"} for a, side in lines],
    }


def _post(client: Client, path: str, body: object = None) -> Any:
    # What was made by a run that did not end is made no second time.
    key = {"Idempotency-Key": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{path} {body}"))}
    return _answered(lambda: client.post(path, body, headers=key))


def _wait(client: Client, address: str, member: str, values: set[str]) -> None:
    wait_until(lambda: _read(client, address)[member] in values, seconds=_WAIT_SECONDS, poll_seconds=_POLL_SECONDS)


def _read(client: Client, address: str) -> Any:
    return _answered(lambda: client.get(address))


def _answered(call: Callable[[], Answer]) -> Any:
    """Return the JSON of an answer; who has made too many requests waits."""
    until = time.monotonic() + _WAIT_SECONDS
    while (answer := call()).status == 429 and time.monotonic() < until:
        time.sleep(float(answer.headers.get("retry-after", "1")))
    return msgspec.json.decode(answer.expect(200, 201, 202).body)
