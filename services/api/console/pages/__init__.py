"""Every page of the console, in the order of its menu."""

from services.api.console.declared import Page
from services.api.console.pages.overview import OVERVIEW
from services.api.console.pages.payments import PAYMENTS

GROUPS = ("", "Payments", "Books", "Reconciliation", "Webhooks", "Settings")
"""The groups of the menu, in their order; the first has no title."""

PAGES: tuple[Page, ...] = (OVERVIEW, PAYMENTS)
"""Every page."""

__all__ = ["GROUPS", "PAGES"]
