"""What entries that people make look like to clients."""

from collections.abc import Sequence
from datetime import datetime
from itertools import batched
from typing import Annotated
from uuid import UUID

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger import Side
from libs.common.contracts.ledger_journal import (
    ENTRIES_MAX,
    PROPOSAL_ENTRIES_MAX,
    EntryResult,
    ManualEntry,
    ManualLine,
    Mode,
    Outcome,
    Proposal,
    ProposalStatus,
)
from libs.common.errors import Invalid
from libs.common.money import InvalidAmount, format_minor, json_number, parse_amount
from libs.common.slices import one_slice
from services.api.http.bodies import amount_in
from services.api.http.rendering import AmountIn

ENTRY_LINES_MAX = 1000
_VIOLATIONS_MAX = 100
_SHOWN_AT_ONCE = 200
_AMOUNT_TEXT_MAX = 128

type Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class EntryLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One debit or credit."""

    account: Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="The account's code.")]
    side: Side
    amount: AmountIn
    currency: Annotated[
        str,
        msgspec.Meta(min_length=3, max_length=8, description="ISO 4217 code, upper case, or the code of an own unit."),
    ]


class NewEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry to be made: in one currency, its debits equal to its credits."""

    description: Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="Why it is made.")]
    lines: Annotated[list[EntryLine], msgspec.Meta(max_length=ENTRY_LINES_MAX)]
    id: (
        Annotated[
            UUID,
            msgspec.Meta(
                description="Its id for ever: the same again is a replay, other content of the same id a conflict. "
                "Without one it follows from the key."
            ),
        ]
        | None
    ) = None
    occurred_at: (
        Annotated[datetime, msgspec.Meta(tz=True, description="When it happened; else when it is posted.")] | None
    ) = None


class PostLedgerEntries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Entries to be posted."""

    entries: Annotated[list[NewEntry], msgspec.Meta(min_length=1, max_length=ENTRIES_MAX)]
    mode: Annotated[Mode, msgspec.Meta(description="Whether all are posted or none, or each for itself.")] = Mode.ATOMIC
    dry_run: Annotated[bool, msgspec.Meta(description="Decide all and keep nothing; needs no `Idempotency-Key`.")] = (
        False
    )


class ProposeLedgerEntries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Entries to be proposed: they will be posted together, or not at all."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="Why it is proposed.")]
    entries: Annotated[list[NewEntry], msgspec.Meta(min_length=1, max_length=PROPOSAL_ENTRIES_MAX)]


class DecideProposal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision about a proposal."""

    reason: Reason | None = None


class EntryResultBody(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one entry."""

    id: str
    outcome: Outcome
    posted_at: str | None
    code: Annotated[str, msgspec.Meta(description="The kind of problem, where it was refused.")] | None
    detail: str | None
    pointer: Annotated[str, msgspec.Meta(description="Where in the request: `/entries/17/lines/0/account`.")] | None


class EntriesPostedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a call."""

    mode: Mode
    dry_run: bool
    posted: Annotated[int, msgspec.Meta(description="How many were posted; in a dry run, would be.")]
    replayed: Annotated[int, msgspec.Meta(description="How many stood in the books before.")]
    refused: int
    results: Annotated[list[EntryResultBody], msgspec.Meta(description="One per entry, in their order.")]


class ProposedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One debit or credit of a proposed entry."""

    account: str
    side: Side
    amount: str
    currency: str


class ProposedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that is proposed."""

    id: Annotated[str, msgspec.Meta(description="The id that it will have in the books, or has.")]
    description: str
    occurred_at: str | None
    lines: list[ProposedLine]


class ProposalBody(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that one person wants and another one decides about."""

    id: str
    status: ProposalStatus
    reason: str
    made_by: str
    made_at: str
    expires_at: str
    decided_by: str | None
    decided_at: str | None
    decision_reason: str | None
    entries: list[ProposedEntry]


class ProposalsBody(msgspec.Struct, frozen=True, kw_only=True):
    """A page of proposals, newest first."""

    data: list[ProposalBody]
    next_cursor: str | None


def manual_entry(requested: NewEntry, *, place: int) -> ManualEntry:
    """Read an entry as the ledger takes it; whether it can be posted is the ledger's to say.

    Raises:
        Invalid: for an amount that is neither a number nor a text.
    """
    return ManualEntry(
        id=requested.id,
        description=requested.description,
        occurred_at=requested.occurred_at,
        lines=[
            ManualLine(
                account=line.account,
                side=line.side,
                amount=_amount_text(line, f"/entries/{place}/lines/{number}/amount"),
                currency=line.currency,
            )
            for number, line in enumerate(requested.lines)
        ],
    )


def _amount_text(line: EntryLine, pointer: str) -> str:
    # What cannot be an amount is passed on: which of many entries is refused, and why, is the ledger's to say.
    try:
        given = amount_in(bytes(line.amount), pointer)
    except InvalidAmount:
        return bytes(line.amount).decode()[:_AMOUNT_TEXT_MAX]
    if isinstance(given, str):
        return given
    try:
        return format_minor(parse_amount(given, line.currency, own=True), line.currency)
    except Invalid:
        return str(given)


def result_body(result: EntryResult) -> EntryResultBody:
    """Show what became of one entry."""
    return EntryResultBody(
        id=str(result.id),
        outcome=result.outcome,
        posted_at=None if result.posted_at is None else iso(result.posted_at),
        code=result.code or None,
        detail=result.detail or None,
        pointer=result.pointer or None,
    )


async def posted_body(results: Sequence[EntryResult], *, mode: Mode, dry_run: bool) -> EntriesPostedBody:
    """Show what became of a call, a few of its entries at a time: between them everything else has its turn."""
    shown = []
    for some in batched(results, _SHOWN_AT_ONCE):
        async with one_slice():
            shown += [result_body(result) for result in some]
    counts = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    return EntriesPostedBody(
        mode=mode,
        dry_run=dry_run,
        posted=counts[Outcome.POSTED],
        replayed=counts[Outcome.REPLAYED],
        refused=counts[Outcome.REFUSED],
        results=shown,
    )


def violations(results: Sequence[EntryResult]) -> tuple[tuple[str, str], ...]:
    """Name what was refused, the first hundred of it."""
    refused = [(result.pointer, result.detail) for result in results if result.outcome is Outcome.REFUSED]
    return tuple(refused[:_VIOLATIONS_MAX])


def proposal_body(proposal: Proposal) -> ProposalBody:
    """Show a proposal."""
    return ProposalBody(
        id=str(proposal.id),
        status=proposal.status,
        reason=proposal.reason,
        made_by=proposal.made_by,
        made_at=iso(proposal.made_at),
        expires_at=iso(proposal.expires_at),
        decided_by=proposal.decided_by,
        decided_at=None if proposal.decided_at is None else iso(proposal.decided_at),
        decision_reason=proposal.decision_reason,
        entries=[
            ProposedEntry(
                id=str(entry.id),
                description=entry.description,
                occurred_at=None if entry.occurred_at is None else iso(entry.occurred_at),
                lines=[
                    ProposedLine(
                        account=line.account,
                        side=line.side,
                        amount=_canonical(line.amount, line.currency),
                        currency=line.currency,
                    )
                    for line in entry.lines
                ],
            )
            for entry in proposal.entries
        ],
    )


def _canonical(amount: str, currency: str) -> str:
    # It was accepted when it was proposed, perhaps by an earlier release that read texts more widely.
    return format_minor(parse_amount(json_number(amount.strip()), currency, withdrawn=True, own=True), currency)
