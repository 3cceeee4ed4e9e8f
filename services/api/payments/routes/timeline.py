"""What may be shown together with a payment intent, on request, and the timeline by itself."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Response

from libs.common.contracts.ledger import ListEntries
from libs.common.db import Database
from services.api.books.routes.entries import ENTRIES_MAX
from services.api.books.schemas.entries import EntryBody, entry_body
from services.api.errors import PaymentIntentNotFound
from services.api.http.callers import Caller
from services.api.http.controllers import Resource, operation
from services.api.http.parameters import AnyRequest, QueryParameter, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.payments import queries
from services.api.payments.domain import PaymentIntent
from services.api.payments.schemas import PaymentIntentBody, TimelineEventBody, event_body, intent_body

_READ = "payments:read"
EXPANSIONS = {"events": ("events",), "entries": ("entries",)}
"""What `expand` may name."""
EXPAND = QueryParameter(
    name="expand",
    description="Comma list of what to show with it: `events`, its timeline; `entries`, its journal entries, which needs "
    "the permission `ledger:read` too.",
    shape={"type": "string", "pattern": "^ *(events|entries) *(, *(events|entries) *)*$", "examples": ["events"]},
)


class ExpandedPaymentIntent(PaymentIntentBody, frozen=True, kw_only=True):
    """A payment intent, and what is shown with it on request."""

    events: list[TimelineEventBody] | msgspec.UnsetType = msgspec.UNSET
    entries: list[EntryBody] | msgspec.UnsetType = msgspec.UNSET


class Expansion:
    """Shows intents with what belongs to them."""

    def __init__(self, database: Database, ask: Ask) -> None:
        self._database = database
        self._ask = ask

    async def show(self, intent: PaymentIntent, requested: tuple[str, ...]) -> ExpandedPaymentIntent:
        """Show an intent with what is requested: one read of ours for events, one request to the ledger for entries."""
        shown: dict[str, Any] = msgspec.structs.asdict(intent_body(intent))
        if "events" in requested:
            shown["events"] = await self.events(intent.tenant_id, intent.id)
        if "entries" in requested:
            page = await self._ask(
                ListEntries(tenant_id=intent.tenant_id, payment_intent_id=intent.id, limit=ENTRIES_MAX)
            )
            shown["entries"] = [entry_body(entry) for entry in page.entries]
        return ExpandedPaymentIntent(**shown)

    async def events(self, tenant_id: str, intent_id: UUID) -> list[TimelineEventBody]:
        """The timeline of one intent, oldest first.

        Raises:
            PaymentIntentNotFound: when the tenant has no such intent.
        """
        return [event_body(event) for event in await queries.timeline(self._database, tenant_id, intent_id)]


class Timelines(Resource):
    """Routes: `GET /v1/payment-intents/{intent_id}/events`."""

    expansion: Expansion

    @operation(
        "GET",
        "/v1/payment-intents/{intent_id:str}/events",
        operation_id="listPaymentIntentEvents",
        summary="The timeline of a payment intent",
        description="What happened, when and by whom, oldest first, as a bare array.",
        tags=["payment intents"],
        answer=list[TimelineEventBody],
        permission=_READ,
        refusals=(PaymentIntentNotFound,),
    )
    async def list_events(self, caller: Caller, request: AnyRequest, intent_id: str) -> Response[bytes]:
        return json_answer(await self.expansion.events(caller.tenant_id, path_id(intent_id, "payment_intent_id")))
