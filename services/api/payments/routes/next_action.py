"""What the customer of a payment does next, with what only their own browser may know."""

import msgspec
from litestar import Response

from libs.common.contracts.gateway_requests import ReadClientSecret
from libs.common.db import Database
from services.api.errors import NoActionRequired, PaymentIntentNotFound
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.payments import queries
from services.api.payments.schemas import ClientActionBody, next_action

_PRIVATE = {"Cache-Control": "no-store"}


class NextActions(Resource):
    """Routes: `GET /v1/payment-intents/{intent_id}/next-action`."""

    database: Database
    ask: Ask

    @operation(
        "GET",
        "/v1/payment-intents/{intent_id:str}/next-action",
        operation_id="getPaymentIntentNextAction",
        summary="What the customer of a payment intent does next",
        description="While the intent is REQUIRES_ACTION: `redirect` with the whole `url` to send the customer to, "
        "the code or the slip that they pay, or "
        "`use_stripe_sdk` with the `client_secret` that Stripe's client library goes on with (`handleNextAction`). The "
        "secret, and the `url`, which may carry it, are read from the processor each time and kept nowhere: pass them to the "
        "customer's browser, and do not log or store them.",
        tags=["payment intents"],
        answer=ClientActionBody,
        # Whoever has the secret can act on the payment, so reading it is not for those who may only look.
        permission="payments:write",
        refusals=(PaymentIntentNotFound, NoActionRequired),
    )
    async def get_next_action(self, caller: Caller, request: AnyRequest, intent_id: str) -> Response[bytes]:
        intent = await queries.get(self.database, caller.tenant_id, path_id(intent_id, "payment_intent_id"))
        shown = next_action(intent)
        if shown is None:
            raise NoActionRequired(
                "the payment intent is being voided" if intent.is_voiding else f"the payment intent is {intent.status}"
            )
        action = ClientActionBody(**msgspec.structs.asdict(shown))
        if shown.type in ("use_stripe_sdk", "redirect"):
            answer = await self.ask(ReadClientSecret(tenant_id=caller.tenant_id, payment_intent_id=intent.id))
            if not (answer.client_secret or answer.action_url):
                # The customer has acted, and the api has not received it yet.
                raise NoActionRequired("the processor waits for no customer of this payment intent")
            if shown.type == "redirect":
                action = msgspec.structs.replace(action, url=answer.action_url or action.url)
            else:
                action = msgspec.structs.replace(action, client_secret=answer.client_secret)
        return json_answer(action, headers=_PRIVATE)
