"""Rules, lines and matches, as clients write and see them."""

from typing import Annotated, Literal

import msgspec

from libs.common.clock import iso
from libs.common.contracts.gateway_matching import LineMatch, MatchingRules, MatchPart, StatementLine
from libs.common.money import format_minor

type _Kind = Literal["reference", "exact", "date_window", "tolerance", "fee_aware", "one_to_many", "many_to_one"]
type _Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, description="Why, in your words.")]
type _Word = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class RuleOfSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to find the other side of a line."""

    kind: Annotated[_Kind, msgspec.Meta(description="How it is found.")]
    window_days: Annotated[
        int, msgspec.Meta(ge=0, le=31, description="Days before and after the arrival of a payout.")
    ] = 0
    tolerance_minor: Annotated[
        int,
        msgspec.Meta(
            ge=0, le=1_000_000_000, description="By how much amounts may differ, for `tolerance` and `reference`."
        ),
    ] = 0
    parts_max: Annotated[
        int, msgspec.Meta(ge=1, le=6, description="Of how many parts one side may be, for those of several.")
    ] = 1
    confidence: Annotated[int, msgspec.Meta(ge=1, le=100, description="How sure it is, in percent.")]


class PutRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of a source, in their order."""

    compared_with: Annotated[
        Literal["payouts", "movements"],
        msgspec.Meta(description="`payouts` for lines of banks, `movements` for lines of processors."),
    ]
    rules: Annotated[
        list[RuleOfSource],
        msgspec.Meta(min_length=1, max_length=20, description="The first that finds something decides."),
    ]
    concerns: Annotated[
        list[_Word],
        msgspec.Meta(
            max_length=20,
            description="A line with none of these words that belongs to nothing is no discrepancy; empty: every line is.",
        ),
    ] = []


class MatchByHand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines, and the payouts or movements that they belong to."""

    line_ids: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=36, extra_json_schema={"format": "uuid"})]],
        msgspec.Meta(min_length=1, max_length=100, description="The lines, of one currency."),
    ]
    references: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=255)]],
        msgspec.Meta(
            min_length=1,
            max_length=100,
            description="The processor's references of payouts, or of movements for lines of its reports.",
        ),
    ]
    difference_minor: Annotated[
        int,
        msgspec.Meta(
            ge=-9_007_199_254_740_991,
            le=9_007_199_254_740_991,
            description="What the lines come to, less what the other side has, in minor units: named, or the match is refused.",
        ),
    ] = 0
    other_currency: Annotated[
        Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}(?!\n)$")] | None,
        msgspec.Meta(
            description="ISO 4217 code of the other side, where it is another one than that of the lines: named, or the match is refused."
        ),
    ] = None
    other_minor: Annotated[
        Annotated[int, msgspec.Meta(ge=-9_007_199_254_740_991, le=9_007_199_254_740_991)] | None,
        msgspec.Meta(description="What the other side has in that currency, in its minor units."),
    ] = None
    reason: _Reason


class TakeApart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a match is none."""

    reason: _Reason


class RuleBody(msgspec.Struct, frozen=True, kw_only=True):
    """A rule."""

    kind: str
    window_days: int
    tolerance_minor: int
    parts_max: int
    confidence: int


class RulesBody(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of a source that are in force."""

    source_id: str
    version: int
    """From 1; 0: the defaults."""
    compared_with: str
    rules: list[RuleBody]
    concerns: list[str]
    made_by: str | None
    made_at: str | None


class StatementLineBody(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a statement."""

    id: str
    source_id: str
    import_id: str
    account: str | None
    booked_on: str
    value_on: str | None
    currency: str
    amount: str
    """Before the fee; below zero it left."""
    fee: str
    bank_id: str | None
    references: dict[str, str]
    counterparty: str | None
    description: str | None
    match_id: str | None
    """The match that it is in."""


class PartBody(msgspec.Struct, frozen=True, kw_only=True):
    """A line, payout or movement of a match."""

    side: str
    """`line`, `payout` or `movement`."""
    id: str
    reference: str | None
    """The processor's reference."""
    amount: str


class MatchBody(msgspec.Struct, frozen=True, kw_only=True):
    """Lines with what they belong to."""

    id: str
    rule: str
    """The kind of the rule; `by_hand`: a person."""
    rule_version: int
    confidence: int
    currency: str
    amount: str
    """What its lines come to."""
    difference: str
    """That, less what the other side has."""
    other_currency: str | None
    """That of the other side, where it is another one."""
    other_amount: str | None
    """What the other side has in it: the rate is `amount` to this."""
    matched_by: str
    """Who matched it; `reconciliation`: a run."""
    reason: str | None
    run_id: str | None
    matched_at: str
    unmatched_at: str | None
    unmatched_by: str | None
    unmatch_reason: str | None
    parts: list[PartBody]


def rules_body(found: MatchingRules) -> RulesBody:
    """Render rules."""
    return RulesBody(
        source_id=str(found.source_id),
        version=found.version,
        compared_with=found.compared_with,
        rules=[RuleBody(**msgspec.structs.asdict(rule)) for rule in found.rules],
        concerns=found.concerns,
        made_by=found.made_by or None,
        made_at=None if found.made_at is None else iso(found.made_at),
    )


def line_body(line: StatementLine) -> StatementLineBody:
    """Render a line."""
    return StatementLineBody(
        id=str(line.id),
        source_id=str(line.source_id),
        import_id=str(line.import_id),
        account=line.account or None,
        booked_on=line.booked_on.isoformat(),
        value_on=None if line.value_on is None else line.value_on.isoformat(),
        currency=line.currency,
        amount=format_minor(line.amount_minor, line.currency),
        fee=format_minor(line.fee_minor, line.currency),
        bank_id=line.bank_id or None,
        references=line.references,
        counterparty=line.counterparty or None,
        description=line.description or None,
        match_id=None if line.match_id is None else str(line.match_id),
    )


def match_body(match: LineMatch) -> MatchBody:
    """Render a match."""
    return MatchBody(
        id=str(match.id),
        rule=match.rule,
        rule_version=match.rule_version,
        confidence=match.confidence,
        currency=match.currency,
        amount=format_minor(match.amount_minor, match.currency),
        difference=format_minor(match.difference_minor, match.currency),
        other_currency=match.other_currency or None,
        other_amount=None if match.other_minor is None else format_minor(match.other_minor, match.other_currency),
        matched_by=match.matched_by,
        reason=match.reason or None,
        run_id=None if match.run_id is None else str(match.run_id),
        matched_at=iso(match.matched_at),
        unmatched_at=None if match.unmatched_at is None else iso(match.unmatched_at),
        unmatched_by=match.unmatched_by or None,
        unmatch_reason=match.unmatch_reason or None,
        parts=[
            _part(part, match.currency if part.side == "line" else match.other_currency or match.currency)
            for part in match.parts
        ],
    )


def _part(part: MatchPart, currency: str) -> PartBody:
    return PartBody(
        side=part.side,
        id=str(part.id),
        reference=part.reference or None,
        amount=format_minor(part.amount_minor, currency),
    )
