"""Customers: create, read, list, change, delete."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from litestar import Response

from libs.common.db import Database
from services.api.customers import queries
from services.api.customers.commands import By, Customers, NewCustomer
from services.api.customers.domain import CustomerFilter
from services.api.customers.schemas import (
    ChangeCustomer,
    CreateCustomer,
    CustomerBody,
    CustomerList,
    customer_body,
)
from services.api.errors import CustomerNotFound, CustomerReferenceTaken
from services.api.http.bodies import BodyReader, require_one_line, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, audit_action, operation
from services.api.http.parameters import AnyRequest, Query, QueryParameter, path_id
from services.api.http.rendering import json_answer
from services.api.idempotency import Answer, Claim, Idempotency
from services.api.idempotency.requests import given_answer, given_key, require_key

CUSTOMERS, CUSTOMERS_MAX = 50, 200
_WRITE, _READ = "payments:write", "payments:read"
_EXAMPLE = {"reference": "customer-1042", "name": "Ana Souza", "email": "ana@example.com", "metadata": {"tier": "gold"}}
_LIST_QUERY = (
    QueryParameter(
        name="reference",
        description="Exactly this reference.",
        shape={"type": "string", "maxLength": 128},
    ),
    QueryParameter(name="email", description="Exactly this address.", shape={"type": "string", "maxLength": 254}),
    QueryParameter(
        name="limit",
        description="Customers at most.",
        shape={"type": "integer", "minimum": 1, "maximum": CUSTOMERS_MAX, "default": CUSTOMERS},
    ),
    QueryParameter(
        name="cursor", description="The `next_cursor` of the page before.", shape={"type": "string", "maxLength": 512}
    ),
)


class CustomerRoutes(Resource):
    """Routes of customers."""

    customers: Customers
    idempotency: Idempotency
    database: Database

    bodies, changes = BodyReader(CreateCustomer), BodyReader(ChangeCustomer)

    @operation(
        "POST",
        "/v1/customers",
        operation_id="createCustomer",
        summary="Create a customer",
        description="Somebody who pays more than once. No processor learns of them before a payment method is saved.",
        tags=["customers"],
        body=CreateCustomer,
        example=_EXAMPLE,
        answer=CustomerBody,
        status=201,
        audit="customer.create",
        permission=_WRITE,
        idempotent=True,
        refusals=(CustomerReferenceTaken,),
    )
    async def create_customer(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        raw = await request.body()
        claim = self._claim(caller, request, raw, operation="create_customer", is_required=True)
        body = _checked(await self.bodies.take(raw))
        new = NewCustomer(reference=body.reference, name=body.name, email=body.email, metadata=body.metadata or {})
        return await self._keyed(claim, partial(self.customers.create, new, by=_by(caller), claim=claim))

    @operation(
        "GET",
        "/v1/customers/{customer_id:str}",
        operation_id="getCustomer",
        summary="Get a customer",
        tags=["customers"],
        answer=CustomerBody,
        permission=_READ,
        refusals=(CustomerNotFound,),
    )
    async def get_customer(self, caller: Caller, request: AnyRequest, customer_id: str) -> Response[bytes]:
        found = await queries.get(self.database, caller.tenant_id, path_id(customer_id, "customer_id"))
        return json_answer(customer_body(found))

    @operation(
        "GET",
        "/v1/customers",
        operation_id="listCustomers",
        summary="List customers",
        description="Newest first; deleted ones are not shown.",
        tags=["customers"],
        answer=CustomerList,
        permission=_READ,
        query=_LIST_QUERY,
    )
    async def list_customers(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        page = await queries.page(
            self.database,
            caller.tenant_id,
            CustomerFilter(
                reference=query.text("reference", length_max=128), email=query.text("email", length_max=254)
            ),
            limit=query.integer("limit", default=CUSTOMERS, at_least=1, at_most=CUSTOMERS_MAX),
            cursor=query.cursor(),
        )
        link = query.link(page.next_cursor)
        shown = CustomerList(data=[customer_body(each) for each in page.customers], next_cursor=page.next_cursor)
        return json_answer(shown, headers=link)

    @operation(
        "PATCH",
        "/v1/customers/{customer_id:str}",
        operation_id="changeCustomer",
        summary="Change a customer",
        description="Members that are missing stay as they are; `null` clears `name` and `email`; `metadata` is replaced.",
        tags=["customers"],
        body=ChangeCustomer,
        example={"email": "ana.souza@example.com"},
        answer=CustomerBody,
        audit="customer.change",
        permission=_WRITE,
        refusals=(CustomerNotFound, CustomerReferenceTaken),
    )
    async def change_customer(self, caller: Caller, request: AnyRequest, customer_id: str) -> Response[bytes]:
        requested = path_id(customer_id, "customer_id")
        raw = await request.body()
        body = _checked(await self.changes.take(raw))
        changes: dict[str, object] = {
            name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET
        }
        claim = self._claim(caller, request, raw, operation=f"change_customer:{requested}")
        return await self._keyed(claim, partial(self.customers.change, requested, changes, by=_by(caller), claim=claim))

    @operation(
        "DELETE",
        "/v1/customers/{customer_id:str}",
        operation_id="deleteCustomer",
        summary="Delete a customer",
        description="Its name, e-mail address and metadata are erased, and its reference is free for another customer. "
        "Its saved payment methods are detached, and processors forget it. Payments stay as they are.",
        tags=["customers"],
        status=204,
        audit="customer.delete",
        permission=_WRITE,
        refusals=(CustomerNotFound,),
    )
    async def delete_customer(self, caller: Caller, request: AnyRequest, customer_id: str) -> Response[bytes]:
        requested = path_id(customer_id, "customer_id")
        claim = self._claim(caller, request, b"", operation=f"delete_customer:{requested}")
        return await self._keyed(claim, partial(self.customers.delete, requested, by=_by(caller), claim=claim))

    def _claim(
        self, caller: Caller, request: AnyRequest, raw: bytes, *, operation: str, is_required: bool = False
    ) -> Claim | None:
        headers = request.headers
        key = require_key(headers, missing="Missing Idempotency-Key") if is_required else given_key(headers)
        if key is None:
            return None
        return self.idempotency.claim(tenant_id=caller.tenant_id, operation=operation, key=key, body=raw)

    async def _keyed(self, claim: Claim | None, first: Callable[[], Awaitable[Answer | None]]) -> Response[Any]:
        if claim is not None:
            given = await self.idempotency.run(claim, first)
            if given.answer.body:
                return given_answer(given)
            replayed = {"Idempotency-Replayed": "true"} if given.replayed else {}
            return Response(None, status_code=given.answer.status, headers=replayed)
        answer = await first()
        assert answer is not None, "without a key no other request holds it"
        return (
            json_answer(answer.body, status=answer.status) if answer.body else Response(None, status_code=answer.status)
        )


def _by(caller: Caller) -> By:
    return By(tenant_id=caller.tenant_id, actor=caller.actor, correlation=caller.correlation, action=audit_action())


def _checked[B: CreateCustomer | ChangeCustomer](body: B) -> B:
    """Refuse texts that cannot be kept, or that would break a line where they are shown."""
    lines = {"/reference": body.reference, "/name": body.name, "/email": body.email}
    require_one_line({pointer: text for pointer, text in lines.items() if isinstance(text, str)})
    if isinstance(body.metadata, dict):
        require_storable({f"/metadata/{name}": name + value for name, value in body.metadata.items()})
    return body
