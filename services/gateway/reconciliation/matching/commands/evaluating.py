"""Rules are tried on some lines of one source, in their order, as far as something is left."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
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
    Names,
    Pair,
    Payout,
    Source,
    bounds,
    named_by,
    pair_movements,
    paired,
)
from services.gateway.reconciliation.matching.sql import Days, Near

_NAMED_MAX = 10_000
"""Payouts that the lines of one page name at most."""
_BY_NAME = (RuleKind.REFERENCE, RuleKind.ONE_TO_MANY, RuleKind.MANY_TO_ONE)


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
        self,
        tenant_id: str,
        source: Source,
        lines: Sequence[Line],
        rules: Sequence[MatchingRule],
        *,
        banks: Sequence[UUID],
        used: set[UUID],
        is_last: bool,
    ) -> Evaluated:
        """Try rules of a source on lines of it; `banks` are all sources whose lines are compared with payouts.

        `used` are lines and payouts of matches that are not written yet, those of other sources among them: it is added to. Which
        payouts lines name is not returned but in the last turn.
        """
        parted = await sql.parted(self._database, tenant_id, [line.id for line in lines])
        if source.compared_with == MOVEMENTS:
            return await self._movements(tenant_id, source, lines, parted, rules)
        named: Sequence[Payout] = ()
        if is_last or any(rule.kind in _BY_NAME for rule in rules):
            days = min(line.booked_on for line in lines), max(line.booked_on for line in lines)
            words = {word for line in lines for word in line.words}
            named = await sql.named(self._database, tenant_id, words, days, limit=_NAMED_MAX) if words else []
        pairs: list[tuple[MatchingRule, Pair]] = []
        ambiguous: dict[UUID, tuple[str, ...]] = {}
        left = [line for line in lines if line.id not in used]
        for rule in rules:
            if not left:
                break
            around = await self._around(tenant_id, rule, left, banks, used)
            still = [payout for payout in named if payout.payout_id not in used]
            naming = {line.id: line for line in left}
            if rule.kind is RuleKind.MANY_TO_ONE:
                names = Names(left, still)
                sought = [payout for payout in still if not payout.is_matched and names.of_payout(payout)]
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
        return Evaluated(
            pairs=tuple(pairs), left=rest, ambiguous=ambiguous, named=named_by(rest, named) if is_last else {}
        )

    async def _movements(
        self,
        tenant_id: str,
        source: Source,
        lines: Sequence[Line],
        parted: set[tuple[UUID, UUID]],
        rules: Sequence[MatchingRule],
    ) -> Evaluated:
        ids = {line.id: _references(line) for line in lines}
        known = await sql.movements(self._database, tenant_id, source.id, {each for of in ids.values() for each in of})
        moved = {line.id: [each for each in known if each.id in ids[line.id]] for line in lines}
        pairs: list[tuple[MatchingRule, Pair]] = []
        left = list(lines)
        for rule in rules:
            found = pair_movements(rule, left, moved, parted)
            pairs += [(rule, pair) for pair in found.pairs]
            used = {line.id for pair in found.pairs for line in pair.lines}
            taken = {each.movement_id for pair in found.pairs for each in pair.moved}
            left = [line for line in left if line.id not in used]
            moved = {
                line.id: [
                    msgspec.structs.replace(each, is_matched=True) if each.movement_id in taken else each
                    for each in moved[line.id]
                ]
                for line in left
            }
        return Evaluated(pairs=tuple(pairs), left=tuple(left), moved=moved)

    async def _around(
        self, tenant_id: str, rule: MatchingRule, lines: Sequence[Line], banks: Sequence[UUID], used: set[UUID]
    ) -> Around:
        """Read what lines could be by amount and day."""
        if rule.kind is RuleKind.REFERENCE:
            return Around()
        after_fee = rule.kind is RuleKind.FEE_AWARE
        if rule.kind in (RuleKind.ONE_TO_MANY, RuleKind.MANY_TO_ONE):
            near = await self._beyond(tenant_id, rule, lines)
        else:
            searched = [
                _near(rule, line.id, line.currency, amount, line.booked_on)
                for line in lines
                if (line.fee_minor or not after_fee)
                and (amount := line.amount_minor - (line.fee_minor if after_fee else 0))
            ]
            near = await sql.near(self._database, tenant_id, searched, limit=TRIED_MAX + 1)
        near = {key: [p for p in payouts if p.payout_id not in used] for key, payouts in near.items()}
        if rule.kind is RuleKind.ONE_TO_MANY:
            return Around(near=near)
        payouts = {payout.payout_id: payout for each in near.values() for payout in each}
        searched = [
            _near(rule, each.payout_id, each.currency, each.amount_minor, each.arrives_at.date())
            for each in payouts.values()
        ]
        rivals = await sql.rivals(self._database, tenant_id, searched, banks, after_fee=after_fee, limit=TRIED_MAX + 1)
        rivals = {
            key: sorted((line for line in of if line.id not in used), key=lambda line: line.order)
            for key, of in rivals.items()
            # Among too many lines a sum is chance.
            if rule.kind is not RuleKind.MANY_TO_ONE or len(of) <= TRIED_MAX
        }
        return Around(near=near, rivals=rivals)

    async def _beyond(self, tenant_id: str, rule: MatchingRule, lines: Sequence[Line]) -> dict[UUID, list[Payout]]:
        """Read payouts of which lines could be the sum, or that could be the sum of lines; none where these are too many.

        All lines of a day have the same payouts around them, and it is the smallest or the largest ones that count. So these are read
        for each day, not for each line.
        """
        is_part = rule.kind is RuleKind.MANY_TO_ONE
        window = timedelta(days=rule.window_days)
        of_days: dict[tuple[date, str, bool], list[Line]] = {}
        for line in lines:
            if line.amount_minor:
                of_days.setdefault((line.booked_on, line.currency, line.amount_minor < 0), []).append(line)
        days = [
            Days(key=key, currency=currency, is_debit=is_debit, first_on=day - window, last_on=day + window)
            for key, (day, currency, is_debit) in enumerate(of_days)
        ]
        known = await sql.extremes(self._database, tenant_id, days, largest=is_part, limit=TRIED_MAX + 1)
        found: dict[UUID, list[Payout]] = {}
        for key, of_day in enumerate(of_days.values()):
            payouts = sorted(known.get(key, ()), key=lambda payout: payout.payout_id)
            for line in of_day if payouts else ():
                amount = abs(line.amount_minor)
                beyond = [
                    p for p in payouts if (abs(p.amount_minor) > amount if is_part else abs(p.amount_minor) < amount)
                ]
                if len(beyond) <= TRIED_MAX:
                    found[line.id] = beyond
        return found


def _near(rule: MatchingRule, key: UUID, currency: str, amount: int, day: date) -> Near:
    least, most = bounds(rule, amount)
    window = timedelta(days=rule.window_days)
    return Near(key=key, currency=currency, least=least, most=most, first_on=day - window, last_on=day + window)


def _references(line: Line) -> frozenset[str]:
    """Return what a line of a processor names: its own id, and what it refers to."""
    refs = msgspec.json.decode(line.refs, type=dict[str, str])
    return frozenset(each for each in (line.bank_id, *refs.values()) if each)
