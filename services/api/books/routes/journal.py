"""Entries that people make: posted in bulk, or proposed by one and decided by another; the ledger answers."""

from collections.abc import Iterator, Sequence

from litestar import Response

from libs.common.contracts import ledger_errors as refusals
from libs.common.contracts import ledger_journal as contract
from libs.common.contracts.ledger_journal import EntryResult, ManualEntry, Mode, Outcome, ProposalAnswer
from libs.common.errors import IdempotencyKeyReused, Rejected
from libs.common.money import InvalidAmount, UnsupportedCurrency
from libs.common.slices import one_slice
from services.api.access.auditing import intended
from services.api.books.schemas import journal as shapes
from services.api.http.bodies import BodyReader, LongLists, require_storable
from services.api.http.callers import Admission, Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.errors import IdempotencyKeyInvalid, IdempotencyKeyMissing
from services.api.http.parameters import AnyRequest, Query, QueryParameter, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.idempotency.requests import require_key

_READ, _WRITE, _APPROVE = "ledger:read", "ledger:write", "ledger:approve"
_POST = Change(contract.PostEntries, "ledger.post_entries", subject="entries")
_PROPOSE = Change(contract.ProposeEntries, "ledger.propose_entries", subject="entries")
_APPROVAL = Change(contract.ApproveProposal, "ledger.approve_proposal", target="proposal_id")
_REJECTION = Change(contract.RejectProposal, "ledger.reject_proposal", target="proposal_id")
PROPOSALS, PROPOSALS_MAX = 50, 200
_LINES_AT_ONCE = 150
"""Lines of entries that are read before other requests of this process get a turn."""

_LINES = [
    {"account": "REFUND_EXPENSE", "side": "DEBIT", "amount": "12.50", "currency": "BRL"},
    {"account": "CASH", "side": "CREDIT", "amount": "12.50", "currency": "BRL"},
]
_ENTRIES = [{"description": "Goodwill credit of November", "lines": _LINES}]
_ENTRY_REFUSALS: tuple[type[Rejected], ...] = (
    UnsupportedCurrency,
    refusals.EntryConflict,
    refusals.PeriodClosed,
    refusals.FloorCrossed,
    refusals.CeilingCrossed,
    refusals.BalanceOverflow,
    InvalidAmount,
    refusals.CurrencyNotTaken,
    refusals.AccountUnknown,
    refusals.EntryInvalid,
    refusals.EntryUnbalanced,
    refusals.CurrencyMixed,
)
_KEY_REFUSALS = (IdempotencyKeyMissing, IdempotencyKeyInvalid, IdempotencyKeyReused)
_STATUSES = {status.value: (status.value,) for status in contract.ProposalStatus}


class ManualEntries(Resource):
    """Entries that people make: posted, proposed, decided about."""

    ask_unaudited: Ask
    lists: LongLists

    bodies = BodyReader(shapes.PostLedgerEntries, moves_money=True, long="entries")

    @operation(
        "POST",
        "/v1/ledger/entries",
        operation_id="postLedgerEntries",
        summary="Post journal entries",
        description="One to 10,000 entries by hand. `atomic`: all or none, and a refusal says what is wrong where. "
        "`independent`: each for itself, with a result each. Needs an `Idempotency-Key` unless it is a dry run; the key "
        "is remembered for ever, as the entries are.",
        tags=["journal"],
        body=shapes.PostLedgerEntries,
        moves_money=True,
        example={"entries": _ENTRIES, "mode": "atomic"},
        answer=shapes.EntriesPostedBody,
        permission=_WRITE,
        refusals=(*_ENTRY_REFUSALS, *_KEY_REFUSALS, refusals.ApprovalRequired),
        headers=(("Idempotency-Key", "Not needed in a dry run; the same key and body is answered the same."),),
        change=_POST,
    )
    async def post_ledger_entries(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        raw = await request.body()
        async with self.lists.turn(caller.tenant_id, raw):
            return await self._post(request, caller, raw)

    async def _post(self, request: AnyRequest, caller: Caller, raw: bytes) -> Response[bytes]:
        requested = await self.bodies.take(raw)
        entries = await _read(requested.entries)
        key = "" if requested.dry_run else require_key(request.headers, missing="posting needs an Idempotency-Key")
        sent = contract.PostEntries(
            tenant_id=caller.tenant_id,
            made_by=caller.actor,
            key=key,
            mode=requested.mode,
            is_dry_run=requested.dry_run,
            entries=entries,
        )
        if requested.dry_run:
            answer = await self.ask_unaudited(sent)
        else:
            answer = await intended(self.access, caller, self.ask_unaudited, sent, change=_POST)
        body = await shapes.posted_body(answer.results, mode=requested.mode, dry_run=requested.dry_run)
        refused = requested.mode is Mode.ATOMIC and not requested.dry_run and body.refused > 0
        if not requested.dry_run:
            await self.access.remember(
                caller,
                _POST.action,
                _POST.subject,
                outcome="failed" if refused else "success",
                detail={
                    "mode": requested.mode,
                    "posted": "0" if refused else str(body.posted),
                    "replayed": str(body.replayed),
                    "refused": str(body.refused),
                },
            )
        if refused:
            raise _refusal(answer.results)
        return json_answer(body, headers=_replayed(is_replay=answer.is_replay))


class Proposals(Resource):
    """Proposals"""

    ask_unaudited: Ask
    lists: LongLists

    bodies = BodyReader(shapes.ProposeLedgerEntries, moves_money=True, long="entries")

    @operation(
        "POST",
        "/v1/ledger/proposals",
        operation_id="proposeLedgerEntries",
        summary="Propose journal entries",
        description="One to 500 entries that are posted together once somebody else approves. What could not be posted "
        "now is refused now.",
        tags=["journal"],
        body=shapes.ProposeLedgerEntries,
        moves_money=True,
        example={"reason": "Bank statement of November", "entries": _ENTRIES},
        answer=shapes.ProposalBody,
        permission=_WRITE,
        status=201,
        refusals=(*_ENTRY_REFUSALS, *_KEY_REFUSALS),
        headers=(("Idempotency-Key", "Required; the same key and body again is the same proposal."),),
        change=_PROPOSE,
    )
    async def propose_ledger_entries(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        raw = await request.body()
        async with self.lists.turn(caller.tenant_id, raw):
            return await self._propose(request, caller, raw)

    async def _propose(self, request: AnyRequest, caller: Caller, raw: bytes) -> Response[bytes]:
        requested = await self.bodies.take(raw)
        require_storable({"/reason": requested.reason})
        entries = await _read(requested.entries)
        sent = contract.ProposeEntries(
            tenant_id=caller.tenant_id,
            made_by=caller.actor,
            responsible=caller.principal.responsible,
            key=require_key(request.headers, missing="a proposal needs an Idempotency-Key"),
            reason=requested.reason,
            entries=entries,
        )
        answer = await intended(self.access, caller, self.ask_unaudited, sent, change=_PROPOSE)
        return await _proposal_answer(self.access, caller, answer, change=_PROPOSE, status=201)

    @operation(
        "GET",
        "/v1/ledger/proposals",
        operation_id="listProposals",
        summary="List proposals",
        description="Newest first.",
        tags=["journal"],
        answer=shapes.ProposalsBody,
        permission=_READ,
        query=(
            QueryParameter(
                name="status", description="With this status.", shape={"type": "string", "enum": [*_STATUSES]}
            ),
            QueryParameter(
                name="limit",
                description="Proposals on a page.",
                shape={"type": "integer", "minimum": 1, "maximum": PROPOSALS_MAX, "default": PROPOSALS},
            ),
            QueryParameter(
                name="cursor",
                description="The `next_cursor` of the page before.",
                shape={"type": "string", "maxLength": 512},
            ),
        ),
        refusals=(refusals.QueryInvalid,),
    )
    async def list_proposals(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        statuses = query.names("status", _STATUSES)
        page = await self.ask_unaudited(
            contract.ListProposals(
                tenant_id=caller.tenant_id,
                status=None if statuses is None else contract.ProposalStatus(statuses[0]),
                limit=query.integer("limit", default=PROPOSALS, at_least=1, at_most=PROPOSALS_MAX),
                cursor=query.cursor(),
            )
        )
        body = shapes.ProposalsBody(
            data=[shapes.proposal_body(proposal) for proposal in page.proposals], next_cursor=page.next_cursor
        )
        link = query.link(page.next_cursor)
        return json_answer(body, headers=link)

    @operation(
        "GET",
        "/v1/ledger/proposals/{proposal_id:str}",
        operation_id="getProposal",
        summary="Get a proposal",
        tags=["journal"],
        answer=shapes.ProposalBody,
        permission=_READ,
        refusals=(refusals.ProposalNotFound,),
    )
    async def get_proposal(self, caller: Caller, request: AnyRequest, proposal_id: str) -> Response[bytes]:
        requested = contract.GetProposal(tenant_id=caller.tenant_id, proposal_id=path_id(proposal_id, "proposal_id"))
        return json_answer(shapes.proposal_body(await self.ask_unaudited(requested)))


class Decisions(Resource):
    """Decisions"""

    ask_unaudited: Ask

    bodies = BodyReader(shapes.DecideProposal, moves_money=True)
    of_decision = (refusals.ProposalNotFound, refusals.SelfApproval, refusals.ProposalDecided, refusals.ProposalExpired)

    async def _reason_of(self, request: AnyRequest) -> str | None:
        requested = await self.bodies.take(await request.body() or b"{}")
        require_storable({"/reason": requested.reason})
        return requested.reason

    @operation(
        "POST",
        "/v1/ledger/proposals/{proposal_id:str}/approve",
        operation_id="approveProposal",
        summary="Approve a proposal",
        description="Posts its entries, exactly once, however often it is approved. Who proposed it, or made the key that did, cannot.",
        tags=["journal"],
        body=shapes.DecideProposal,
        moves_money=True,
        body_optional=True,
        answer=shapes.ProposalBody,
        permission=_APPROVE,
        refusals=(*of_decision, *_ENTRY_REFUSALS),
        change=_APPROVAL,
    )
    async def approve_proposal(self, caller: Caller, request: AnyRequest, proposal_id: str) -> Response[bytes]:
        sent = contract.ApproveProposal(
            tenant_id=caller.tenant_id,
            proposal_id=path_id(proposal_id, "proposal_id"),
            decided_by=caller.actor,
            reason=await self._reason_of(request),
        )
        target = str(sent.proposal_id)
        answer = await intended(self.access, caller, self.ask_unaudited, sent, change=_APPROVAL)
        return await _proposal_answer(self.access, caller, answer, change=_APPROVAL, target=target)

    @operation(
        "POST",
        "/v1/ledger/proposals/{proposal_id:str}/reject",
        operation_id="rejectProposal",
        summary="Reject a proposal",
        description="Its entries will not be posted. Who proposed it, or made the key that did, cannot reject it either.",
        tags=["journal"],
        body=shapes.DecideProposal,
        moves_money=True,
        body_optional=True,
        answer=shapes.ProposalBody,
        permission=_APPROVE,
        refusals=of_decision,
        change=_REJECTION,
    )
    async def reject_proposal(self, caller: Caller, request: AnyRequest, proposal_id: str) -> Response[bytes]:
        sent = contract.RejectProposal(
            tenant_id=caller.tenant_id,
            proposal_id=path_id(proposal_id, "proposal_id"),
            decided_by=caller.actor,
            reason=await self._reason_of(request),
        )
        target = str(sent.proposal_id)
        answer = await intended(self.access, caller, self.ask_unaudited, sent, change=_REJECTION)
        return await _proposal_answer(self.access, caller, answer, change=_REJECTION, target=target)


async def _read(requested: Sequence[shapes.NewEntry]) -> list[ManualEntry]:
    entries: list[ManualEntry] = []
    for some in _parts(requested):
        async with one_slice():
            entries += [shapes.manual_entry(entry, place=place) for place, entry in enumerate(some, start=len(entries))]
    return entries


def _parts(entries: Sequence[shapes.NewEntry]) -> Iterator[Sequence[shapes.NewEntry]]:
    """Cut a list into parts of at most `_LINES_AT_ONCE` lines, but for entries that have more by themselves."""
    begin = lines = 0
    for place, entry in enumerate(entries):
        if lines and lines + len(entry.lines) > _LINES_AT_ONCE:
            yield entries[begin:place]
            begin, lines = place, 0
        lines += len(entry.lines)
    yield entries[begin:]


async def _proposal_answer(
    access: Admission,
    caller: Caller,
    answer: ProposalAnswer,
    *,
    change: Change,
    target: str = "entries",
    status: int = 200,
) -> Response[bytes]:
    """Answer with the proposal, or refuse for its entries; either is written down with both names."""
    proposal = answer.proposal
    if proposal is None:
        no = _refusal(answer.results)
        await access.remember(caller, change.action, target, outcome="failed", detail={"reason": no.reason})
        raise no
    detail = {"made_by": proposal.made_by, "status": proposal.status.value}
    if proposal.decided_by is not None:
        detail["decided_by"] = proposal.decided_by
    await access.remember(caller, change.action, str(proposal.id), detail=detail)
    headers = _replayed(is_replay=answer.is_replay)
    return json_answer(shapes.proposal_body(proposal), status=status, headers=headers)


def _refusal(results: Sequence[EntryResult]) -> Rejected:
    """Refuse a call for what was wrong with its entries: the kind of the first, and the place of each."""
    first = next(result for result in results if result.outcome is Outcome.REFUSED)
    known: tuple[type[Rejected], ...] = (*_ENTRY_REFUSALS, refusals.ApprovalRequired)
    kind = next((each for each in known if each.code == first.code), refusals.EntryInvalid)
    return kind(first.detail, errors=shapes.violations(results))


def _replayed(*, is_replay: bool) -> dict[str, str]:
    return {"Idempotency-Replayed": "true"} if is_replay else {}
