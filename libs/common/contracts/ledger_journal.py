"""Requests about entries that people make: posting them in bulk, and proposing them to somebody else."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.contracts.ledger import Side

ENTRIES_MAX = 10_000
"""Entries that one call may post."""
LINES_MAX = 50_000
"""Lines that all entries of one call may have together."""
PROPOSAL_ENTRIES_MAX = 500
"""Entries that one proposal may have."""

_BULK_TIMEOUT_SECONDS = 25.0
"""Ten thousand entries take three to five seconds on two busy cores; a client waits 30 seconds at most."""
_TENANT = "00000000-0000-0000-0000-000000000002"
_ENTRY = {
    "description": "Bank fee of November",
    "lines": [
        {"account": "REFUND_EXPENSE", "side": "DEBIT", "amount": "12.50", "currency": "BRL"},
        {"account": "CASH", "side": "CREDIT", "amount": "12.50", "currency": "BRL"},
    ],
}
_PROPOSAL_ID = "0190f3a4-5b6c-7d8e-9f01-23456789abf0"


class ManualLine(msgspec.Struct, frozen=True, kw_only=True):
    """One debit or credit that a person wants to make."""

    account: str
    """The account's code."""
    side: Side
    """Debit or credit."""
    amount: str
    """Decimal number in units of the currency, as the client wrote it: `12.50`."""
    currency: str
    """ISO 4217 code."""


class ManualEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that a person wants to make."""

    id: UUID | None = None
    """Its id for ever; None: derived from the key or the proposal, and its place."""
    description: str
    """Why it is made, 1 to 500 characters."""
    occurred_at: datetime | None = None
    """When it happened in the world; None: when it is posted."""
    lines: list[ManualLine]
    """At least two, in one currency, debits equal to credits."""
    kind: Literal["year_end", "revaluation"] | msgspec.UnsetType = msgspec.UNSET
    """What the ledger made it for by itself; absent where a person did, as the fingerprint of a request is made of all members."""


class Mode(StrEnum):
    """What becomes of the others when one entry is refused."""

    ATOMIC = "atomic"
    """All are posted, or none."""
    INDEPENDENT = "independent"
    """Each for itself."""


class Outcome(StrEnum):
    """What became of one entry."""

    POSTED = "posted"
    """It stands in the books now; in a dry run: it would."""
    REPLAYED = "replayed"
    """It stood there before, with the same content."""
    REFUSED = "refused"
    """It cannot be posted."""
    NOT_POSTED = "not_posted"
    """Nothing is wrong with it; another one of the same atomic call was refused."""


class EntryResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one entry of a call."""

    id: UUID
    """The entry."""
    outcome: Outcome
    """What became of it."""
    posted_at: datetime | None = None
    """When it was recorded, where it stands in the books."""
    code: str = ""
    """The kind of problem, where it was refused."""
    detail: str = ""
    """The problem as a sentence."""
    pointer: str = ""
    """JSON pointer into the call's body: `/entries/17/lines/0/account`."""


class EntriesPosted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a call."""

    results: list[EntryResult]
    """One per entry, in their order."""
    is_replay: bool = False
    """Whether this is the stored answer to an earlier call with the same key."""


@request(
    "journal.post",
    owner="ledger",
    published_by=("api",),
    reply=EntriesPosted,
    example={"tenant_id": _TENANT, "made_by": "ops@demo.example.com", "key": "k-1", "entries": [_ENTRY]},
    timeout_seconds=_BULK_TIMEOUT_SECONDS,
    is_heavy=True,
    long="entries",
)
class PostEntries(Message, frozen=True, kw_only=True):
    """Post entries that a person made. Requested by the api; the same key and content again is answered the same."""

    tenant_id: str
    """The tenant."""
    made_by: str
    """Who makes them: a subject."""
    key: str
    """The idempotency key; not looked at in a dry run."""
    mode: Mode = Mode.ATOMIC
    """What becomes of the others when one is refused."""
    is_dry_run: bool = False
    """Decide everything and keep nothing."""
    entries: list[ManualEntry]
    """1 to 10,000, with at most 50,000 lines together."""


class ProposalStatus(StrEnum):
    """How far a proposal is."""

    OPEN = "open"
    """Waiting for somebody else."""
    APPROVED = "approved"
    """Its entries stand in the books."""
    REJECTED = "rejected"
    """Somebody else rejected it."""
    EXPIRED = "expired"
    """Nobody decided in time."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that one person wants and another one decides about."""

    id: UUID
    """The proposal."""
    status: ProposalStatus
    """How far it is."""
    reason: str
    """Why it is proposed."""
    made_by: str
    """Who proposed it: a subject."""
    responsible: str = ""
    """Who made the API key that proposed it; empty: `made_by` is a person."""
    made_at: datetime
    """When."""
    expires_at: datetime
    """Until then it can be decided."""
    decided_by: str | None = None
    """Who decided: a subject, never the one who proposed it or made the key that did."""
    decided_at: datetime | None = None
    """When."""
    decision_reason: str | None = None
    """Why, where the one who decided gave a reason."""
    entries: list[ManualEntry]
    """What is proposed, each with the id that it will have or has."""


class ProposalAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal as it stands, or why its entries cannot be posted."""

    proposal: Proposal | None = None
    """None where it could not be made."""
    results: list[EntryResult] = []
    """What became of its entries, where posting was tried; one that was refused refuses all."""
    is_replay: bool = False
    """Whether it stood so already."""


@request(
    "journal.propose",
    owner="ledger",
    published_by=("api",),
    reply=ProposalAnswer,
    example={
        "tenant_id": _TENANT,
        "made_by": "ops@demo.example.com",
        "key": "k-2",
        "reason": "Bank statement of November",
        "entries": [_ENTRY],
    },
    is_heavy=True,
    long="entries",
)
class ProposeEntries(Message, frozen=True, kw_only=True):
    """Propose entries for somebody else to decide about. Requested by the api; refused when they could not be posted now."""

    tenant_id: str
    """The tenant."""
    made_by: str
    """Who proposes: a subject."""
    responsible: str = ""
    """Who made the API key that proposes, through keys that made keys; empty: `made_by` is a person."""
    key: str
    """The idempotency key."""
    reason: str
    """Why, 1 to 500 characters."""
    entries: list[ManualEntry]
    """1 to 500; they are posted together or not at all."""


@request(
    "journal.approve",
    owner="ledger",
    published_by=("api",),
    reply=ProposalAnswer,
    example={"tenant_id": _TENANT, "proposal_id": _PROPOSAL_ID, "decided_by": "cfo@demo.example.com"},
    is_heavy=True,
)
class ApproveProposal(Message, frozen=True, kw_only=True):
    """Post what somebody else proposed, exactly once. Requested by the api."""

    tenant_id: str
    """The tenant."""
    proposal_id: UUID
    """The proposal."""
    decided_by: str
    """Who approves: a subject."""
    reason: str | None = None
    """Why, in their own words."""


@request(
    "journal.reject",
    owner="ledger",
    published_by=("api",),
    reply=ProposalAnswer,
    example={
        "tenant_id": _TENANT,
        "proposal_id": _PROPOSAL_ID,
        "decided_by": "cfo@demo.example.com",
        "reason": "Wrong account",
    },
)
class RejectProposal(Message, frozen=True, kw_only=True):
    """Refuse what somebody else proposed; nothing is posted. Requested by the api."""

    tenant_id: str
    """The tenant."""
    proposal_id: UUID
    """The proposal."""
    decided_by: str
    """Who rejects: a subject."""
    reason: str | None = None
    """Why, in their own words."""


@request(
    "journal.proposal",
    owner="ledger",
    published_by=("api", "gateway"),
    reply=Proposal,
    example={"tenant_id": _TENANT, "proposal_id": _PROPOSAL_ID},
)
class GetProposal(Message, frozen=True, kw_only=True):
    """How does this proposal stand? Requested by the api, and by the gateway, where a discrepancy waits for it."""

    tenant_id: str
    """The tenant."""
    proposal_id: UUID
    """The proposal."""


class ProposalPage(msgspec.Struct, frozen=True, kw_only=True):
    """Proposals, newest first."""

    proposals: list[Proposal]
    next_cursor: str | None = None
    """Continue here; None on the last page."""


@request(
    "journal.proposals",
    owner="ledger",
    published_by=("api",),
    reply=ProposalPage,
    example={"tenant_id": _TENANT, "status": "open"},
)
class ListProposals(Message, frozen=True, kw_only=True):
    """What has been proposed? Requested by the api."""

    tenant_id: str
    """The tenant."""
    status: ProposalStatus | None = None
    """This status only."""
    limit: int = 50
    """1 to 200."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""


class JournalPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a tenant lets nobody do anything in its books alone; `policy.get` has all that it demands."""

    manual_entries_need_approval: bool
    """Whether entries may only be proposed, and are posted once somebody else approves."""


@request("journal.policy", owner="ledger", published_by=("api",), reply=JournalPolicy, example={"tenant_id": _TENANT})
class GetJournalPolicy(Message, frozen=True, kw_only=True):
    """Does this tenant let nobody do anything in its books alone? Requested by the api."""

    tenant_id: str
    """The tenant."""


@request(
    "journal.set_policy",
    owner="ledger",
    published_by=("api",),
    reply=JournalPolicy,
    example={"tenant_id": _TENANT, "changed_by": "admin@local", "manual_entries_need_approval": True},
)
class SetJournalPolicy(Message, frozen=True, kw_only=True):
    """Demand a second person for everything, or for nothing. Requested by the api; refused where the policy demands anything."""

    tenant_id: str
    """The tenant."""
    changed_by: str
    """Who changes it: a subject."""
    manual_entries_need_approval: bool
    """Whether they need somebody else's approval."""
