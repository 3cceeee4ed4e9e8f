"""Matching: rules of sources, lines of statements, and what they belong to; the gateway answers over the broker."""

import msgspec
from litestar import Response

from libs.common.contracts.gateway_errors import (
    ImportSourceNotFound,
    LineMatchConflict,
    LineMatchInvalid,
    LineMatchNotFound,
    MatchingRulesInvalid,
)
from libs.common.contracts.gateway_matching import (
    BY_HAND,
    GetMatchingRules,
    ListLineMatches,
    ListStatementLines,
    MatchingRule,
    MatchLines,
    PutMatchingRules,
    RuleKind,
    UnmatchLines,
)
from services.api.http.bodies import BodyReader, body_id, require_storable
from services.api.http.callers import Caller
from services.api.http.controllers import Change, Resource, operation, resource_id
from services.api.http.parameters import FLAG_SHAPE, AnyRequest, Query, QueryParameter, path_id, wrong
from services.api.http.rendering import json_answer
from services.api.http.requests import Ask
from services.api.matching.schemas import (
    MatchBody,
    MatchByHand,
    PutRules,
    RulesBody,
    StatementLineBody,
    TakeApart,
    line_body,
    match_body,
    rules_body,
)

_WRITE = "admin:write"
_PAGE, _PAGE_MAX = 50, 200
_RULES = {kind: (kind,) for kind in (*(each.value for each in RuleKind), BY_HAND)}
_DATE_SHAPE = {"type": "string", "format": "date"}
_ID_SHAPE = {"type": "string", "format": "uuid"}
_LIMIT = QueryParameter(
    name="limit",
    description="At most.",
    shape={"type": "integer", "minimum": 1, "maximum": _PAGE_MAX, "default": _PAGE},
)
_CURSOR = QueryParameter(
    name="cursor", description="From the `Link` of the page before.", shape={"type": "string", "maxLength": 512}
)
_RULES_EXAMPLE = {
    "compared_with": "payouts",
    "rules": [
        {"kind": "reference", "confidence": 100},
        {"kind": "date_window", "window_days": 3, "confidence": 90},
        {"kind": "tolerance", "window_days": 3, "tolerance_minor": 50, "confidence": 60},
    ],
    "concerns": ["STRIPE"],
}
_MATCH_EXAMPLE = {
    "line_ids": ["0190f3a4-5b6c-7d8e-9f01-23456789abf6"],
    "references": ["po_1NvV3gLkdIwHu7ix"],
    "difference_minor": -250,
    "reason": "the bank has kept 2.50 of it",
}


class MatchingRoutes(Resource):
    """Routes of rules, lines and matches."""

    ask: Ask

    sets, by_hand, reasons = BodyReader(PutRules), BodyReader(MatchByHand), BodyReader(TakeApart)

    @operation(
        "GET",
        "/v1/reconciliation/sources/{source_id:str}/rules",
        operation_id="getMatchingRules",
        summary="Get the rules of a source",
        description="By which its lines find payouts or movements; version 0 are the defaults.",
        tags=["reconciliation"],
        answer=RulesBody,
        permission=_WRITE,
        refusals=(ImportSourceNotFound,),
    )
    async def get_rules(self, caller: Caller, request: AnyRequest, source_id: str) -> Response[bytes]:
        found = await self.ask(GetMatchingRules(tenant_id=caller.tenant_id, source_id=path_id(source_id, "source_id")))
        return json_answer(rules_body(found))

    @operation(
        "PUT",
        "/v1/reconciliation/sources/{source_id:str}/rules",
        operation_id="replaceMatchingRules",
        summary="Change the rules of a source",
        description="As another version, from the next step of a run on; what is matched stays as it is.",
        tags=["reconciliation"],
        body=PutRules,
        example=_RULES_EXAMPLE,
        answer=RulesBody,
        permission=_WRITE,
        refusals=(ImportSourceNotFound, MatchingRulesInvalid),
        change=Change(PutMatchingRules, "gateway.put_matching_rules", target="source_id"),
    )
    async def put_rules(self, caller: Caller, request: AnyRequest, source_id: str) -> Response[bytes]:
        requested = await self.sets.take(await request.body())
        require_storable({f"/concerns/{n}": word for n, word in enumerate(requested.concerns)})
        changed = await self.ask(
            PutMatchingRules(
                tenant_id=caller.tenant_id,
                source_id=path_id(source_id, "source_id"),
                compared_with=requested.compared_with,
                rules=tuple(msgspec.convert(msgspec.structs.asdict(rule), MatchingRule) for rule in requested.rules),
                concerns=tuple(requested.concerns),
                actor=caller.actor,
            )
        )
        return json_answer(rules_body(changed))

    @operation(
        "GET",
        "/v1/reconciliation/lines",
        operation_id="listStatementLines",
        summary="List lines of statements",
        description="The last imported first, as a bare array; `Link` names the next page.",
        tags=["reconciliation"],
        answer=list[StatementLineBody],
        permission=_WRITE,
        query=(
            QueryParameter(name="source_id", description="Of this source alone.", shape=_ID_SHAPE),
            QueryParameter(
                name="matched", description="`true`: those in a match alone; `false`: the others.", shape=FLAG_SHAPE
            ),
            QueryParameter(name="from", description="Booked on this day or later.", shape=_DATE_SHAPE),
            QueryParameter(name="until", description="Booked before this day.", shape=_DATE_SHAPE),
            _LIMIT,
            _CURSOR,
        ),
    )
    async def list_lines(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        page = await self.ask(
            ListStatementLines(
                tenant_id=caller.tenant_id,
                source_id=query.identifier("source_id"),
                matched=query.flag("matched"),
                booked_from=query.day("from"),
                booked_until=query.day("until"),
                before=query.identifier("cursor"),
                limit=query.integer("limit", default=_PAGE, at_least=1, at_most=_PAGE_MAX),
            )
        )
        return json_answer([line_body(line) for line in page.lines], headers=query.link(page.next_before))

    @operation(
        "GET",
        "/v1/reconciliation/matches",
        operation_id="listLineMatches",
        summary="List matches of lines",
        description="Newest first, as a bare array, with what was taken apart; `Link` names the next page.",
        tags=["reconciliation"],
        answer=list[MatchBody],
        permission=_WRITE,
        query=(
            QueryParameter(name="part_id", description="With this line, payout or movement alone.", shape=_ID_SHAPE),
            QueryParameter(
                name="rule",
                description="By this rule alone.",
                shape={"type": "string", "enum": [*_RULES]},
            ),
            QueryParameter(
                name="in_force", description="`true`: in force alone; `false`: taken apart alone.", shape=FLAG_SHAPE
            ),
            _LIMIT,
            _CURSOR,
        ),
    )
    async def list_matches(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        query = Query(request)
        rules = query.names("rule", _RULES) or ("",)
        if len(rules) != 1:
            raise wrong("rule", "must be one of them")
        page = await self.ask(
            ListLineMatches(
                tenant_id=caller.tenant_id,
                part_id=query.identifier("part_id"),
                rule=rules[0],
                in_force=query.flag("in_force"),
                before=query.identifier("cursor"),
                limit=query.integer("limit", default=_PAGE, at_least=1, at_most=_PAGE_MAX),
            )
        )
        return json_answer([match_body(match) for match in page.matches], headers=query.link(page.next_before))

    @operation(
        "POST",
        "/v1/reconciliation/matches",
        operation_id="matchLines",
        summary="Match lines by hand",
        description="No run undoes it. Amounts must agree, or the difference is named; of two currencies, what the other side has.",
        tags=["reconciliation"],
        body=MatchByHand,
        example=_MATCH_EXAMPLE,
        answer=MatchBody,
        permission=_WRITE,
        status=201,
        refusals=(LineMatchInvalid, LineMatchConflict),
        change=Change(MatchLines, "gateway.match_lines", target="match_id"),
    )
    async def match_lines(self, caller: Caller, request: AnyRequest) -> Response[bytes]:
        requested = await self.by_hand.take(await request.body())
        texts: dict[str, str | None] = {f"/references/{n}": ref for n, ref in enumerate(requested.references)}
        require_storable(texts | {"/reason": requested.reason})
        made = await self.ask(
            MatchLines(
                tenant_id=caller.tenant_id,
                match_id=resource_id(),
                line_ids=tuple(body_id(f"/line_ids/{n}", text) for n, text in enumerate(requested.line_ids)),
                references=tuple(requested.references),
                difference_minor=requested.difference_minor,
                other_currency=requested.other_currency or "",
                other_minor=requested.other_minor,
                reason=requested.reason,
                actor=caller.actor,
            )
        )
        return json_answer(match_body(made), status=201)

    @operation(
        "POST",
        "/v1/reconciliation/matches/{match_id:str}/unmatch",
        operation_id="unmatchLines",
        summary="Take a match apart",
        description="It stays in the list, with who has taken it apart and why; no run puts the same together again.",
        tags=["reconciliation"],
        body=TakeApart,
        example={"reason": "another payout of the same amount"},
        answer=MatchBody,
        permission=_WRITE,
        refusals=(LineMatchNotFound, LineMatchConflict),
        change=Change(UnmatchLines, "gateway.unmatch_lines", target="match_id"),
    )
    async def unmatch_lines(self, caller: Caller, request: AnyRequest, match_id: str) -> Response[bytes]:
        requested = await self.reasons.take(await request.body())
        require_storable({"/reason": requested.reason})
        undone = await self.ask(
            UnmatchLines(
                tenant_id=caller.tenant_id,
                match_id=path_id(match_id, "match_id"),
                reason=requested.reason,
                actor=caller.actor,
            )
        )
        return json_answer(match_body(undone))
