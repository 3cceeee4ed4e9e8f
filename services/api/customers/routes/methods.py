"""Saved payment methods of customers, and setups by which they are saved; the gateway keeps them and answers over the broker."""

from uuid import UUID

from litestar import Response

from libs.common.contracts.gateway_customers import (
    DetachSavedMethod,
    GetSetup,
    ListSavedMethods,
    ReadSetupSecret,
    StartSetup,
)
from libs.common.contracts.gateway_errors import SavedMethodNotFound, SetupNotFound, SetupRefused
from libs.common.db import Database
from services.api.customers import queries
from services.api.customers.domain import Customer
from services.api.customers.schemas import (
    SavedMethodBody,
    SetupActionBody,
    SetupIntentBody,
    StartSetupIntent,
    method_body,
    setup_body,
)
from services.api.errors import CustomerNotFound, NoActionRequired
from services.api.http.bodies import BodyReader
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import AnyRequest, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask

_WRITE, _READ = "payments:write", "payments:read"
_PRIVATE = {"Cache-Control": "no-store"}


class SavedMethods(Resource):
    """Routes of setups and saved payment methods."""

    ask: Ask
    database: Database

    bodies = BodyReader(StartSetupIntent)

    async def _customer(self, caller: Caller, customer_id: str) -> Customer:
        return await queries.get(self.database, caller.tenant_id, path_id(customer_id, "customer_id"))

    @operation(
        "POST",
        "/v1/customers/{customer_id:str}/setup-intents",
        operation_id="createSetupIntent",
        summary="Save a payment method of a customer",
        description="Nothing is charged. Without a `payment_method` the customer enters one in the processor's client "
        "library, with the `client_secret` of `next-action`; with one it is saved at once, or the customer proves who they "
        "are first. Repeated under one `Idempotency-Key`, it is one setup.",
        tags=["customers"],
        body=StartSetupIntent,
        body_optional=True,
        example={"currency": "BRL", "payment_method": "pm_card_visa"},
        answer=SetupIntentBody,
        status=201,
        permission=_WRITE,
        refusals=(CustomerNotFound, SetupNotFound, SetupRefused),
        change=Change(StartSetup, "gateway.start_setup", target="setup_id"),
    )
    async def create_setup_intent(self, caller: Caller, request: AnyRequest, customer_id: str) -> Response[bytes]:
        body = await self.bodies.take(await request.body() or b"{}")
        customer = await self._customer(caller, customer_id)
        setup = await self.ask(
            StartSetup(
                tenant_id=caller.tenant_id,
                customer_id=customer.id,
                setup_id=resource_id(),
                name=customer.name or "",
                email=customer.email or "",
                currency=body.currency or "",
                payment_method=body.payment_method or "",
                return_url=body.return_url or "",
            )
        )
        return json_answer(setup_body(setup), status=201)

    @operation(
        "GET",
        "/v1/customers/{customer_id:str}/setup-intents/{setup_id:str}",
        operation_id="getSetupIntent",
        summary="Get a setup intent",
        description="How far the saving is, read from the processor while it is not over.",
        tags=["customers"],
        answer=SetupIntentBody,
        permission=_READ,
        refusals=(CustomerNotFound, SetupNotFound),
    )
    async def get_setup_intent(
        self, caller: Caller, request: AnyRequest, customer_id: str, setup_id: str
    ) -> Response[bytes]:
        named, customer = path_id(setup_id, "setup_id"), await self._customer(caller, customer_id)
        setup = await self.ask(GetSetup(tenant_id=caller.tenant_id, customer_id=customer.id, setup_id=named))
        return json_answer(setup_body(setup))

    @operation(
        "GET",
        "/v1/customers/{customer_id:str}/setup-intents/{setup_id:str}/next-action",
        operation_id="getSetupIntentNextAction",
        summary="With what a customer saves a payment method",
        description="`redirect` with the `url` to send the customer to, or `use_stripe_sdk` with the `client_secret` for "
        "Stripe's client library (`confirmSetup`, `handleNextAction`). The secret is read from the processor each time and "
        "kept nowhere: pass it to the customer's browser, and do not log or store it.",
        tags=["customers"],
        answer=SetupActionBody,
        # Whoever has the secret can save a payment method, so reading it is not for those who may only look.
        permission=_WRITE,
        refusals=(CustomerNotFound, SetupNotFound, NoActionRequired),
    )
    async def get_setup_intent_next_action(
        self, caller: Caller, request: AnyRequest, customer_id: str, setup_id: str
    ) -> Response[bytes]:
        named, customer = path_id(setup_id, "setup_id"), await self._customer(caller, customer_id)
        found = await self.ask(ReadSetupSecret(tenant_id=caller.tenant_id, customer_id=customer.id, setup_id=named))
        if found.action_url:
            return json_answer(SetupActionBody(type="redirect", url=found.action_url), headers=_PRIVATE)
        if not found.client_secret:
            raise NoActionRequired("the processor waits for no customer of this setup intent")
        action = SetupActionBody(type="use_stripe_sdk", client_secret=found.client_secret)
        return json_answer(action, headers=_PRIVATE)

    @operation(
        "GET",
        "/v1/customers/{customer_id:str}/payment-methods",
        operation_id="listSavedPaymentMethods",
        summary="List the saved payment methods of a customer",
        description="Newest first, as a bare array: type, brand, last four digits and expiry. Detached ones are not shown.",
        tags=["customers"],
        answer=list[SavedMethodBody],
        permission=_READ,
        refusals=(CustomerNotFound,),
    )
    async def list_saved_payment_methods(
        self, caller: Caller, request: AnyRequest, customer_id: str
    ) -> Response[bytes]:
        customer = await self._customer(caller, customer_id)
        found = await self.ask(ListSavedMethods(tenant_id=caller.tenant_id, customer_id=customer.id))
        return json_answer([method_body(method) for method in found.methods])

    @operation(
        "DELETE",
        "/v1/customers/{customer_id:str}/payment-methods/{payment_method_id:str}",
        operation_id="detachSavedPaymentMethod",
        summary="Detach a saved payment method",
        description="No payment is charged to it any more, and the processor forgets it. Again is success.",
        tags=["customers"],
        status=204,
        permission=_WRITE,
        refusals=(CustomerNotFound, SavedMethodNotFound),
        change=Change(DetachSavedMethod, "gateway.detach_saved_method", target="payment_method_id"),
    )
    async def detach_saved_payment_method(
        self, caller: Caller, request: AnyRequest, customer_id: str, payment_method_id: str
    ) -> None:
        named: UUID = path_id(payment_method_id, "payment_method_id")
        customer = await self._customer(caller, customer_id)
        await self.ask(DetachSavedMethod(tenant_id=caller.tenant_id, customer_id=customer.id, payment_method_id=named))
