"""Every member that a client may write reaches the service that owns the resource, and none is left at its default."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from libs.common.contracts import Message
from libs.common.contracts.gateway_customers import StartSetup
from libs.common.contracts.ledger import OpenAccount
from libs.common.contracts.ledger_books import PlaceHold
from libs.common.contracts.notifier import ChangeEndpoint, RegisterEndpoint, RotateSecret, StartReplay
from services.api.app import seed
from services.api.books.schemas.accounts import CreateAccount
from services.api.books.schemas.holds import PlaceHoldBody
from services.api.customers.schemas import StartSetupIntent
from services.api.webhooks.schemas import ChangeWebhook, CreateWebhook, ReplayWebhook, RotateWebhookSecret
from tests.integration.api.conftest import Api, serving, settings_for
from tests.integration.api.idempotency.conftest import Owner, root
from tests.support.databases import TestDatabase

ID = "01900000-0000-7000-8000-000000000001"
ENDPOINT = {
    "url": "https://a.example/x",
    "events": ["payment.settled"],
    "description": "d",
    "rate_limit_per_second": 7,
    "is_ordered": True,
    "headers": {"X-Own": "1"},
    "has_public_key": True,
}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A write with every member."""

    method: str = "POST"
    path: str
    shape: type[msgspec.Struct]
    """What the body is read as."""
    body: dict[str, Any]
    """No member has its default."""
    request: type[Message]
    """What the owner receives."""
    renamed: dict[str, str] = {}
    """Members that the request has under another name."""
    minted: tuple[str, ...] = ()
    """Fields of the request that the api adds."""


CASES = [
    Case(
        path="/v1/ledger/holds",
        shape=PlaceHoldBody,
        body={
            "id": ID,
            "debit_account": "CASH",
            "credit_account": "REVENUE",
            "amount": "1.50",
            "currency": "BRL",
            "expires_at": "2027-01-01T00:00:00Z",
        },
        request=PlaceHold,
        renamed={"id": "hold_id", "amount": "amount_minor"},
        minted=("tenant_id",),
    ),
    Case(
        path=f"/v1/customers/{ID}/setup-intents",
        shape=StartSetupIntent,
        body={"currency": "BRL", "payment_method": "pm_card_visa", "return_url": "https://a.example/back"},
        request=StartSetup,
        minted=("tenant_id", "customer_id", "setup_id", "name", "email"),
    ),
    Case(
        path="/v1/accounts",
        shape=CreateAccount,
        body={
            "code": "FEES",
            "label": "Fees",
            "account_type": "EXPENSE",
            "floor_minor": -5,
            "ceiling_minor": 900,
            "currencies": ["BRL"],
        },
        request=OpenAccount,
        minted=("tenant_id", "account_id"),
    ),
    Case(
        path="/v1/webhooks",
        shape=CreateWebhook,
        body=ENDPOINT,
        request=RegisterEndpoint,
        minted=("tenant_id", "endpoint_id"),
    ),
    Case(
        method="PATCH",
        path=f"/v1/webhooks/{ID}",
        shape=ChangeWebhook,
        body=ENDPOINT | {"is_active": True},
        request=ChangeEndpoint,
        minted=("tenant_id", "endpoint_id"),
    ),
    Case(
        path=f"/v1/webhooks/{ID}/rotate-secret",
        shape=RotateWebhookSecret,
        body={"overlap_seconds": 61},
        request=RotateSecret,
        minted=("tenant_id", "endpoint_id"),
    ),
    Case(
        path=f"/v1/webhooks/{ID}/replay",
        shape=ReplayWebhook,
        body={
            "outcomes": ["delivered"],
            "event_ids": [ID],
            "event_types": ["payment.settled"],
            "since": "2026-11-01T00:00:00Z",
            "until": "2026-11-02T00:00:00Z",
            "dry_run": True,
        },
        request=StartReplay,
        renamed={"dry_run": "is_dry_run"},
        minted=("tenant_id", "endpoint_id", "key"),
    ),
]


@pytest.fixture(scope="module")
def owner() -> Owner:
    return Owner()


@pytest.fixture(scope="module")
async def api(api_database: TestDatabase, owner: Owner) -> AsyncIterator[Api]:
    settings = settings_for(api_database)
    await seed(settings)
    async with serving(api_database, settings, ask=owner.ask) as running:
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method} {case.path}")
async def test_every_member_reaches_the_owner(api: Api, owner: Owner, tenant_id: str, case: Case) -> None:
    assert set(case.body) == set(case.shape.__struct_fields__), "give the new member a value here"
    # An operator names a tenant that is there.
    member = api.client(tenant_id, roles=["admin"], perms=["profile:read"], plan="enterprise")
    assert (await member.call("GET", "/v1/feature-flags")).status == 200
    sql = "INSERT INTO customers (tenant_id, id, reference, name, email, created_at, updated_at) VALUES ($1, $2, 'c', 'n', 'e', now(), now()) RETURNING 1"
    await api.database.write(sql, tenant_id, ID)
    owner.done.clear()
    answer = await root(api, tenant_id).call(case.method, case.path, case.body)
    assert answer.status < 300, answer.json
    (received,) = owner.done
    assert isinstance(received, case.request)
    names = {case.renamed.get(name, name) for name in case.body}
    assert names == set(case.request.__struct_fields__) - set(case.minted), "a field of the request cannot be written"
    expected = {case.renamed.get(name, name): value for name, value in case.body.items()} | {"amount_minor": 150}
    for field in msgspec.structs.fields(case.request):
        if field.name in case.minted:
            continue
        value = getattr(received, field.name)
        assert value != field.default, f"{field.name} is lost between the body and the request"
        assert value == msgspec.convert(expected[field.name], field.type), f"{field.name} is changed on the way"
