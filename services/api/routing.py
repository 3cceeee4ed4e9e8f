"""Every resource of the api, and how its routes are put together."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Router
from litestar.handlers import HTTPRouteHandler

from libs.common.clock import Clock
from services.api.access import Access, Tokens
from services.api.access.auditing import audited
from services.api.access.routes.authentication import Identity, key_set_route
from services.api.access.routes.features import FeatureFlags
from services.api.administration.routes import Rules, Tenants, Users
from services.api.api_keys.routes import ApiKeyRoutes
from services.api.audit.routes import AuditLog
from services.api.books.routes.accounts import Accounts
from services.api.books.routes.calendar import Calendars
from services.api.books.routes.closing import PeriodEnds
from services.api.books.routes.entries import Entries
from services.api.books.routes.exchange import ExchangeRates
from services.api.books.routes.holds import Holds
from services.api.books.routes.journal import Decisions, ManualEntries, Proposals
from services.api.books.routes.periods import Periods
from services.api.books.routes.policies import ApprovalPolicies, PolicyDecisions, Settings
from services.api.books.routes.records import RecordReports
from services.api.books.routes.reports import BalanceReports, RevenueReports
from services.api.books.routes.roles import AccountRoles
from services.api.books.routes.statements import StatementReports
from services.api.books.routes.units import OwnUnits
from services.api.books.routes.verification import Verifications
from services.api.console import (
    Attempts,
    Changes,
    Console,
    Ended,
    Entrance,
    Inside,
    Logins,
    Operations,
    ProviderEntrance,
    Sessions,
    console_routes,
)
from services.api.customers.routes.customers import CustomerRoutes
from services.api.customers.routes.methods import SavedMethods
from services.api.dead_letters.routes import DeadLetters
from services.api.http.bodies import LongLists
from services.api.http.callers import Principal
from services.api.http.controllers import Resource, bound, options_routes
from services.api.http.declared import Declared
from services.api.http.documentation import document, documentation_routes
from services.api.http.parameters import ApiRequest
from services.api.http.requests import Ask
from services.api.http.routes import ChaosSwitch
from services.api.idempotency import Idempotency
from services.api.idempotency.requests import keyed
from services.api.identity_providers.routes import IdentityProviderRoutes
from services.api.imports.routes import FileImports
from services.api.integrity.routes import ChangesVerified
from services.api.matching.routes import MatchingRoutes
from services.api.payments.routes.activity import PaymentReports
from services.api.payments.routes.confirming import Confirmations
from services.api.payments.routes.intents import PaymentIntents
from services.api.payments.routes.next_action import NextActions
from services.api.payments.routes.operations import PaymentOperations
from services.api.payments.routes.timeline import Expansion, Timelines
from services.api.processors.routes import Processors
from services.api.reconciliation.routes import Discrepancies, ReconciliationPeriods, Runs
from services.api.request_log.routes import RequestLogRoutes
from services.api.service_health.routes import ServicesHealth
from services.api.settings import CardNumbers
from services.api.webhooks.routes import Webhooks

RESOURCES: tuple[type[Resource], ...] = (
    Identity,
    ApiKeyRoutes,
    Tenants,
    Users,
    Rules,
    IdentityProviderRoutes,
    PaymentIntents,
    Confirmations,
    PaymentOperations,
    NextActions,
    Timelines,
    PaymentReports,
    CustomerRoutes,
    SavedMethods,
    Entries,
    ManualEntries,
    Proposals,
    Decisions,
    Settings,
    ApprovalPolicies,
    PolicyDecisions,
    RevenueReports,
    BalanceReports,
    RecordReports,
    StatementReports,
    Calendars,
    Holds,
    Periods,
    PeriodEnds,
    Verifications,
    Accounts,
    AccountRoles,
    OwnUnits,
    ExchangeRates,
    Webhooks,
    DeadLetters,
    ServicesHealth,
    Processors,
    FileImports,
    MatchingRoutes,
    Runs,
    Discrepancies,
    ReconciliationPeriods,
    AuditLog,
    RequestLogRoutes,
    ChangesVerified,
    FeatureFlags,
)
"""Every resource that is offered everywhere."""


def resources(*, is_local: bool) -> tuple[type[Resource], ...]:
    """List the resources that are offered in a place."""
    return (*RESOURCES, ChaosSwitch) if is_local else RESOURCES


class ConsoleParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the console needs beside the routes of the API."""

    inside: Inside
    changes: Changes
    sessions: Sessions
    ended: Ended
    logins: Logins
    attempts: Attempts
    clock: Clock


def routes(
    *,
    access: Access,
    tokens: Tokens,
    idempotency: Idempotency,
    ask: Ask,
    cards: CardNumbers,
    is_local: bool,
    console: ConsoleParts | None,
    parts: Mapping[str, Any],
) -> list[HTTPRouteHandler | Router]:
    """Build all routes of the api, and the documents about them.

    Args:
        access: decides who may do what.
        tokens: has the keys that others verify our tokens with.
        idempotency: keeps `Idempotency-Key`s.
        ask: sends requests to other services.
        cards: what becomes of card numbers in texts.
        is_local: whether chaos may be chosen.
        console: what the console needs; None: there is none.
        parts: what the resources need beside these, by the name that they give it.
    """
    audited_ask = keyed(idempotency, audited(access, ask))
    given = {
        **parts,
        "access": access,
        "idempotency": idempotency,
        "ask": audited_ask,
        "ask_unaudited": keyed(idempotency, ask),
        "lists": LongLists(),
        "expansion": Expansion(parts["database"], audited_ask),
    }
    offered = resources(is_local=is_local)
    # OPTIONS first: the framework adds an answer of its own to every path that has none yet.
    handlers: list[HTTPRouteHandler | type[Resource]] = [
        *options_routes(offered),
        *(bound(resource, given) for resource in offered),
    ]
    guarded = _Guarded(path="/", route_handlers=handlers, before_request=Declared(cards), request_class=ApiRequest)
    found: list[HTTPRouteHandler | Router] = [guarded, key_set_route(tokens), *documentation_routes(offered)]
    if console is not None:
        found += _console(console, access, offered, is_local=is_local)
    return found


def _console(
    parts: ConsoleParts, access: Access, offered: Sequence[type[Resource]], *, is_local: bool
) -> list[HTTPRouteHandler]:
    async def identify(token: str) -> Principal:
        return await access.identify({"authorization": f"Bearer {token}"})

    async def permits(token: str, tenant_id: str, permission: str) -> bool:
        return await access.permits(await identify(token), tenant_id, permission)

    operations = Operations(offered, lambda: document(offered))
    entrance = Entrance(
        inside=parts.inside,
        operations=operations,
        sessions=parts.sessions,
        ended=parts.ended,
        permits=permits,
        identify=identify,
        clock=parts.clock,
        is_local=is_local,
    )
    providers = ProviderEntrance(entrance, logins=parts.logins, attempts=parts.attempts, is_local=is_local)
    return console_routes(entrance, providers, Console(operations), parts.changes)


class _Guarded(Router):
    """All resources behind the same checks, registered by one application.

    The framework copies a router with all that is in it, so that another application may register it too: an eighth of the
    api's start.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Guarded":
        return self


__all__ = ["RESOURCES", "ConsoleParts", "document", "resources", "routes"]
