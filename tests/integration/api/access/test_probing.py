"""What a stranger, or another tenant, learns by trying: nothing, in no longer or shorter time."""

import asyncio
import time
from uuid import uuid4

import pytest

from tests.integration.api.conftest import Api, token_of
from tests.support.platform import OPERATOR

INJECTIONS = (
    "' OR '1'='1",
    "'; DROP TABLE api.payment_intents; --",
    "\\' OR 1=1 --",
    "$1",
    ":tenant_id",
    "%' OR '%'='",
)
LOGINS = 4
"""A login costs tens of milliseconds of computing, so few are enough to tell one hash from none."""


async def _cost(api: Api, email: str) -> float:
    """Seconds of computing that a failed login takes; other processes of the machine do not count."""
    began = time.process_time()
    for _ in range(LOGINS):
        answer = await api.stranger().call("POST", "/v1/auth/token", {"email": email, "password": "wrong"})
        assert (answer.status, answer.json["code"]) == (401, "invalid_credentials")
    return time.process_time() - began


async def test_unknown_name_costs_as_much_as_a_wrong_password(api: Api) -> None:
    await _cost(api, OPERATOR[0])
    known, unknown = await _cost(api, OPERATOR[0]), await _cost(api, f"{uuid4().hex}@example.com")
    assert 0.5 < known / unknown < 2


@pytest.mark.parametrize("text", INJECTIONS)
async def test_text_is_never_sql(api: Api, tenant_id: str, text: str) -> None:
    client, other = api.client(tenant_id), api.client(f"{tenant_id}-b")
    await other.create(customer_ref="theirs")
    created = await client.create(customer_ref=text)
    assert created["customer_ref"] == text
    found = await client.call("GET", f"/v1/payment-intents?customer_ref={_quoted(text)}")
    assert [each["id"] for each in found.json["data"]] == [created["id"]]
    for path in (f"/v1/payment-intents/{_quoted(text)}", f"/v1/payment-intents?status={_quoted(text)}"):
        assert (await client.call("GET", path)).status in {400, 404, 422}


async def test_key_of_another_tenant_is_as_if_it_were_not_there(api: Api, tenant_id: str) -> None:
    body = {"amount": "1.00", "currency": "BRL", "customer_ref": "c"}
    key = str(uuid4())
    first = await api.client(tenant_id).call("POST", "/v1/payment-intents", body, key=key)
    # Another body under the same key: their own tenant would be refused for it, and another one knows of no such key.
    other = await api.client(f"{tenant_id}-b").call("POST", "/v1/payment-intents", body | {"amount": "2.00"}, key=key)
    assert (first.status, other.status) == (200, 200)
    assert "Idempotency-Replayed" not in other.headers
    assert other.json["id"] != first.json["id"]


@pytest.mark.parametrize("name", ["X-Correlation-Id", "Idempotency-Key", "X-Tenant-Id", "Authorization"])
@pytest.mark.parametrize("breaks", [b"\n", b"\r", b"\x0b", b"\x85", b"\xe2\x80\xa8", b"\x00"])
async def test_header_that_breaks_lines_reaches_no_log(
    api: Api, tenant_id: str, capsys: pytest.CaptureFixture[str], name: str, breaks: bytes
) -> None:
    sent = {
        "Host": b"api",
        "Authorization": f"Bearer {token_of(tenant_id)}".encode(),
        "X-Tenant-Id": tenant_id.encode(),
    }
    sent[name] = b"x" + breaks + b"forged: payment.settled"
    lines = [f"{header}: ".encode() + value for header, value in sent.items()]
    reader, writer = await asyncio.open_connection(*api.base.removeprefix("http://").split(":"))
    writer.write(b"GET /v1/payment-intents HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 ")
    head, _, _ = answer.partition(b"\r\n\r\n")
    assert b"forged" not in head
    assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith("forged")]


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())
