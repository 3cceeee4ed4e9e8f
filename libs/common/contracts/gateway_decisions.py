"""What a person decides about one discrepancy: a request for each decision, so that the audit log names it."""

from typing import Any
from uuid import UUID

from libs.common.contracts.base import Message, request
from libs.common.contracts.gateway_reconciliation import Decision, Discrepancy

_EXAMPLE: dict[str, Any] = {
    "tenant_id": "00000000-0000-0000-0000-000000000002",
    "discrepancy_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf2",
    "actor": "ops@example.com",
}


class DiscrepancyDecision(Message, frozen=True, kw_only=True):
    """What every decision about one discrepancy names."""

    tenant_id: str
    """The tenant."""
    discrepancy_id: UUID
    """The discrepancy."""
    actor: str
    """Who decides."""
    assignee: str = ""
    """Who looks at it from now on, where it is assigned."""
    reason: str = ""
    """Why, as a word."""
    note: str = ""
    """Why, in their words."""


@request(
    "discrepancies.assign",
    owner="gateway",
    published_by=("api",),
    reply=Discrepancy,
    example=_EXAMPLE | {"assignee": "ana@example.com"},
)
class AssignDiscrepancy(DiscrepancyDecision, frozen=True, kw_only=True):
    """Somebody looks at it from now on. Requested by the api."""


@request("discrepancies.resolve", owner="gateway", published_by=("api",), reply=Discrepancy, example=_EXAMPLE)
class ResolveDiscrepancy(DiscrepancyDecision, frozen=True, kw_only=True):
    """It is settled. Requested by the api."""


@request("discrepancies.ignore", owner="gateway", published_by=("api",), reply=Discrepancy, example=_EXAMPLE)
class IgnoreDiscrepancy(DiscrepancyDecision, frozen=True, kw_only=True):
    """It may stand. Requested by the api."""


@request("discrepancies.reopen", owner="gateway", published_by=("api",), reply=Discrepancy, example=_EXAMPLE)
class ReopenDiscrepancy(DiscrepancyDecision, frozen=True, kw_only=True):
    """Something is left to be done about it. Requested by the api."""


@request("discrepancies.repair", owner="gateway", published_by=("api",), reply=Discrepancy, example=_EXAMPLE)
class RepairDiscrepancy(Message, frozen=True, kw_only=True):
    """Do about it what is safe, or wait for an entry that adjusts the books. Requested by the api."""

    tenant_id: str
    """The tenant."""
    discrepancy_id: UUID
    """The discrepancy."""
    actor: str
    """Who requests it."""
    proposal_id: UUID | None = None
    """Entries that are proposed in the ledger: once they are posted, the discrepancy is resolved. None: what is safe is done at once."""


DECISIONS: dict[type[DiscrepancyDecision], Decision] = {
    AssignDiscrepancy: Decision.ASSIGN,
    ResolveDiscrepancy: Decision.RESOLVE,
    IgnoreDiscrepancy: Decision.IGNORE,
    ReopenDiscrepancy: Decision.REOPEN,
}
"""What each request decides."""
