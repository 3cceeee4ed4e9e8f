"""Every field of an endpoint and of a delivery survives its row, and what never changes is kept."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.common.contracts.notifier import ChangeEndpoint, Delivery, ListDeliveries, RegisterEndpoint
from libs.common.contracts.notifier.errors import EndpointConflict
from libs.common.ids import new_id
from services.notifier.deliveries import queries as delivery_queries
from services.notifier.endpoints import sql
from services.notifier.endpoints.domain import Endpoint
from services.notifier.endpoints.sql import IMMUTABLE, SealedEndpoint
from services.notifier.schema import tables
from tests.integration.notifier.conftest import Notifier
from tests.support.fields import distinct, filled, values_of
from tests.unit.notifier.endpoints.test_completeness import REQUESTED_AS

SETTINGS: dict[str, tuple[Any, Any]] = {
    "url": ("https://merchant.example/one", "https://merchant.example/two"),
    "events": (["payment.settled"], ["payment.*"]),
    "description": ("one", "two"),
    "rate_limit_per_second": (5, 6),
    "is_ordered": (True, False),
    "headers": ({"X-One": "1"}, {"X-Two": "2"}),
    "has_public_key": (True, False),
}
"""Each member that a registration chooses: what it is registered with, and another value."""
DELIVERY_NOT_SHOWN = {
    "tenant_id": "the caller's own",
    "attempts": "each one is listed",
    "attempts_before": "places the next attempt",
    "fence": "whose attempt counts",
    "ordering_key": "the payment, which the event names",
    "sequence": "the order of the events of one payment",
}


def shown(endpoint: Any) -> dict[str, Any]:
    every = msgspec.structs.asdict(endpoint)
    every["headers"] = list(every["header_names"])
    every["has_public_key"] = every["public_key"] is not None
    return every


def expected(name: str, value: Any) -> Any:
    return list(value) if name == "headers" else value


async def test_endpoint_survives_its_row(notifier: Notifier, tenant_id: str) -> None:
    endpoint = distinct(
        Endpoint,
        tenant_id=tenant_id,
        id=new_id(),
        is_active=False,
        url="https://a.example",
        events=("payment.settled",),
    )
    async with notifier.database.transaction() as tx:
        await sql.insert(tx, SealedEndpoint(endpoint=endpoint, secret_sealed=b"s"))
        assert await sql.find(tx, tenant_id=tenant_id, endpoint_id=endpoint.id) == (endpoint, False)


async def test_change_of_an_endpoint_survives_its_row_but_for_what_never_changes(
    notifier: Notifier, tenant_id: str
) -> None:
    before = filled(Endpoint, tenant_id=tenant_id, id=new_id(), is_active=False)
    other = {field.name: values_of(field.type)[1] for field in msgspec.structs.fields(Endpoint)}
    # An active endpoint has no reason for not being one.
    after = filled(
        Endpoint,
        **other | {"tenant_id": tenant_id, "id": before.id, "is_active": True, "disabled_reason": None},
    )
    async with notifier.database.transaction() as tx:
        await sql.insert(tx, SealedEndpoint(endpoint=before, secret_sealed=b"s"))
        changed = await sql.change(tx, SealedEndpoint(endpoint=after, secret_sealed=b"s"))
    for name in Endpoint.__struct_fields__:
        assert getattr(changed, name) == getattr(before if name in IMMUTABLE else after, name), f"{name} is lost"


def test_every_member_of_a_registration_and_of_a_change_has_two_values() -> None:
    key = {"tenant_id", "endpoint_id"}
    assert set(RegisterEndpoint.__struct_fields__) - key == SETTINGS.keys()
    assert set(ChangeEndpoint.__struct_fields__) - key - {"is_active"} == SETTINGS.keys()


@pytest.mark.parametrize("name", SETTINGS)
async def test_member_of_a_registration_is_kept_compared_and_changed(
    notifier: Notifier, tenant_id: str, name: str
) -> None:
    value, other = SETTINGS[name]
    request = RegisterEndpoint(
        tenant_id=tenant_id, endpoint_id=new_id(), **{each: first for each, (first, _) in SETTINGS.items()}
    )
    assert shown(await notifier.ask_registration(request))[name] == expected(name, value)
    assert shown(await notifier.ask_registration(request))[name] == expected(name, value)
    with pytest.raises(EndpointConflict):
        await notifier.ask_registration(msgspec.structs.replace(request, **{name: other}))
    changed = await notifier.change(tenant_id, request.endpoint_id, **{name: other})
    assert shown(changed)[name] == expected(name, other)
    kept = shown(await notifier.shown(tenant_id, request.endpoint_id))
    for each, (first, second) in SETTINGS.items():
        assert kept[each] == expected(each, second if each == name else first), f"{each} is lost"
    assert {REQUESTED_AS.get(each, each) for each in SETTINGS} <= set(Endpoint.__struct_fields__)


async def test_each_column_of_a_delivery_is_shown_or_named(notifier: Notifier, tenant_id: str) -> None:
    event_id, at = new_id(), notifier.clock.now()
    row: dict[str, Any] = {
        "tenant_id": tenant_id,
        "endpoint_id": new_id(),
        "event_id": event_id,
        "id": new_id(),
        "event_type": "payment.settled",
        "status": "FAILED",
        "attempts": 3,
        "next_attempt_at": None,
        "fence": 4,
        "created_at": at,
        "ended_at": at + timedelta(minutes=1),
        "end_reason": "exhausted",
        "ordering_key": new_id(),
        "sequence": 5,
        "replays": 6,
        "attempts_before": 2,
    }
    assert row.keys() == {column.name for column in tables.DELIVERIES.columns}, "give the new column a value here"
    pending = row | {"endpoint_id": new_id(), "id": new_id(), "status": "PENDING", "next_attempt_at": at}
    pending |= {"ended_at": None, "end_reason": None}
    names, places = ", ".join(row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
    for each in (row, pending):
        await notifier.database.write(f"INSERT INTO deliveries ({names}) VALUES ({places})", *each.values())
        await notifier.database.write(
            "INSERT INTO webhook_endpoints (tenant_id, id, url, events, is_active, secret_sealed, created_at) "
            "VALUES ($1, $2, 'https://merchant.example', '{*}', true, 's', $3)",
            tenant_id,
            each["endpoint_id"],
            at,
        )
        request = ListDeliveries(tenant_id=tenant_id, endpoint_id=each["endpoint_id"])
        (delivery,) = (await delivery_queries.list_deliveries(notifier.database, request)).deliveries
        assert set(Delivery.__struct_fields__) - {"attempts", "body"} == row.keys() - DELIVERY_NOT_SHOWN.keys()
        assert delivery.body is None, "a list carries no bodies"
        for name in row.keys() - DELIVERY_NOT_SHOWN.keys():
            assert getattr(delivery, name) == each[name], f"{name} of a delivery is lost"
