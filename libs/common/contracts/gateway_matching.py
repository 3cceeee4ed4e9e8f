"""Matching: which lines of statements belong to which payouts and movements, by rules or by hand.

Amounts are integer minor units; below zero money left the account.
"""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002"}
_SOURCE = _TENANT | {"source_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf4"}
_LINE = "0190f3a4-5b6c-7d8e-9f01-23456789abf6"
_MATCH = _TENANT | {"match_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf7"}

BY_RUN = "reconciliation"
"""Who has matched what no person has."""
BY_HAND = "by_hand"
"""The rule of what a person has matched."""


class RuleKind(StrEnum):
    """How a line finds its other side."""

    REFERENCE = "reference"
    """It names the payout or movement, and has its amount."""
    EXACT = "exact"
    """The amount of one payout alone, on the day of its arrival."""
    DATE_WINDOW = "date_window"
    """The amount of one payout alone, some days before or after its arrival."""
    TOLERANCE = "tolerance"
    """Nearly the amount of one payout alone."""
    FEE_AWARE = "fee_aware"
    """The amount after the fee that the line has."""
    ONE_TO_MANY = "one_to_many"
    """One line for several payouts, that it names or whose sum nothing else has."""
    MANY_TO_ONE = "many_to_one"
    """Several lines for one payout, that they name or whose sum nothing else has."""


class MatchingRule(msgspec.Struct, frozen=True, kw_only=True):
    """One way to find the other side of a line."""

    kind: RuleKind
    """Which."""
    window_days: int = 0
    """Days before and after the arrival in which a line is looked for; 0 where it is named, or must be of the day itself."""
    tolerance_minor: int = 0
    """By how much the amounts may differ, for `tolerance`."""
    parts_max: int = 1
    """Of how many parts the other side may be, for `one_to_many` and `many_to_one`."""
    confidence: int
    """How sure it is, in percent: 1 to 100."""


class MatchingRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one source, in their order."""

    source_id: UUID
    """The source."""
    version: int
    """From 1; 0: the defaults."""
    compared_with: str
    """`payouts`, as lines of banks are, or `movements`, as lines of processors are."""
    rules: list[MatchingRule]
    """The first that finds something decides."""
    concerns: list[str] = []
    """A line with none of these words that belongs to nothing is no discrepancy; empty: every line is."""
    made_by: str = ""
    """Who put them in force; empty: the defaults."""
    made_at: datetime | None = None
    """When."""


@request("matching_rules.get", owner="gateway", published_by=("api",), reply=MatchingRules, example=_SOURCE)
class GetMatchingRules(Message, frozen=True, kw_only=True):
    """By which rules are lines of a source matched? Requested by the api."""

    tenant_id: str
    """The tenant."""
    source_id: UUID
    """The source."""


@request(
    "matching_rules.put",
    owner="gateway",
    published_by=("api",),
    reply=MatchingRules,
    example=_SOURCE
    | {
        "compared_with": "payouts",
        "rules": [{"kind": "reference", "confidence": 100}],
        "actor": "ops@example.com",
    },
)
class PutMatchingRules(Message, frozen=True, kw_only=True):
    """Put another version of the rules in force; the same rules again are the same version. Requested by the api."""

    tenant_id: str
    """The tenant."""
    source_id: UUID
    """The source."""
    compared_with: str
    """`payouts` or `movements`."""
    rules: tuple[MatchingRule, ...]
    """The rules; 1 to 20."""
    concerns: tuple[str, ...] = ()
    """Words of lines that must belong to something, at most 20; empty: every line must."""
    actor: str
    """Who puts them in force."""


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a statement, and what it belongs to."""

    id: UUID
    """The line."""
    source_id: UUID
    """Whose file had it first."""
    import_id: UUID
    """Which file that was."""
    account: str
    """The account, as the file names it."""
    booked_on: date
    """The day of its booking."""
    value_on: date | None
    """From when on it counts, where the file says so."""
    currency: str
    """ISO 4217 code."""
    amount_minor: int
    """Before the fee."""
    fee_minor: int
    """What was kept."""
    bank_id: str
    """The bank's own id, or empty."""
    references: dict[str, str]
    """What it refers to, by name."""
    counterparty: str
    """Who paid or was paid."""
    description: str
    """What else the file says of it."""
    match_id: UUID | None
    """The match that it is in; None: none."""


class StatementLinePage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines, the last imported first."""

    lines: list[StatementLine]
    next_before: UUID | None = None
    """From where the next page goes on; None: there is none."""


@request("statement_lines.list", owner="gateway", published_by=("api",), reply=StatementLinePage, example=_TENANT)
class ListStatementLines(Message, frozen=True, kw_only=True):
    """Which lines do statements have? Requested by the api."""

    tenant_id: str
    """The tenant."""
    source_id: UUID | None = None
    """Of this source alone."""
    matched: bool | None = None
    """True: those in a match alone; False: the others; None: both."""
    booked_from: date | None = None
    """Booked on this day or later."""
    booked_until: date | None = None
    """Booked before this day."""
    before: UUID | None = None
    """Before this one, from the page before."""
    limit: int = 50
    """At most; 1 to 200."""


class MatchPart(msgspec.Struct, frozen=True, kw_only=True):
    """A line, payout or movement of a match."""

    side: str
    """`line`, `payout` or `movement`."""
    id: UUID
    """The line, or our id of the payout or movement."""
    reference: str
    """The processor's reference; empty for lines."""
    amount_minor: int
    """What it came to when it was matched."""


class LineMatch(msgspec.Struct, frozen=True, kw_only=True):
    """Lines with the payouts or movements that they belong to."""

    id: UUID
    """The match."""
    rule: str
    """The kind of the rule; `by_hand`: a person."""
    rule_version: int
    """Of the rules; 0: the defaults, or a person."""
    confidence: int
    """In percent."""
    currency: str
    """ISO 4217 code of the amounts."""
    amount_minor: int
    """What its lines come to."""
    difference_minor: int
    """That, less what the other side has; 0 where that is in another currency."""
    matched_by: str
    """Who matched it; `reconciliation`: a run."""
    reason: str
    """Why, in a person's words; empty: by its rule."""
    run_id: UUID | None
    """The run; None: a person."""
    matched_at: datetime
    """When."""
    unmatched_at: datetime | None
    """When it was taken apart; None: it is in force."""
    unmatched_by: str
    """By whom; empty while it is in force."""
    unmatch_reason: str
    """Why."""
    parts: list[MatchPart]
    """What it is made of, lines first."""
    other_currency: str = ""
    """ISO 4217 code of the other side, where it is another one; empty: it is the same."""
    other_minor: int | None = None
    """What the other side has in its own currency, where that is another one: the rate is `amount_minor` to this."""


class LineMatchPage(msgspec.Struct, frozen=True, kw_only=True):
    """Matches, newest first."""

    matches: list[LineMatch]
    next_before: UUID | None = None
    """From where the next page goes on; None: there is none."""


@request("line_matches.list", owner="gateway", published_by=("api",), reply=LineMatchPage, example=_TENANT)
class ListLineMatches(Message, frozen=True, kw_only=True):
    """What belongs together? Requested by the api."""

    tenant_id: str
    """The tenant."""
    part_id: UUID | None = None
    """With this line, payout or movement alone."""
    rule: str = ""
    """By this kind of rule alone; empty: any."""
    in_force: bool | None = None
    """True: in force alone; False: taken apart alone; None: both."""
    before: UUID | None = None
    """Older than this one, from the page before."""
    limit: int = 50
    """At most; 1 to 200."""


@request(
    "line_matches.add",
    owner="gateway",
    published_by=("api",),
    reply=LineMatch,
    example=_MATCH
    | {
        "line_ids": [_LINE],
        "references": ["po_1NvV3gLkdIwHu7ix"],
        "reason": "the bank has written no reference",
        "actor": "ops@example.com",
    },
)
class MatchLines(Message, frozen=True, kw_only=True):
    """A person says what belongs together; the same match again is the same match. Requested by the api."""

    tenant_id: str
    """The tenant."""
    match_id: UUID
    """The match, minted by whoever requests it."""
    line_ids: tuple[UUID, ...]
    """The lines; 1 to 100, of one currency."""
    references: tuple[str, ...]
    """The processor's references of the payouts or movements; 1 to 100, of one of the two kinds."""
    difference_minor: int = 0
    """What the lines come to, less what the other side has: named, or the match is refused; 0 where that is in another currency."""
    other_currency: str = ""
    """ISO 4217 code of the other side, where it is another one than that of the lines: named, or the match is refused."""
    other_minor: int | None = None
    """What the other side has in that currency, in its minor units; with `other_currency` alone."""
    reason: str
    """Why, in their words."""
    actor: str
    """Who says so."""


@request(
    "line_matches.undo",
    owner="gateway",
    published_by=("api",),
    reply=LineMatch,
    example=_MATCH | {"reason": "another payout of the same amount", "actor": "ops@example.com"},
)
class UnmatchLines(Message, frozen=True, kw_only=True):
    """A person takes a match apart; no run puts the same together again. Requested by the api."""

    tenant_id: str
    """The tenant."""
    match_id: UUID
    """The match."""
    reason: str
    """Why, in their words."""
    actor: str
    """Who says so."""
