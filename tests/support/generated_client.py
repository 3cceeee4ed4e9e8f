"""What another team writes with a client that it has generated of our document: a payment, its capture and its refund.

`python generated_client.py FOLDER URL TOKEN TENANT` runs it in the environment of the generator, with the client in FOLDER.
"""

import importlib
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

WAIT_SECONDS = 120


def main(folder: Path, url: str, token: str, tenant: str) -> None:
    """Make a payment, and print what it is in the end."""
    sys.path.insert(0, str(folder.parent))
    models = importlib.import_module(f"{folder.name}.models")
    client = importlib.import_module(f"{folder.name}.client").AuthenticatedClient(
        base_url=url, token=token, timeout=httpx.Timeout(WAIT_SECONDS)
    )

    def call(operation: str, *path: Any, **more: Any) -> Any:
        module = importlib.import_module(f"{folder.name}.api.payment_intents.{operation}")
        answer = module.sync_detailed(*path, client=client, x_tenant_id=tenant, **more)
        if answer.status_code >= 300 or isinstance(answer.parsed, models.Problem):
            sys.exit(f"{operation}: {answer.status_code} {answer.content!r}")
        return answer.parsed

    def until(payment: Any, **expected: Any) -> Any:
        ends = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < ends:
            found = call("get_payment_intent", payment.id)
            if all(str(getattr(found, name)) == value for name, value in expected.items()):
                return found
            time.sleep(0.1)
        sys.exit(f"not {expected}: {found}")

    wish = models.CreatePaymentIntent(
        amount="150.50", currency="BRL", customer_ref="c", capture_method=models.CaptureMethod.MANUAL
    )
    payment = call("create_payment_intent", body=wish, idempotency_key=str(uuid4()))
    confirmation = models.ConfirmPaymentIntent()
    call("confirm_payment_intent", payment.id, body=confirmation, idempotency_key=str(uuid4()), prefer="wait=20")
    until(payment, status="AUTHORIZED")
    capture = models.CaptureRequest(amount="100.50")
    call("capture_payment_intent", payment.id, body=capture, idempotency_key=str(uuid4()), prefer="wait=20")
    until(payment, status="SETTLED", captured_amount="100.50")
    refund = models.RefundRequest(amount="0.50", reason="late")
    call("refund_payment_intent", payment.id, body=refund, idempotency_key=str(uuid4()))
    print(until(payment, refunded_amount="0.50").status)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
