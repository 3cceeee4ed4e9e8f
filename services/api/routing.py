"""What we are asked over HTTP. Every route: who asks, for which tenant, may they; then the body; then the business."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import Response, Router, route
from litestar.handlers import HTTPRouteHandler

from libs.common.clock import Clock
from libs.common.contracts import Message
from libs.common.db import Database
from services.api.access import Access, Directory, Login, Tokens
from services.api.access.auditing import audited
from services.api.access.routes.authentication import authentication_routes, key_set_route
from services.api.access.routes.features import feature_routes
from services.api.audit.routes import audit_routes
from services.api.books.routes.accounts import account_routes
from services.api.books.routes.entries import ledger_routes
from services.api.books.routes.exchange import exchange_routes
from services.api.books.routes.holds import hold_routes
from services.api.books.routes.journal import journal_routes
from services.api.books.routes.periods import period_routes
from services.api.books.routes.reports import report_routes
from services.api.books.routes.roles import role_routes
from services.api.books.routes.verification import verification_routes
from services.api.http.chaos import Chaos
from services.api.http.declared import Declared
from services.api.http.documentation import document, documentation_routes
from services.api.http.routes import chaos_routes
from services.api.idempotency import Idempotency
from services.api.idempotency.requests import keyed, take_keys
from services.api.payments.commands import Operations, PaymentCommands
from services.api.payments.queries import Totals
from services.api.payments.routes.intents import payment_intent_routes
from services.api.payments.routes.operations import operation_routes
from services.api.payments.routes.timeline import Expansion, timeline_routes
from services.api.payments.schemas import render_intent, render_refund
from services.api.processors.routes import gateway_routes
from services.api.settings import CardNumbers
from services.api.webhooks.routes import webhook_routes

__all__ = ["document", "render_intent", "render_refund", "routes"]


def routes(
    *,
    access: Access,
    tokens: Tokens,
    login: Login,
    payments: PaymentCommands,
    operations: Operations,
    idempotency: Idempotency,
    database: Database,
    ask: Callable[[Message], Awaitable[Any]],
    currencies: frozenset[str],
    totals: Totals,
    chaos: Chaos | None,
    directory: Directory,
    clock: Clock,
    cards: CardNumbers,
) -> list[HTTPRouteHandler | Router]:
    """Build all routes of the api, and the documents about them; without `chaos`, none to choose it."""
    unaudited, ask = keyed(idempotency, ask), keyed(idempotency, audited(access, ask))
    expansion = Expansion(access, database, ask)
    business = [
        *authentication_routes(access, login),
        *payment_intent_routes(
            access, payments, idempotency, database, expansion, totals=totals, currencies=currencies
        ),
        *operation_routes(access, operations, idempotency, database),
        *timeline_routes(access, expansion),
        *ledger_routes(access, ask),
        *journal_routes(access, unaudited),
        *report_routes(access, ask, clock=clock),
        *hold_routes(access, ask),
        *period_routes(access, ask),
        *verification_routes(access, ask),
        *account_routes(access, ask),
        *role_routes(access, ask),
        *exchange_routes(access, ask),
        *webhook_routes(access, ask),
        *gateway_routes(access, ask, database),
        *audit_routes(access, database),
        *feature_routes(access, database, directory, clock),
        *(chaos_routes(access, chaos) if chaos is not None else []),
    ]
    take_keys(business, clock)
    # First: the framework adds an answer of its own to every path that has none yet.
    guarded = Router(path="/", route_handlers=[*options_routes(business), *business], guards=[Declared(cards)])
    return [guarded, key_set_route(tokens), *documentation_routes(business)]


def options_routes(business: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """Answer OPTIONS of every path with all of its methods; Litestar's own answer names those of one handler only."""
    methods: dict[str, set[str]] = {}
    for handler in business:
        for path in handler.paths:
            methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
            if "GET" in handler.http_methods:
                methods[path].add("HEAD")

    def answering(path: str, allowed: str) -> Any:
        @route(path, http_method="OPTIONS", status_code=204, include_in_schema=False, sync_to_thread=False)
        def options() -> Response[None]:
            return Response(None, status_code=204, headers={"Allow": allowed})

        return options

    return [answering(path, ", ".join(sorted(allowed))) for path, allowed in methods.items()]
