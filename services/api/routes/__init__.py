"""What we are asked over HTTP. Every route: who asks, for which tenant, may they; then the body; then the business."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.handlers import HTTPRouteHandler

from libs.common.contracts import Message
from libs.common.db import Database
from services.api.auth import Access, Login
from services.api.commands import PaymentCommands
from services.api.idempotency import Idempotency
from services.api.routes.accounts import account_routes
from services.api.routes.authentication import authentication_routes
from services.api.routes.documentation import document, documentation_routes
from services.api.routes.ledger import ledger_routes
from services.api.routes.payment_intents import payment_intent_routes
from services.api.routes.rendering import render_intent
from services.api.routes.webhooks import webhook_routes

__all__ = ["document", "render_intent", "routes"]


def routes(
    *,
    access: Access,
    login: Login,
    payments: PaymentCommands,
    idempotency: Idempotency,
    database: Database,
    ask: Callable[[Message], Awaitable[Any]],
    currencies: frozenset[str],
) -> list[HTTPRouteHandler]:
    """Build all routes of the api, and the documents about them."""
    business = [
        *authentication_routes(access, login),
        *payment_intent_routes(access, payments, idempotency, database, currencies=currencies),
        *ledger_routes(access, ask),
        *account_routes(access, ask),
        *webhook_routes(access, ask),
    ]
    return [*business, *documentation_routes(business)]
