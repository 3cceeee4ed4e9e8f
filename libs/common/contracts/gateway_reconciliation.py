"""Reconciliation: runs that compare the processor's statement with payments and books, and the discrepancies that they find.

Amounts are integer minor units. What we have is `expected`, what the other side has is `actual`, as in the reference system.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, event, request
from libs.common.contracts.gateway_reports import RunReport

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002"}
_RUN = _TENANT | {"run_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf1"}


class DiscrepancyType(StrEnum):
    """What does not agree."""

    MISSING_LOCAL = "MISSING_LOCAL"
    """The other side has it, our payments do not."""
    MISSING_REMOTE = "MISSING_REMOTE"
    """Our payments or the books have it, the other side does not."""
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    """Both have it, with other amounts."""
    STATUS_MISMATCH = "STATUS_MISMATCH"
    """Both have it, and it came to something else."""
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    """Both have it, in other currencies."""
    FEE_MISMATCH = "FEE_MISMATCH"
    """The fee is not the sum of its parts, or the books have another one."""
    DUPLICATE = "DUPLICATE"
    """The same money moved twice."""
    NOT_BOOKED = "NOT_BOOKED"
    """It happened, and the books do not have it."""
    TIMING = "TIMING"
    """One side has it and the other may still follow: by age it becomes one of the others."""
    FOREIGN = "FOREIGN"
    """It moved on the account and belongs to nothing of ours."""
    LATE = "LATE"
    """It became known after the month in which it happened was closed."""
    AMBIGUOUS = "AMBIGUOUS"
    """It can belong to several things, and nothing decides which: a person does."""


class SubjectKind(StrEnum):
    """What a discrepancy is about."""

    PAYMENT = "payment"
    """A payment intent."""
    REFUND = "refund"
    """A refund of one."""
    DISPUTE = "dispute"
    """A dispute about one."""
    MOVEMENT = "movement"
    """A movement on the processor's account."""
    PAYOUT = "payout"
    """A payout to the bank."""
    ARRIVAL = "arrival"
    """That a payout arrives at the bank: the payout's id."""
    LINE = "line"
    """A line of a statement."""


class DiscrepancyState(StrEnum):
    """What became of a discrepancy."""

    OPEN = "open"
    """Nobody has it."""
    ASSIGNED = "assigned"
    """A person looks at it."""
    PENDING = "pending"
    """A person waits for somebody else: the processor, the bank, a customer."""
    RESOLVED = "resolved"
    """It is settled: by a person, or as the two sides agree now."""
    IGNORED = "ignored"
    """A person has decided that it may stand."""
    REOPENED = "reopened"
    """It was resolved or ignored, and is there again with other facts, or a person took it up again."""


SETTLED_STATES = frozenset({DiscrepancyState.RESOLVED, DiscrepancyState.IGNORED})
"""Where nothing is left to be done."""


class RunState(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    """It goes on, or waits for its turn."""
    COMPLETE = "complete"
    """It has seen all that it was to see."""
    FAILED = "failed"
    """It was abandoned; its reason says why."""


class Discrepancy(msgspec.Struct, frozen=True, kw_only=True):
    """Something on which two sides do not agree."""

    id: UUID
    """Derived from what it is about: the same fact has the same id in every run."""
    tenant_id: str
    """Whose it is."""
    type: DiscrepancyType
    """What does not agree."""
    subject_kind: SubjectKind
    """What it is about."""
    subject: str
    """Our id of that, or the processor's reference where we have none; of `entry` the id of the entry."""
    aspect: str
    """Which sides differ: `processor`, `book`, `fee`, `parts`; `entry`: only the books have it."""
    payment_intent_id: UUID | None
    """The payment, where it belongs to one."""
    gateway_ref: str
    """The processor's reference; empty where there is none."""
    currency: str
    """ISO 4217 code of the amounts."""
    expected_minor: int | None
    """What we have, in minor units; None where nothing."""
    actual_minor: int | None
    """What the other side has."""
    expected_status: str
    """The status that we have; empty where it is no matter of status."""
    actual_status: str
    """What the other side says it came to."""
    detail: str
    """The same in a sentence."""
    state: DiscrepancyState
    """What became of it."""
    assignee: str
    """Who looks at it; empty: nobody."""
    reason: str
    """Why it was settled, as a word; empty while it is not."""
    note: str
    """What the person wrote who changed it last."""
    found_at: datetime
    """When a run first found it."""
    seen_at: datetime
    """When a run last found it."""
    settled_at: datetime | None
    """When it was resolved or ignored; None while it is open."""


class DiscrepancyChange(msgspec.Struct, frozen=True, kw_only=True):
    """One step in the life of a discrepancy."""

    state: DiscrepancyState
    """What it became."""
    actor: str
    """Who did it: a person's subject, or `reconciliation`."""
    reason: str
    """Why, as a word."""
    note: str
    """Why, in their words."""
    changed_at: datetime
    """When."""


class DiscrepancyPage(msgspec.Struct, frozen=True, kw_only=True):
    """Discrepancies, newest first."""

    discrepancies: list[Discrepancy]
    next_before: UUID | None = None
    """From where the next page goes on; None: there is none."""


class DiscrepancyHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A discrepancy with all that was done about it."""

    discrepancy: Discrepancy
    changes: list[DiscrepancyChange]
    """Oldest first."""


@request(
    "discrepancies.list",
    owner="gateway",
    published_by=("api",),
    reply=DiscrepancyPage,
    example=_TENANT | {"settled": False, "limit": 50},
)
class ListDiscrepancies(Message, frozen=True, kw_only=True):
    """What does not agree? Requested by the api."""

    tenant_id: str
    """The tenant."""
    settled: bool | None = None
    """True: resolved or ignored alone; False: what is left; None: both."""
    types: tuple[DiscrepancyType, ...] = ()
    """These alone; empty: all."""
    states: tuple[DiscrepancyState, ...] = ()
    """These alone; empty: all."""
    payment_intent_id: UUID | None = None
    """About this payment alone."""
    assignee: str = ""
    """That this person looks at; empty: anybody's."""
    before: UUID | None = None
    """Older than this one, from the page before."""
    limit: int = 50
    """At most; 1 to 200."""


@request(
    "discrepancies.get",
    owner="gateway",
    published_by=("api",),
    reply=DiscrepancyHistory,
    example=_TENANT | {"discrepancy_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf2"},
)
class GetDiscrepancy(Message, frozen=True, kw_only=True):
    """What is this discrepancy, and what was done about it? Requested by the api."""

    tenant_id: str
    """The tenant."""
    discrepancy_id: UUID
    """The discrepancy."""


class Decision(StrEnum):
    """What a person does about a discrepancy."""

    ASSIGN = "assign"
    PEND = "pend"
    RESOLVE = "resolve"
    IGNORE = "ignore"
    REOPEN = "reopen"


@request(
    "discrepancies.decide",
    owner="gateway",
    published_by=("api",),
    reply=DiscrepancyPage,
    example=_TENANT
    | {
        "discrepancy_ids": ["0190f3a4-5b6c-7d8e-9f01-23456789abf2"],
        "decision": "resolve",
        "actor": "ops@example.com",
        "reason": "refunded_by_hand",
    },
)
class DecideDiscrepancies(Message, frozen=True, kw_only=True):
    """A person decides about some discrepancies, all or none of them. Requested by the api."""

    tenant_id: str
    """The tenant."""
    discrepancy_ids: tuple[UUID, ...]
    """Which; 1 to 100."""
    decision: Decision
    """What is decided."""
    actor: str
    """Who decides."""
    assignee: str = ""
    """Who looks at them from now on, where they are assigned."""
    reason: str = ""
    """Why, as a word."""
    note: str = ""
    """Why, in their words."""


class ReconciliationRun(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison of a window of time."""

    id: UUID
    """The run."""
    tenant_id: str
    """Whose."""
    requested_by: str
    """Who requested it; empty: the schedule."""
    is_dry: bool
    """Whether it only reports, and writes nothing down."""
    window_from: datetime
    """From when on."""
    window_until: datetime
    """Until before when."""
    state: RunState
    """How far it is."""
    phase: str
    """What it looks at now: payments, posted, older, movements, payouts, books, lines, arrivals, report."""
    payments: int
    """Payments that were compared."""
    movements: int
    """Movements that were compared."""
    matched: int
    """Movements that agree with a payment and with the books."""
    lines: int = 0
    """Lines of statements that were compared."""
    lines_matched: int = 0
    """Lines that the run has found the other side of."""
    found: dict[str, int]
    """Discrepancies that it saw, by type."""
    new: int
    """How many of them no run has seen before."""
    agreed: int
    """Earlier ones that it saw no more, and resolved."""
    totals: dict[str, "RunTotals"]
    """What moved in the window, by currency."""
    sample: list[Discrepancy]
    """What a dry run found, at most 200."""
    reason: str
    """Why it failed; empty otherwise."""
    started_at: datetime
    """When it was begun."""
    ended_at: datetime | None
    """When it was complete, or abandoned."""
    report: RunReport | None = None
    """Its report, where it is complete and shown by itself."""


class RunTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What moved at the processor in a window, in minor units of one currency."""

    in_minor: int = 0
    """What came, before fees."""
    out_minor: int = 0
    """What left, payouts apart; not below zero."""
    fees_minor: int = 0
    """What was kept."""
    paid_out_minor: int = 0
    """What went to the bank."""
    net_minor: int = 0
    """What is left of all that."""


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, newest first."""

    runs: list[ReconciliationRun]
    next_before: UUID | None = None
    """From where the next page goes on; None: there is none."""


@request(
    "reconciliation_runs.start",
    owner="gateway",
    published_by=("api",),
    reply=ReconciliationRun,
    example=_RUN
    | {
        "window_from": "2026-11-21T00:00:00Z",
        "window_until": "2026-11-22T00:00:00Z",
        "requested_by": "ops@example.com",
    },
)
class StartReconciliation(Message, frozen=True, kw_only=True):
    """Compare a window now; the same run again is the same run. Requested by the api."""

    tenant_id: str
    """The tenant."""
    run_id: UUID
    """The run, minted by whoever requests it."""
    window_from: datetime
    """From when on."""
    window_until: datetime
    """Until before when; at most 400 days later."""
    is_dry: bool = False
    """Only report."""
    requested_by: str
    """Who requests it."""


@request("reconciliation_runs.list", owner="gateway", published_by=("api",), reply=RunPage, example=_TENANT)
class ListReconciliationRuns(Message, frozen=True, kw_only=True):
    """Which runs were there? Requested by the api."""

    tenant_id: str
    """The tenant."""
    before: UUID | None = None
    """Older than this one."""
    limit: int = 50
    """At most; 1 to 200."""


@request("reconciliation_runs.get", owner="gateway", published_by=("api",), reply=ReconciliationRun, example=_RUN)
class GetReconciliationRun(Message, frozen=True, kw_only=True):
    """How far is this run, and what did it find? Requested by the api."""

    tenant_id: str
    """The tenant."""
    run_id: UUID
    """The run."""


@event(
    "discrepancies.found",
    owner="gateway",
    handled_by=("api",),
    example={"run_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf1", "discrepancy_count": 2, "types": ["AMOUNT_MISMATCH"]},
)
class DiscrepanciesFound(Message, frozen=True, kw_only=True):
    """A run has found what no run had found before. Handled by the api, which announces it."""

    run_id: UUID
    """The run."""
    discrepancy_count: int
    """How many are new, or open again."""
    types: tuple[str, ...]
    """Of which types, in alphabetical order."""
