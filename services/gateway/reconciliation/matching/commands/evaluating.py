"""Rules are tried on some lines of one source, in their order, as far as something is left."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_matching import MatchingRule, RuleKind
from libs.common.db import Database
from services.gateway.reconciliation.matching import sql
from services.gateway.reconciliation.matching.domain import (
    MOVEMENTS,
    TRIED_MAX,
    Around,
    Line,
    Moved,
    Pair,
    Payout,
    Source,
    bounds,
    named_by,
    pair_movements,
    paired,
)
from services.gateway.reconciliation.matching.sql import Near

_NAMED_MAX = 2_000
"""Payouts that the lines of one page name at most."""
_BY_AMOUNT = (RuleKind.EXACT, RuleKind.DATE_WINDOW, RuleKind.TOLERANCE, RuleKind.FEE_AWARE)


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the rules for some lines of one source."""

    pairs: tuple[tuple[MatchingRule, Pair], ...] = ()
    """What belongs together, with the rule that found it."""
    left: tuple[Line, ...] = ()
    """Lines that are in none of them."""
    ambiguous: Mapping[UUID, tuple[str, ...]] = {}
    """Those among them that could belong to several payouts, with their references."""
    named: Mapping[UUID, Sequence[Payout]] = {}
    """Which payouts lines name."""
    moved: Mapping[UUID, Sequence[Moved]] = {}
    """Which movements lines of processors name."""


class Evaluating:
    """Tries rules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def evaluate(
        self, tenant_id: str, source: Source, lines: Sequence[Line], *, banks: Sequence[UUID], rules_max: int
    ) -> Evaluated:
        """Try the first rules of a source on lines of it; `banks` are all sources whose lines are compared with payouts."""
        parted = await sql.parted(self._database, tenant_id, [line.id for line in lines])
        if source.compared_with == MOVEMENTS:
            return await self._movements(tenant_id, source, lines, parted, rules_max)
        days = min(line.booked_on for line in lines), max(line.booked_on for line in lines)
        words = {word for line in lines for word in line.words}
        named = await sql.named(self._database, tenant_id, words, days, limit=_NAMED_MAX) if words else []
        pairs: list[tuple[MatchingRule, Pair]] = []
        ambiguous: dict[UUID, tuple[str, ...]] = {}
        used: set[UUID] = set()
        left = list(lines)
        for rule in source.rules[:rules_max]:
            if not left:
                break
            around = await self._around(tenant_id, rule, left, banks, used)
            still = [payout for payout in named if payout.payout_id not in used]
            naming = {line.id: line for line in left}
            if rule.kind is RuleKind.MANY_TO_ONE:
                words = {word for line in left for word in line.words}
                sought = [payout for payout in still if not payout.is_matched and payout.is_named_in(frozenset(words))]
                of_payouts = await sql.naming(self._database, tenant_id, sought, [source.id])
                naming = {line.id: line for each in of_payouts.values() for line in each}
            found = paired(
                rule,
                left,
                msgspec.structs.replace(
                    around,
                    named=still,
                    naming=[line for line in naming.values() if line.id not in used],
                    parted=parted,
                ),
            )
            for pair in found.pairs:
                pairs.append((rule, pair))
                used |= {line.id for line in pair.lines} | {payout.payout_id for payout in pair.payouts}
            ambiguous |= found.ambiguous
            left = [line for line in left if line.id not in used and line.id not in ambiguous]
        named = [
            msgspec.structs.replace(payout, matched_minor=payout.comes_to) if payout.payout_id in used else payout
            for payout in named
        ]
        rest = tuple(line for line in lines if line.id not in used)
        return Evaluated(pairs=tuple(pairs), left=rest, ambiguous=ambiguous, named=named_by(rest, named))

    async def _movements(
        self, tenant_id: str, source: Source, lines: Sequence[Line], parted: set[tuple[UUID, UUID]], rules_max: int
    ) -> Evaluated:
        ids = {line.id: _references(line) for line in lines}
        known = await sql.movements(self._database, tenant_id, source.id, {each for of in ids.values() for each in of})
        moved = {line.id: [each for each in known if each.id in ids[line.id]] for line in lines}
        pairs: list[tuple[MatchingRule, Pair]] = []
        left = list(lines)
        for rule in source.rules[:rules_max]:
            found = pair_movements(rule, left, moved, parted)
            pairs += [(rule, pair) for pair in found.pairs]
            used = {line.id for pair in found.pairs for line in pair.lines}
            left = [line for line in left if line.id not in used]
        return Evaluated(pairs=tuple(pairs), left=tuple(left), moved=moved)

    async def _around(
        self, tenant_id: str, rule: MatchingRule, lines: Sequence[Line], banks: Sequence[UUID], used: set[UUID]
    ) -> Around:
        """Read what lines could be by amount and day."""
        if rule.kind is RuleKind.REFERENCE:
            return Around()
        window = timedelta(days=rule.window_days)
        after_fee = rule.kind is RuleKind.FEE_AWARE
        searched = []
        for line in lines:
            amount = line.amount_minor - (line.fee_minor if after_fee else 0)
            if not amount or (after_fee and not line.fee_minor):
                continue
            if rule.kind is RuleKind.MANY_TO_ONE:
                least, most = (amount + 1, 2**62) if amount > 0 else (-(2**62), amount - 1)
            else:
                least, most = bounds(rule, amount)
            searched.append(
                Near(
                    key=line.id,
                    currency=line.currency,
                    least=least,
                    most=most,
                    first_on=line.booked_on - window,
                    last_on=line.booked_on + window,
                )
            )
        near = await sql.near(self._database, tenant_id, searched, limit=TRIED_MAX + 1)
        near = {key: [p for p in payouts if p.payout_id not in used] for key, payouts in near.items()}
        if rule.kind is RuleKind.ONE_TO_MANY:
            return Around(near=near)
        if rule.kind is RuleKind.MANY_TO_ONE:
            # Among too many payouts a sum is chance.
            near = {key: payouts for key, payouts in near.items() if len(payouts) <= TRIED_MAX}
        payouts = {payout.payout_id: payout for each in near.values() for payout in each}
        searched = []
        for payout in payouts.values():
            least, most = bounds(rule, payout.amount_minor)
            day = payout.arrives_at.date()
            searched.append(
                Near(
                    key=payout.payout_id,
                    currency=payout.currency,
                    least=least,
                    most=most,
                    first_on=day - window,
                    last_on=day + window,
                )
            )
        rivals = await sql.rivals(self._database, tenant_id, searched, banks, after_fee=after_fee, limit=TRIED_MAX + 1)
        rivals = {key: [line for line in of if line.id not in used] for key, of in rivals.items()}
        return Around(near=near, rivals=rivals)


def _references(line: Line) -> frozenset[str]:
    """Return what a line of a processor names: its own id, and what it refers to."""
    refs = msgspec.json.decode(line.refs, type=dict[str, str])
    return frozenset(each for each in (line.bank_id, *refs.values()) if each)
