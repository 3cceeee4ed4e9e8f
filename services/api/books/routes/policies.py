"""What nobody may do alone in the books, and how that is changed by two people; the ledger keeps it."""

from litestar import Response

from libs.common.contracts import Message, ledger_journal, ledger_policy
from libs.common.contracts import ledger_errors as refusals
from libs.common.money import InvalidAmount, UnsupportedCurrency
from services.api.access.auditing import intended
from services.api.books.schemas import policies as shapes
from services.api.http.bodies import BodyReader, require_storable
from services.api.http.callers import Admission, Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import AnyRequest, Query, QueryParameter, path_id
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask

_READ, _APPROVE, _ADMIN = "ledger:read", "ledger:approve", "admin:write"
_SET_POLICY = Change(ledger_journal.SetJournalPolicy, "ledger.set_journal_policy", subject="/v1/ledger/settings")
_PROPOSAL = Change(ledger_policy.ProposePolicyChange, "ledger.propose_policy_change", target="change_id")
_APPROVAL = Change(ledger_policy.ApprovePolicyChange, "ledger.approve_policy_change", target="change_id")
_REJECTION = Change(ledger_policy.RejectPolicyChange, "ledger.reject_policy_change", target="change_id")
CHANGES, CHANGES_MAX = 50, 200
_STATUSES = {status.value: (status.value,) for status in ledger_policy.PolicyChangeStatus}
_RULES = [
    {"kind": "manual", "at_least": [{"currency": "BRL", "amount": "1000.00"}]},
    {"role": "BANK"},
]


class Settings(Resource):
    """Whether the tenant lets nobody change its books alone: the whole policy by one switch."""

    ask_unaudited: Ask

    bodies = BodyReader(shapes.LedgerSettings)

    @operation(
        "GET",
        "/v1/ledger/settings",
        operation_id="getLedgerSettings",
        summary="Does the tenant let nobody change its books alone?",
        description="Whether a rule without conditions is in the policy; `GET /v1/ledger/policy` has all rules.",
        tags=["journal"],
        answer=shapes.LedgerSettings,
        permission=_READ,
    )
    async def get_ledger_settings(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask_unaudited(ledger_journal.GetJournalPolicy(tenant_id=caller.tenant_id))
        return json_answer(shapes.LedgerSettings(manual_entries_need_approval=found.manual_entries_need_approval))

    @operation(
        "PUT",
        "/v1/ledger/settings",
        operation_id="putLedgerSettings",
        summary="Demand a second person for everything",
        description="Where the policy demands anything already, a change of it needs a second person: 409, and "
        "`POST /v1/ledger/policy/changes` proposes it.",
        tags=["journal"],
        body=shapes.LedgerSettings,
        example={"manual_entries_need_approval": False},
        answer=shapes.LedgerSettings,
        permission=_ADMIN,
        refusals=(refusals.ApprovalRequired,),
        change=_SET_POLICY,
    )
    async def put_ledger_settings(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        sent = ledger_journal.SetJournalPolicy(
            tenant_id=caller.tenant_id,
            changed_by=caller.actor,
            manual_entries_need_approval=requested.manual_entries_need_approval,
        )
        await intended(self.access, caller, self.ask_unaudited, sent, change=_SET_POLICY)
        published = "true" if requested.manual_entries_need_approval else "false"
        detail = {"manual_entries_need_approval": published}
        await self.access.remember(caller, _SET_POLICY.action, _SET_POLICY.subject, detail=detail)
        return json_answer(requested)


class ApprovalPolicies(Resource):
    """The policy, and the changes of it that were proposed."""

    ask: Ask
    ask_unaudited: Ask

    bodies = BodyReader(shapes.ProposeApprovalPolicy)

    @operation(
        "GET",
        "/v1/ledger/policy",
        operation_id="getApprovalPolicy",
        summary="What does the tenant let nobody do alone?",
        tags=["journal"],
        answer=shapes.ApprovalPolicyBody,
        permission=_READ,
    )
    async def get_approval_policy(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        found = await self.ask(ledger_policy.GetApprovalPolicy(tenant_id=caller.tenant_id))
        return json_answer(shapes.policy_body(found))

    @operation(
        "POST",
        "/v1/ledger/policy/changes",
        operation_id="proposePolicyChange",
        summary="Propose a policy",
        description="All rules of it. `applied` at once where the present policy demands nothing; else somebody else decides.",
        tags=["journal"],
        body=shapes.ProposeApprovalPolicy,
        moves_money=True,
        example={"reason": "Nobody moves 1,000 and more alone", "rules": _RULES},
        answer=shapes.PolicyChangeBody,
        permission=_ADMIN,
        status=201,
        refusals=(
            UnsupportedCurrency,
            InvalidAmount,
            refusals.AccountUnknown,
            refusals.PolicyInvalid,
            refusals.PolicyChangeConflict,
        ),
        change=_PROPOSAL,
    )
    async def propose_policy_change(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.bodies.take(await request.body())
        accounts = {f"/rules/{place}/account": rule.account for place, rule in enumerate(requested.rules)}
        require_storable({"/reason": requested.reason, **accounts})
        sent = ledger_policy.ProposePolicyChange(
            tenant_id=caller.tenant_id,
            change_id=resource_id(),
            made_by=caller.actor,
            responsible=caller.principal.responsible,
            reason=requested.reason,
            rules=shapes.rules_requested(requested.rules),
        )
        return await _changed(self.access, caller, self.ask_unaudited, sent, change=_PROPOSAL, status=201)

    @operation(
        "GET",
        "/v1/ledger/policy/changes",
        operation_id="listPolicyChanges",
        summary="List changes of the policy",
        description="Newest first.",
        tags=["journal"],
        answer=shapes.PolicyChangesBody,
        permission=_READ,
        query=(
            QueryParameter(
                name="status", description="With this status.", shape={"type": "string", "enum": [*_STATUSES]}
            ),
            QueryParameter(
                name="limit",
                description="Changes on a page.",
                shape={"type": "integer", "minimum": 1, "maximum": CHANGES_MAX, "default": CHANGES},
            ),
            QueryParameter(
                name="cursor",
                description="The `next_cursor` of the page before.",
                shape={"type": "string", "maxLength": 512},
            ),
        ),
        refusals=(refusals.QueryInvalid,),
    )
    async def list_policy_changes(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        statuses = query.names("status", _STATUSES)
        page = await self.ask(
            ledger_policy.ListPolicyChanges(
                tenant_id=caller.tenant_id,
                status=None if statuses is None else ledger_policy.PolicyChangeStatus(statuses[0]),
                limit=query.integer("limit", default=CHANGES, at_least=1, at_most=CHANGES_MAX),
                cursor=query.cursor(),
            )
        )
        body = shapes.PolicyChangesBody(
            data=[shapes.change_body(change) for change in page.changes], next_cursor=page.next_cursor
        )
        link = query.link(page.next_cursor)
        return json_answer(body, headers=link)

    @operation(
        "GET",
        "/v1/ledger/policy/changes/{change_id:str}",
        operation_id="getPolicyChange",
        summary="Get a change of the policy",
        tags=["journal"],
        answer=shapes.PolicyChangeBody,
        permission=_READ,
        refusals=(refusals.PolicyChangeNotFound,),
    )
    async def get_policy_change(self, caller: Caller, request: AnyRequest, change_id: str) -> Response[bytes]:
        requested = ledger_policy.GetPolicyChange(tenant_id=caller.tenant_id, change_id=path_id(change_id, "change_id"))
        return json_answer(shapes.change_body(await self.ask(requested)))


class PolicyDecisions(Resource):
    """Decisions about changes of the policy."""

    ask_unaudited: Ask

    bodies = BodyReader(shapes.DecidePolicyChange)
    of_decision = (refusals.PolicyChangeNotFound, refusals.SelfApproval, refusals.PolicyChangeDecided)

    async def _reason_of(self, request: AnyRequest) -> str | None:
        requested = await self.bodies.take(await request.body() or b"{}")
        require_storable({"/reason": requested.reason})
        return requested.reason

    @operation(
        "POST",
        "/v1/ledger/policy/changes/{change_id:str}/approve",
        operation_id="approvePolicyChange",
        summary="Approve a change of the policy",
        description="It becomes the policy, unless another one has meanwhile. Who proposed it, or made the key that did, cannot.",
        tags=["journal"],
        body=shapes.DecidePolicyChange,
        body_optional=True,
        answer=shapes.PolicyChangeBody,
        permission=_APPROVE,
        refusals=(*of_decision, refusals.PolicyChangeOutdated),
        change=_APPROVAL,
    )
    async def approve_policy_change(self, caller: Caller, request: AnyRequest, change_id: str) -> Response[bytes]:
        sent = ledger_policy.ApprovePolicyChange(
            tenant_id=caller.tenant_id,
            change_id=path_id(change_id, "change_id"),
            decided_by=caller.actor,
            reason=await self._reason_of(request),
        )
        return await _changed(self.access, caller, self.ask_unaudited, sent, change=_APPROVAL)

    @operation(
        "POST",
        "/v1/ledger/policy/changes/{change_id:str}/reject",
        operation_id="rejectPolicyChange",
        summary="Reject a change of the policy",
        description="The policy stays. Who proposed it, or made the key that did, cannot reject it either.",
        tags=["journal"],
        body=shapes.DecidePolicyChange,
        body_optional=True,
        answer=shapes.PolicyChangeBody,
        permission=_APPROVE,
        refusals=of_decision,
        change=_REJECTION,
    )
    async def reject_policy_change(self, caller: Caller, request: AnyRequest, change_id: str) -> Response[bytes]:
        sent = ledger_policy.RejectPolicyChange(
            tenant_id=caller.tenant_id,
            change_id=path_id(change_id, "change_id"),
            decided_by=caller.actor,
            reason=await self._reason_of(request),
        )
        return await _changed(self.access, caller, self.ask_unaudited, sent, change=_REJECTION)


async def _changed(
    access: Admission, caller: Caller, ask: Ask, sent: Message, *, change: Change, status: int = 200
) -> Response[bytes]:
    """Request it, and answer with the change of the policy; it is written down with both names."""
    answer = await intended(access, caller, ask, sent, change=change)
    detail = {"made_by": answer.made_by, "status": answer.status.value, "rules": str(len(answer.rules))}
    if answer.decided_by is not None:
        detail["decided_by"] = answer.decided_by
    await access.remember(caller, change.action, str(answer.id), detail=detail)
    return json_answer(shapes.change_body(answer), status=status)
