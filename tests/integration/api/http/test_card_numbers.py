"""A card number in a text is refused, masked or allowed, and nowhere kept or repeated."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from services.api.app import seed
from services.api.settings import CardNumbers, PaymentSettings
from tests.integration.api.access.test_access import problem
from tests.integration.api.conftest import CONFIRM_TIMEOUT_SECONDS, Api, serving, settings_for
from tests.integration.api.http.test_hostile_inputs import ENTRY, GOOD, INTENTS, NOWHERE, pointers
from tests.support.databases import TestDatabase
from tests.support.platform import Client

CARD, MASKED = "4111111111111111", "411111******1111"
TEXTS: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST", INTENTS, GOOD | {"customer_ref": CARD}, "/customer_ref"),
    ("POST", INTENTS, GOOD | {"description": "card 4111 1111-1111 1111"}, "/description"),
    ("POST", INTENTS, GOOD | {"metadata": {"note": f"pan {CARD}"}}, "/metadata/note"),
    ("POST", INTENTS, GOOD | {"metadata": {CARD: "x"}}, f"/metadata/{MASKED}"),
    ("POST", INTENTS, GOOD | {"payment_method": CARD}, "/payment_method"),
    ("POST", f"{INTENTS}/{NOWHERE}/refund", {"reason": CARD}, "/reason"),
    ("POST", "/v1/accounts", {"code": "X", "label": CARD, "account_type": "ASSET"}, "/label"),
    ("POST", "/v1/ledger/entries", {"entries": [ENTRY | {"description": CARD}]}, "/entries/0/description"),
    ("POST", "/v1/webhooks", {"url": f"https://example.com/{CARD}", "events": ["*"]}, "/url"),
]


@pytest.mark.parametrize(("method", "path", "body", "pointer"), TEXTS, ids=[row[3] for row in TEXTS])
async def test_a_card_number_in_a_text_is_refused_and_nowhere_kept(
    api: Api,
    client: Client,
    method: str,
    path: str,
    body: dict[str, Any],
    pointer: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    refused = await client.call(method, path, body, key=uuid4().hex)
    assert (refused.status, problem(refused)["code"], pointers(refused)) == (422, "card_number_in_text", [pointer])
    assert CARD.encode() not in refused.raw
    escaped = json.dumps(body).replace(CARD, "".join(f"\\u{ord(digit):04x}" for digit in CARD))
    assert (await client.call(method, path, raw=escaped.encode(), key=uuid4().hex)).status == 422
    kept = await api.database.fetch("SELECT audit_log::text AS line FROM audit_log WHERE tenant_id = $1", client.tenant)
    assert not [row for row in kept if CARD in row["line"]]
    assert CARD not in "".join(capfd.readouterr())


async def test_a_card_number_elsewhere_in_a_request_is_not_repeated(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    answers = [
        await client.call("GET", f"{INTENTS}?customer_ref={CARD}"),
        await client.call("GET", f"{INTENTS}?{CARD}=1"),
        await client.call("GET", f"{INTENTS}/{CARD}"),
        await client.call("GET", f"/v1/{CARD}"),
        await client.call("POST", INTENTS, GOOD | {CARD: 1}, key=uuid4().hex),
        await client.call("GET", "/v1/me", headers={"X-Correlation-Id": CARD}),
        await client.call("POST", INTENTS, GOOD, key=CARD),
    ]
    assert [answer.status for answer in answers] == [422, 422, 422, 404, 422, 200, 422]
    for answer in answers:
        assert CARD.encode() not in answer.raw
        assert CARD not in answer.headers["x-correlation-id"]
    assert CARD not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "reference",
    ["2026112800001234", "order:8d7f", "36000009000140", "35260411222333000181550010000012341234567890"],
)
async def test_numbers_of_orders_are_taken(client: Client, reference: str) -> None:
    body = GOOD | {"customer_ref": reference, "metadata": {"order": reference}}
    assert (await client.call("POST", INTENTS, body, key=uuid4().hex)).status == 200


@pytest.fixture(scope="module")
async def choices(api_database: TestDatabase) -> AsyncIterator[dict[CardNumbers, Api]]:
    """An api for each other thing that may become of card numbers."""
    found = {}
    for choice in (CardNumbers.MASK, CardNumbers.ALLOW):
        payments = PaymentSettings(confirm_timeout_seconds=CONFIRM_TIMEOUT_SECONDS, card_numbers=choice)
        found[choice] = settings_for(api_database, payments=payments)
    await seed(found[CardNumbers.MASK])
    async with (
        serving(api_database, found[CardNumbers.MASK]) as masking,
        serving(api_database, found[CardNumbers.ALLOW]) as allowing,
    ):
        yield {CardNumbers.MASK: masking, CardNumbers.ALLOW: allowing}


async def test_card_numbers_may_be_masked_or_allowed(choices: dict[CardNumbers, Api], tenant_id: str) -> None:
    body = GOOD | {"customer_ref": CARD, "metadata": {"n": f"pan {CARD}"}, "amount": "4111111111111"}
    for choice, shown in ((CardNumbers.MASK, MASKED), (CardNumbers.ALLOW, CARD)):
        answer = await choices[choice].client(tenant_id).call("POST", INTENTS, body, key=uuid4().hex)
        assert answer.status == 200
        assert (answer.json["customer_ref"], answer.json["metadata"]) == (shown, {"n": f"pan {shown}"})
        assert answer.json["amount"] == "4111111111111.00"
