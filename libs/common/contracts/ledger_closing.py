"""Requests about the end of a period: closing a year, and valuing other currencies at the closing rate.

Each makes entries that a person could make by hand, once however often it is requested; where the tenant demands a second person,
they are proposed instead of posted.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002", "made_by": "ops@demo"}
_TIMEOUT_SECONDS = 25.0
"""All accounts of a tenant are read, and entries of many lines posted; a client waits 30 seconds at most."""


class ClosingOutcome(StrEnum):
    """What became of it."""

    POSTED = "posted"
    """Entries stand in the books that did not before."""
    PROPOSED = "proposed"
    """Entries wait for somebody else to approve them."""
    UNCHANGED = "unchanged"
    """The books are as they have to be; nothing was posted."""


class ClosingResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one currency, whether it is posted or waits."""

    currency: str
    """ISO 4217 code: of a closed year its own, of a revaluation the one that is valued."""
    result_minor: int
    """What was earned, below zero what was lost; of a revaluation in the currency of the reports."""
    balance_minor: int | None = None
    """Of a revaluation: debits less credits of all assets and liabilities in the currency, in its minor units."""
    rate: Decimal | None = None
    """Of a revaluation: what one unit of the currency was worth at the end."""


class BooksClosed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request to close a year, or to value other currencies."""

    outcome: ClosingOutcome
    results: list[ClosingResult]
    """By currency; those alone in which anything was to be posted."""
    entry_ids: list[UUID]
    """The entries that were posted or are proposed; where nothing was, those that stand there for it."""
    proposal_id: UUID | None = None
    """What somebody else has to decide about, where it is proposed."""


@request(
    "closing.year",
    owner="ledger",
    published_by=("api",),
    reply=BooksClosed,
    example=_TENANT | {"year": 2025},
    timeout_seconds=_TIMEOUT_SECONDS,
    is_heavy=True,
)
class CloseYear(Message, frozen=True, kw_only=True):
    """Move a year's income and expenses to retained earnings. Requested by the api; again moves what came later, if anything did."""

    tenant_id: str
    """The tenant."""
    year: int
    """The year by the tenant's calendar, which is over."""
    made_by: str
    """Who requests it: a subject."""
    responsible: str = ""
    """Of an API key, the person who answers for it."""


@request(
    "closing.revaluation",
    owner="ledger",
    published_by=("api",),
    reply=BooksClosed,
    example=_TENANT | {"day": "2025-12-31", "currency": "BRL"},
    timeout_seconds=_TIMEOUT_SECONDS,
    is_heavy=True,
)
class RevalueCurrencies(Message, frozen=True, kw_only=True):
    """Value assets and liabilities in other currencies at the closing rate. Requested by the api; again posts what is missing, if anything is."""

    tenant_id: str
    """The tenant."""
    day: date
    """The last day of the period by the tenant's calendar, which is over."""
    currency: str
    """ISO 4217 code of the currency of the reports."""
    made_by: str
    """Who requests it: a subject."""
    responsible: str = ""
    """Of an API key, the person who answers for it."""
