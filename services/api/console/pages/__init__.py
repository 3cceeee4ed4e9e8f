"""Every page of the console, in the order of its menu."""

from services.api.console.declared import Page
from services.api.console.pages.access import API_KEYS, IDENTITY_PROVIDER, ME, POLICIES, USER_ROLES, USERS
from services.api.console.pages.accounts import ACCOUNTS, CONSOLIDATED
from services.api.console.pages.composing import COMPOSE
from services.api.console.pages.customers import CUSTOMERS
from services.api.console.pages.developers import DEAD_LETTERS, EVENTS, REFERENCE, REQUESTS
from services.api.console.pages.entries import ENTRIES
from services.api.console.pages.files import IMPORTS, LINES, MATCHES, SOURCES
from services.api.console.pages.ledger import CONVERSIONS, HOLDS, PERIODS, RATES, ROLES, UNITS, VERIFICATION
from services.api.console.pages.overview import OVERVIEW
from services.api.console.pages.payments import PAYMENTS
from services.api.console.pages.processors import PROCESSOR_EVENTS, PROCESSORS, UNKNOWN_OUTCOMES
from services.api.console.pages.proposals import POLICY, PROPOSALS
from services.api.console.pages.reconciliation import DISCREPANCIES, MONTHS, RUNS
from services.api.console.pages.reports import REPORTS
from services.api.console.pages.search import SEARCH
from services.api.console.pages.services import SERVICES
from services.api.console.pages.settings import AUDIT, DISTURBANCES, FEATURES, TENANTS
from services.api.console.pages.webhooks import DELIVERIES, REPLAYS, WEBHOOKS

GROUPS = ("", "Payments", "Books", "Reports", "Reconciliation", "Webhooks", "Settings", "Developers")
"""The groups of the menu, in their order; the first has no title."""

PAGES: tuple[Page, ...] = (
    *(OVERVIEW, PAYMENTS, CUSTOMERS, PROCESSORS, PROCESSOR_EVENTS, UNKNOWN_OUTCOMES, SEARCH),
    *(ACCOUNTS, CONSOLIDATED, ENTRIES, COMPOSE, PROPOSALS, POLICY),
    *(HOLDS, RATES, CONVERSIONS, ROLES, UNITS, PERIODS, VERIFICATION),
    *REPORTS,
    *(RUNS, DISCREPANCIES, LINES, MATCHES, IMPORTS, SOURCES, MONTHS),
    *(WEBHOOKS, DELIVERIES, REPLAYS),
    *(AUDIT, API_KEYS, USERS, IDENTITY_PROVIDER, USER_ROLES, POLICIES, FEATURES, TENANTS, DISTURBANCES, ME),
    *(EVENTS, REQUESTS, SERVICES, DEAD_LETTERS, REFERENCE),
)
"""Every page."""

__all__ = ["GROUPS", "PAGES"]
