"""Discrepancies are listed and decided about; the gateway answers over the broker."""

from litestar import Response

from libs.common.contracts.gateway_decisions import (
    AssignDiscrepancy,
    DiscrepancyDecision,
    IgnoreDiscrepancy,
    ReopenDiscrepancy,
    RepairDiscrepancy,
    ResolveDiscrepancy,
)
from libs.common.contracts.gateway_errors import (
    DiscrepancyDecided,
    DiscrepancyNotFound,
    DiscrepancyNotRepairable,
)
from libs.common.contracts.gateway_reconciliation import (
    DecideDiscrepancies,
    Decision,
    DiscrepancyState,
    DiscrepancyType,
    GetDiscrepancy,
    ListDiscrepancies,
)
from libs.common.errors import Invalid
from services.api.http.bodies import BodyReader, body_id, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation
from services.api.http.parameters import FLAG_SHAPE, AnyRequest, Query, QueryParameter, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.reconciliation.routes.paging import CURSOR, LIMIT, PAGE_MAX
from services.api.reconciliation.schemas import (
    Assign,
    DecideMany,
    DiscrepancyBody,
    DiscrepancyHistoryBody,
    Repair,
    Settle,
    discrepancy_body,
    history_body,
)

_WRITE = "admin:write"
_DECISIONS = tuple(decision.value for decision in Decision)
_TYPES = {kind.value: (kind.value,) for kind in DiscrepancyType}
_STATES = {state.value: (state.value,) for state in DiscrepancyState}
_BULK = Change(DecideDiscrepancies, "gateway.decide_discrepancies", subject="discrepancies")
_REFUSALS = (DiscrepancyNotFound, DiscrepancyDecided)


class Discrepancies(Resource):
    """Routes of discrepancies."""

    ask: Ask

    reasons, assignments, decisions = BodyReader(Settle), BodyReader(Assign), BodyReader(DecideMany)
    repairs = BodyReader(Repair)

    @operation(
        "GET",
        "/v1/reconciliation/discrepancies",
        operation_id="listDiscrepancies",
        summary="List discrepancies",
        description="In the order of when they happened, the latest first, as a bare array; `Link` names the next page.",
        tags=["reconciliation"],
        answer=list[DiscrepancyBody],
        permission=_WRITE,
        query=(
            QueryParameter(
                name="resolved",
                description="`true`: resolved or ignored alone; `false`: what is left.",
                shape=FLAG_SHAPE,
            ),
            QueryParameter(
                name="type", description="Comma list of types.", shape={"type": "string", "examples": ["NOT_BOOKED"]}
            ),
            QueryParameter(
                name="state", description="Comma list of states.", shape={"type": "string", "examples": ["open"]}
            ),
            QueryParameter(
                name="payment_intent_id",
                description="About this payment alone.",
                shape={"type": "string", "format": "uuid"},
            ),
            QueryParameter(name="assignee", description="Who looks at it.", shape={"type": "string", "maxLength": 255}),
            LIMIT,
            CURSOR,
        ),
    )
    async def list_discrepancies(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        page = await self.ask(
            ListDiscrepancies(
                tenant_id=caller.tenant_id,
                settled=query.flag("resolved"),
                types=tuple(DiscrepancyType(name) for name in query.names("type", _TYPES) or ()),
                states=tuple(DiscrepancyState(name) for name in query.names("state", _STATES) or ()),
                payment_intent_id=query.identifier("payment_intent_id"),
                assignee=query.text("assignee", length_max=255) or "",
                before=query.identifier("cursor"),
                limit=query.integer("limit", default=PAGE_MAX, at_least=1, at_most=PAGE_MAX),
            )
        )
        return json_answer(
            [discrepancy_body(each) for each in page.discrepancies], headers=query.link(page.next_before)
        )

    @operation(
        "GET",
        "/v1/reconciliation/discrepancies/{discrepancy_id:str}",
        operation_id="getDiscrepancy",
        summary="Get a discrepancy",
        description="With all that was done about it, oldest first.",
        tags=["reconciliation"],
        answer=DiscrepancyHistoryBody,
        permission=_WRITE,
        refusals=(DiscrepancyNotFound,),
    )
    async def get_discrepancy(self, caller: Caller, request: AnyRequest, discrepancy_id: str) -> Response[bytes]:
        found = await self.ask(
            GetDiscrepancy(tenant_id=caller.tenant_id, discrepancy_id=path_id(discrepancy_id, "discrepancy_id"))
        )
        return json_answer(history_body(found))

    @operation(
        "POST",
        "/v1/reconciliation/discrepancies/{discrepancy_id:str}/resolve",
        operation_id="resolveDiscrepancy",
        summary="Resolve a discrepancy",
        description="It is settled, for the reason given. It is open again when a run finds it with other facts.",
        tags=["reconciliation"],
        body=Settle,
        body_optional=True,
        answer=DiscrepancyBody,
        permission=_WRITE,
        refusals=_REFUSALS,
        change=Change(ResolveDiscrepancy, "gateway.resolve_discrepancy", target="discrepancy_id"),
    )
    async def resolve_discrepancy(self, caller: Caller, request: AnyRequest, discrepancy_id: str) -> Response[bytes]:
        return await self._settle(caller, request, discrepancy_id, ResolveDiscrepancy)

    @operation(
        "POST",
        "/v1/reconciliation/discrepancies/{discrepancy_id:str}/ignore",
        operation_id="ignoreDiscrepancy",
        summary="Ignore a discrepancy",
        description="It may stand. It is open again when a run finds it with other facts.",
        tags=["reconciliation"],
        body=Settle,
        body_optional=True,
        answer=DiscrepancyBody,
        permission=_WRITE,
        refusals=_REFUSALS,
        change=Change(IgnoreDiscrepancy, "gateway.ignore_discrepancy", target="discrepancy_id"),
    )
    async def ignore_discrepancy(self, caller: Caller, request: AnyRequest, discrepancy_id: str) -> Response[bytes]:
        return await self._settle(caller, request, discrepancy_id, IgnoreDiscrepancy)

    @operation(
        "POST",
        "/v1/reconciliation/discrepancies/{discrepancy_id:str}/reopen",
        operation_id="reopenDiscrepancy",
        summary="Reopen a discrepancy",
        tags=["reconciliation"],
        body=Settle,
        body_optional=True,
        answer=DiscrepancyBody,
        permission=_WRITE,
        refusals=_REFUSALS,
        change=Change(ReopenDiscrepancy, "gateway.reopen_discrepancy", target="discrepancy_id"),
    )
    async def reopen_discrepancy(self, caller: Caller, request: AnyRequest, discrepancy_id: str) -> Response[bytes]:
        return await self._settle(caller, request, discrepancy_id, ReopenDiscrepancy)

    @operation(
        "POST",
        "/v1/reconciliation/discrepancies/{discrepancy_id:str}/assign",
        operation_id="assignDiscrepancy",
        summary="Assign a discrepancy",
        tags=["reconciliation"],
        body=Assign,
        example={"assignee": "ops@example.com"},
        answer=DiscrepancyBody,
        permission=_WRITE,
        refusals=_REFUSALS,
        change=Change(AssignDiscrepancy, "gateway.assign_discrepancy", target="discrepancy_id"),
    )
    async def assign_discrepancy(self, caller: Caller, request: AnyRequest, discrepancy_id: str) -> Response[bytes]:
        requested = await self.assignments.take(await request.body())
        require_storable({"/assignee": requested.assignee, "/note": requested.note})
        decided = await self.ask(
            AssignDiscrepancy(
                tenant_id=caller.tenant_id,
                discrepancy_id=path_id(discrepancy_id, "discrepancy_id"),
                actor=caller.actor,
                assignee=requested.assignee,
                note=requested.note,
            )
        )
        return json_answer(discrepancy_body(decided))

    @operation(
        "POST",
        "/v1/reconciliation/discrepancies/{discrepancy_id:str}/repair",
        operation_id="repairDiscrepancy",
        summary="Repair a discrepancy",
        description="Does what is safe: what was not booked is published again, and what was missed is read from the processor again. "
        "With the `proposal_id` of entries that are proposed in the ledger, it is resolved once they are posted.",
        tags=["reconciliation"],
        body=Repair,
        body_optional=True,
        example={"proposal_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf0"},
        answer=DiscrepancyBody,
        permission=_WRITE,
        refusals=(*_REFUSALS, DiscrepancyNotRepairable),
        change=Change(RepairDiscrepancy, "gateway.repair_discrepancy", target="discrepancy_id"),
    )
    async def repair_discrepancy(self, caller: Caller, request: AnyRequest, discrepancy_id: str) -> Response[bytes]:
        wished = await self.repairs.take(await request.body() or b"{}")
        repaired = await self.ask(
            RepairDiscrepancy(
                tenant_id=caller.tenant_id,
                discrepancy_id=path_id(discrepancy_id, "discrepancy_id"),
                actor=caller.actor,
                proposal_id=None if wished.proposal_id is None else body_id("/proposal_id", wished.proposal_id),
            )
        )
        return json_answer(discrepancy_body(repaired))

    @operation(
        "POST",
        "/v1/reconciliation/discrepancies/decide",
        operation_id="decideDiscrepancies",
        summary="Decide about several discrepancies",
        description="All or none of them.",
        tags=["reconciliation"],
        body=DecideMany,
        example={"ids": ["0190f3a4-5b6c-7d8e-9f01-23456789abf2"], "decision": "resolve", "reason": "agreed_with_bank"},
        answer=list[DiscrepancyBody],
        permission=_WRITE,
        refusals=_REFUSALS,
        change=_BULK,
    )
    async def decide_discrepancies(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.decisions.take(await request.body())
        require_storable({"/assignee": requested.assignee, "/note": requested.note})
        if requested.decision not in _DECISIONS:
            raise Invalid(
                "there is no such decision", errors=(("/decision", f"must be one of {', '.join(_DECISIONS)}"),)
            )
        decision = Decision(requested.decision)
        if (decision is Decision.ASSIGN) is not bool(requested.assignee):
            sentence = "names who looks at them, where they are assigned, and nobody otherwise"
            raise Invalid(f"assignee {sentence}", errors=(("/assignee", sentence),))
        page = await self.ask(
            DecideDiscrepancies(
                tenant_id=caller.tenant_id,
                discrepancy_ids=tuple(body_id(f"/ids/{number}", text) for number, text in enumerate(requested.ids)),
                decision=decision,
                actor=caller.actor,
                assignee=requested.assignee,
                reason=requested.reason,
                note=requested.note,
            )
        )
        return json_answer([discrepancy_body(each) for each in page.discrepancies])

    async def _settle(
        self, caller: Caller, request: AnyRequest, discrepancy_id: str, kind: type[DiscrepancyDecision]
    ) -> Response[bytes]:
        requested = await self.reasons.take(await request.body() or b"{}")
        require_storable({"/note": requested.note})
        decided = await self.ask(
            kind(
                tenant_id=caller.tenant_id,
                discrepancy_id=path_id(discrepancy_id, "discrepancy_id"),
                actor=caller.actor,
                reason=requested.reason,
                note=requested.note,
            )
        )
        return json_answer(discrepancy_body(decided))
