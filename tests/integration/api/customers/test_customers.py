"""Customers over HTTP: created once, found by their tenant alone, changed, and erased."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from services.api.customers.domain import Customer
from services.api.customers.schemas import customer_body
from tests.integration.api.conftest import Api
from tests.support.fields import filled, unseen
from tests.support.platform import Answer, Client

WHOLE = {"reference": "c-1", "name": "Ana Souza", "email": "ana@example.com", "metadata": {"tier": "gold"}}


async def made(client: Client, **members: Any) -> Any:
    body = {"reference": f"c-{uuid4().hex[:8]}"} | members
    answer = await client.call("POST", "/v1/customers", body, key=str(uuid4()))
    assert answer.status == 201, answer.raw
    return answer.json


def path(customer: Any) -> str:
    return f"/v1/customers/{customer['id']}"


def named(answer: Answer) -> dict[str, str]:
    """What is wrong, by member."""
    assert answer.status == 422, answer.raw
    return {each["pointer"]: each["detail"] for each in answer.json["errors"]}


def test_each_field_of_a_customer_shows_to_clients() -> None:
    assert unseen(filled(Customer), customer_body) == {"tenant_id"}


async def test_customer_is_created_and_read(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    customer = await made(client, **WHOLE)
    assert {name: customer[name] for name in WHOLE} == WHOLE
    assert customer["created_at"] == customer["updated_at"]
    answer = await client.call("GET", path(customer))
    assert (answer.status, answer.json) == (200, customer)


async def test_same_key_creates_one_customer(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    answers = await asyncio.gather(*(client.call("POST", "/v1/customers", WHOLE, key="k") for _ in range(8)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert {answer.json["code"] for answer in answers if answer.status == 409} <= {"idempotency_in_progress"}
    again = await client.call("POST", "/v1/customers", WHOLE, key="k")
    assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert {answer.json["id"] for answer in answers if answer.status == 201} == {again.json["id"]}
    other = await client.call("POST", "/v1/customers", WHOLE | {"name": "Bia"}, key="k")
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


async def test_reference_is_of_one_customer_at_a_time(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    bodies = [WHOLE | {"name": f"n-{number}"} for number in range(6)]
    answers = await asyncio.gather(*(client.call("POST", "/v1/customers", body, key=str(uuid4())) for body in bodies))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 5
    assert {answer.json["code"] for answer in answers if answer.status == 409} == {"customer_reference_taken"}
    first = next(answer.json for answer in answers if answer.status == 201)
    second = await made(client, reference="c-2")
    taken = await client.call("PATCH", path(second), {"reference": "c-1"})
    assert (taken.status, taken.json["code"]) == (409, "customer_reference_taken")
    assert (await client.call("DELETE", path(first))).status == 204
    assert (await client.call("PATCH", path(second), {"reference": "c-1"})).json["reference"] == "c-1"
    # Another tenant has references of its own.
    assert (await made(api.client(f"other-{uuid4().hex[:8]}"), reference="c-1"))["reference"] == "c-1"


async def test_change_leaves_what_it_does_not_name(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    customer = await made(client, **WHOLE)
    changed = await client.call("PATCH", path(customer), {"email": None, "metadata": {"tier": "iron"}})
    assert changed.status == 200, changed.raw
    assert changed.json["name"] == "Ana Souza"
    assert (changed.json["email"], changed.json["metadata"]) == (None, {"tier": "iron"})
    assert changed.json["updated_at"] > customer["updated_at"]
    same = await client.call("PATCH", path(customer), {"metadata": {"tier": "iron"}})
    assert same.json == changed.json
    assert (await client.call("GET", path(customer))).json == changed.json


async def test_change_under_a_key_is_made_once(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    customer = await made(client, **WHOLE)
    first = await client.call("PATCH", path(customer), {"name": "Bia"}, key="k")
    await client.call("PATCH", path(customer), {"name": "Eva"})
    again = await client.call("PATCH", path(customer), {"name": "Bia"}, key="k")
    assert (again.raw, again.headers["Idempotency-Replayed"]) == (first.raw, "true")
    assert (await client.call("GET", path(customer))).json["name"] == "Eva"


async def test_deleted_customer_is_erased(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    customer = await made(client, **WHOLE)
    assert (await client.call("DELETE", path(customer), key="k")).status == 204
    again = await client.call("DELETE", path(customer), key="k")
    assert (again.status, again.headers["Idempotency-Replayed"]) == (204, "true")
    for method, body in (("GET", None), ("PATCH", {"name": "Bia"}), ("DELETE", None)):
        answer = await client.call(method, path(customer), body)
        assert (answer.status, answer.json["code"]) == (404, "customer_not_found")
    assert (await client.call("GET", "/v1/customers")).json["data"] == []
    row = await api.database.fetchrow("SELECT name, email, metadata FROM customers WHERE tenant_id = $1", tenant_id)
    assert row is not None
    assert tuple(row) == (None, None, "{}")


async def test_customer_is_not_for_another_tenant(api: Api, tenant_id: str) -> None:
    customer = await made(api.client(tenant_id), **WHOLE)
    stranger = api.client(f"other-{uuid4().hex[:8]}")
    for method, body in (("GET", None), ("PATCH", {"name": "Bia"}), ("DELETE", None)):
        answer = await stranger.call(method, path(customer), body)
        assert (answer.status, answer.json["code"]) == (404, "customer_not_found")
    assert (await stranger.call("GET", "/v1/customers?reference=c-1")).json["data"] == []


async def test_those_who_may_only_read_change_nothing(api: Api, tenant_id: str) -> None:
    customer = await made(api.client(tenant_id), **WHOLE)
    reader = api.client(tenant_id, perms=["payments:read"])
    assert (await reader.call("GET", path(customer))).status == 200
    for method, where in (("POST", "/v1/customers"), ("PATCH", path(customer)), ("DELETE", path(customer))):
        answer = await reader.call(method, where, WHOLE if method != "DELETE" else None, key=str(uuid4()))
        assert (answer.status, answer.json["code"]) == (403, "missing_permission")


async def test_list_is_newest_first_and_goes_on_by_cursor(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    ids = [(await made(client, email="a@example.com"))["id"] for _ in range(5)]
    await made(client, email="b@example.com")
    shown: list[str] = []
    where: str | None = "/v1/customers?email=a@example.com&limit=2"
    while where:
        page = (await client.call("GET", where)).json
        shown += [customer["id"] for customer in page["data"]]
        cursor = page["next_cursor"]
        where = f"/v1/customers?email=a@example.com&limit=2&cursor={cursor}" if cursor else None
    assert shown == ids[::-1]
    first = (await client.call("GET", "/v1/customers?limit=2")).json["next_cursor"]
    foreign = await client.call("GET", f"/v1/customers?limit=2&email=a@example.com&cursor={first}")
    assert (foreign.status, foreign.json["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("reference", ""),
        ("reference", "r" * 129),
        ("reference", None),
        ("reference", "line\nbreak"),
        ("name", ""),
        ("name", "n" * 256),
        ("name", "line\nbreak"),
        ("email", "nobody"),
        ("email", "a@b\n"),
        ("email", f"{'e' * 250}@b.co"),
        ("metadata", {"k" * 41: "v"}),
        ("metadata", {"k": "v" * 501}),
        ("metadata", {"k": 1}),
        ("metadata", {f"k{number}": "v" for number in range(51)}),
        ("metadata", {"k": "\0"}),
        ("unknown", "x"),
    ],
)
async def test_wrong_member_is_named(api: Api, tenant_id: str, member: str, value: Any) -> None:
    client = api.client(tenant_id)
    customer = await made(client)
    answers = [
        await client.call("POST", "/v1/customers", WHOLE | {member: value}, key=str(uuid4())),
        await client.call("PATCH", path(customer), {member: value}),
    ]
    for answer in answers:
        assert any(field.startswith(f"/{member}") for field in named(answer)), answer.raw
    assert (await client.call("GET", path(customer))).json == customer


async def test_wrong_parameters_are_named(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    for where, field in (
        ("/v1/customers?limit=0", "limit"),
        ("/v1/customers?limit=201", "limit"),
        ("/v1/customers?refrence=x", "refrence"),
        ("/v1/customers?cursor=x", "cursor"),
        ("/v1/customers/nobody", "customer_id"),
    ):
        assert field in named(await client.call("GET", where)), where


async def test_each_change_is_in_the_audit_log_without_what_names_a_person(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    customer = await made(client, **WHOLE)
    await client.call("PATCH", path(customer), {"email": "b@example.com"})
    await client.call("DELETE", path(customer))
    rows = await api.database.fetch(
        "SELECT action, target, detail FROM audit_log WHERE tenant_id = $1 AND action LIKE 'customer.%' ORDER BY id",
        tenant_id,
    )
    assert [tuple(row) for row in rows] == [
        ("customer.create", customer["id"], "{}"),
        ("customer.change", customer["id"], '{"changed": "email"}'),
        ("customer.delete", customer["id"], "{}"),
    ]
