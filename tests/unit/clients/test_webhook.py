"""The Python client believes no webhook that the notifier has not signed, lately, for this endpoint."""

import base64
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.ids import new_id
from payments_client import Webhook, WebhookRejected, models, read_data
from services.notifier.sending.signing import new_secret, new_signing_key, signed_headers

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SECRET = new_secret()
PRIVATE, PUBLIC = new_signing_key()


def delivered(event_id: UUID, **changes: object) -> bytes:
    event = {"id": str(event_id), "type": "payment.settled", "timestamp": NOW.isoformat(), "version": 1}
    return json.dumps(event | {"tenant_id": "t", "data": {"currency": "BRL"}} | changes).encode()


def signed(event_id: UUID, body: bytes, *secrets: str, at: datetime = NOW) -> dict[str, str]:
    return signed_headers(
        signing_secrets=secrets or (f"{SECRET} {PRIVATE}",),
        event_id=event_id,
        event_type="payment.settled",
        delivery_id=new_id(),
        body=body,
        sent_at=at,
    )


def webhook(*keys: str) -> Webhook:
    return Webhook(keys or SECRET, now=NOW.timestamp)


@pytest.mark.parametrize("key", [SECRET, PUBLIC], ids=["secret", "public key"])
def test_what_the_notifier_signs_is_an_event(key: str) -> None:
    event_id = new_id()
    body = delivered(event_id)
    event = webhook(key).verify(body, signed(event_id, body))
    assert (event.id, event.type, event.data) == (str(event_id), "payment.settled", {"currency": "BRL"})


def test_both_secrets_hold_while_one_replaces_the_other() -> None:
    event_id, new = new_id(), new_secret()
    body = delivered(event_id)
    headers = signed(event_id, body, new, SECRET)
    for keys in ([SECRET], [new], [new_secret(), new]):
        assert webhook(*keys).verify(body, {name.upper(): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"webhook-id": str(UUID(int=1))}, "no signature holds"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, "no signature holds"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) + 301)}, "too long ago"),
        ({"webhook-timestamp": "²"}, "no instant"),
        ({"webhook-timestamp": "9" * 400}, "no instant"),
        ({"webhook-timestamp": "-1"}, "no instant"),
        ({"webhook-signature": "v1,"}, "no signature holds"),
        ({"webhook-signature": "v1a,x v1a,é v1,é"}, "no signature holds"),
        ({"webhook-signature": "v1a," + base64.b64encode(b"0" * 64).decode()}, "no signature holds"),
    ],
)
@pytest.mark.parametrize("key", [SECRET, PUBLIC], ids=["secret", "public key"])
def test_anything_else_is_rejected(key: str, changed: dict[str, str], expected: str) -> None:
    event_id = new_id()
    body = delivered(event_id)
    with pytest.raises(WebhookRejected, match=expected):
        webhook(key).verify(body, signed(event_id, body) | changed)
    headers = signed(event_id, body)
    with pytest.raises(WebhookRejected, match="no signature holds"):
        webhook(key).verify(body + b" ", headers)
    del headers["webhook-signature"]
    with pytest.raises(WebhookRejected, match="missing"):
        webhook(key).verify(body, headers)


def test_what_is_old_is_rejected() -> None:
    event_id = new_id()
    body = delivered(event_id)
    assert webhook().verify(body, signed(event_id, body, SECRET, at=NOW - timedelta(seconds=300)))
    with pytest.raises(WebhookRejected, match="too long ago"):
        webhook().verify(body, signed(event_id, body, SECRET, at=NOW - timedelta(seconds=301)))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", delivered(new_id(), data=[]), delivered(UUID(int=1))],
    ids=["empty", "list", "object", "data", "id"],
)
def test_what_is_signed_and_no_event_is_rejected(body: bytes) -> None:
    event_id = new_id()
    with pytest.raises(WebhookRejected):
        webhook().verify(body, signed(event_id, body))


@pytest.mark.parametrize("key", ["", "whsec_", "whsec_é", "whpk_AAAA", "secret", "whsk_AAAA"])
def test_a_key_that_is_none_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError):
        Webhook(key)
    with pytest.raises(ValueError):
        Webhook([])


def test_data_is_read_as_what_the_document_says() -> None:
    event_id = new_id()
    body = delivered(event_id)
    event = webhook().verify(body, signed(event_id, body))
    with pytest.raises(WebhookRejected, match=r"no PaymentSettled"):
        read_data(event, models.PaymentSettled)
