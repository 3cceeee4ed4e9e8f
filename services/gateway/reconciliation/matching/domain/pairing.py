"""How a rule puts lines and payouts together: only where nothing else could be meant. Pure.

Of two candidates none is taken, so the order in which lines are looked at decides nothing within a rule: what is put together is
the only edge of both its ends. What is left between several candidates is ambiguous, and no later rule touches it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_matching import MatchingRule, RuleKind
from services.gateway.reconciliation.matching.domain.facts import Line, Moved, Names, Pair, Payout, total

TRIED_MAX = 12
"""Candidates among which sums are tried: with more of them, equal sums are chance."""
_SUMS_MAX = 2
"""Sums that are looked for: the second one says that the first decides nothing."""

type Parted = Collection[tuple[UUID, UUID]]
"""Lines and payouts that a person has taken apart."""


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule has found."""

    pairs: tuple[Pair, ...] = ()
    """What belongs together."""
    ambiguous: Mapping[UUID, tuple[str, ...]] = {}
    """Lines that could belong to several payouts, with the references of these."""


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What is there around some lines."""

    named: Sequence[Payout] = ()
    """Payouts that the lines name, matched ones too."""
    naming: Sequence[Line] = ()
    """Unmatched lines that may name these: the lines themselves, and for `many_to_one` those of other pages."""
    near: Mapping[UUID, Sequence[Payout]] = {}
    """By line: unmatched payouts that it could be by amount and day."""
    rivals: Mapping[UUID, Sequence[Line]] = {}
    """By payout: unmatched lines that could be it by amount and day."""
    parted: Parted = ()
    """What must not be put together."""


def paired(rule: MatchingRule, lines: Sequence[Line], around: Around) -> Paired:
    """Put lines and payouts together by one rule."""
    match rule.kind:
        case RuleKind.REFERENCE:
            return _by_reference(rule, lines, around)
        case RuleKind.ONE_TO_MANY:
            return _one_to_many(rule, lines, around)
        case RuleKind.MANY_TO_ONE:
            return _many_to_one(rule, lines, around)
        case _:
            return _by_amount(lines, around)


def bounds(rule: MatchingRule, amount: int) -> tuple[int, int]:
    """Return between which amounts a payout of a line, or a line of a payout, may be by a rule.

    For several ones it is each of them: of the same sign, and less than the whole.
    """
    if rule.kind in (RuleKind.ONE_TO_MANY, RuleKind.MANY_TO_ONE):
        return (1, amount - 1) if amount > 0 else (amount + 1, -1)
    return amount - rule.tolerance_minor, amount + rule.tolerance_minor


def _by_reference(rule: MatchingRule, lines: Sequence[Line], around: Around) -> Paired:
    """Put together what is named and has the amount; of several equal lines the first is it, and the others are too many.

    Pages follow each other in the order of lines, so one on a later page is never the first.
    """
    names = Names(sorted(lines, key=lambda line: line.order), around.named)
    pairs, taken = [], set[UUID]()
    for payout in _open(around.named):
        for line in names.of_payout(payout):
            if (
                line.id not in taken
                and payout.comes_to
                and line.currency == payout.currency
                and abs(line.amount_minor - payout.comes_to) <= rule.tolerance_minor
                and (line.id, payout.payout_id) not in around.parted
            ):
                taken.add(line.id)
                pairs.append(Pair(lines=(line,), payouts=(payout,)))
                break
    return Paired(pairs=tuple(pairs))


def _by_amount(lines: Sequence[Line], around: Around) -> Paired:
    pairs, ambiguous = [], {}
    for line in lines:
        candidates = [p for p in around.near.get(line.id, ()) if (line.id, p.payout_id) not in around.parted]
        if not candidates:
            continue
        rivals = [
            rival
            for payout in candidates
            for rival in around.rivals.get(payout.payout_id, ())
            if rival.id != line.id and (rival.id, payout.payout_id) not in around.parted
        ]
        if len(candidates) == 1 and not rivals:
            pairs.append(Pair(lines=(line,), payouts=(candidates[0],)))
        else:
            ambiguous[line.id] = _refs(candidates)
    return Paired(pairs=tuple(pairs), ambiguous=ambiguous)


def _one_to_many(rule: MatchingRule, lines: Sequence[Line], around: Around) -> Paired:
    found: list[Pair] = []
    ambiguous: dict[UUID, tuple[str, ...]] = {}
    names = Names(lines, around.named)
    for line in lines:
        named = names.of_line(line)
        open_ones = [p for p in _open(named) if p.currency == line.currency and not _is_parted(line, p, around)]
        if named:
            if len(open_ones) > 1 and sum(payout.comes_to for payout in open_ones) == line.amount_minor:
                found.append(Pair(lines=(line,), payouts=tuple(open_ones)))
            continue
        near = [p for p in around.near.get(line.id, ()) if not _is_parted(line, p, around)]
        sums = _sums(line.amount_minor, [(p, p.comes_to) for p in near], rule.parts_max)
        if len(sums) == 1:
            found.append(Pair(lines=(line,), payouts=tuple(sums[0])))
        elif sums:
            ambiguous[line.id] = _refs(payout for each in sums for payout in each)
    return _without_overlaps(found, ambiguous)


def _many_to_one(rule: MatchingRule, lines: Sequence[Line], around: Around) -> Paired:
    here = {line.id for line in lines}
    names = Names(around.naming, around.named)
    found: list[Pair] = []
    ambiguous: dict[UUID, tuple[str, ...]] = {}
    for payout in _open(around.named):
        naming = [
            line
            for line in names.of_payout(payout)
            if line.currency == payout.currency and not _is_parted(line, payout, around)
        ]
        if len(naming) > 1 and total(naming) == payout.comes_to and here & {line.id for line in naming}:
            found.append(Pair(lines=tuple(sorted(naming, key=lambda line: line.order)), payouts=(payout,)))
    named = {line.id for line in around.naming}
    for payout in _open({p.payout_id: p for near in around.near.values() for p in near}.values()):
        rivals = [
            line
            for line in around.rivals.get(payout.payout_id, ())
            if line.id not in named and not _is_parted(line, payout, around)
        ]
        sums = _sums(payout.comes_to, [(line, line.amount_minor) for line in rivals], rule.parts_max)
        if len(sums) == 1 and here & {line.id for line in sums[0]}:
            found.append(Pair(lines=tuple(sorted(sums[0], key=lambda line: line.order)), payouts=(payout,)))
        elif len(sums) > 1:
            for line in (line for each in sums for line in each if line.id in here):
                ambiguous[line.id] = _refs([payout])
    return _without_overlaps(found, ambiguous)


def _without_overlaps(found: Sequence[Pair], ambiguous: dict[UUID, tuple[str, ...]]) -> Paired:
    """Leave out what was put together twice: neither of them is sure."""
    times: dict[UUID, int] = {}
    for pair in found:
        for part in _ids(pair):
            times[part] = times.get(part, 0) + 1
    pairs = []
    for pair in found:
        if any(times[part] > 1 for part in _ids(pair)) or any(line.id in ambiguous for line in pair.lines):
            for line in pair.lines:
                ambiguous[line.id] = tuple(sorted({*ambiguous.get(line.id, ()), *_refs(pair.payouts)}))
        else:
            pairs.append(pair)
    return Paired(pairs=tuple(pairs), ambiguous=ambiguous)


def _sums[T](whole: int, parts: Sequence[tuple[T, int]], parts_max: int) -> list[list[T]]:
    """Find which parts, two at least, come to the whole: two ways at most. None are tried among too many."""
    found: list[list[T]] = []
    if not whole or len(parts) > TRIED_MAX:
        return found
    for size in range(2, min(parts_max, len(parts)) + 1):
        for chosen in combinations(parts, size):
            if sum(amount for _, amount in chosen) == whole:
                found.append([part for part, _ in chosen])
                if len(found) == _SUMS_MAX:
                    return found
    return found


def _ids(pair: Pair) -> list[UUID]:
    return [*(line.id for line in pair.lines), *(payout.payout_id for payout in pair.payouts)]


def _open(payouts: Iterable[Payout]) -> list[Payout]:
    return sorted((payout for payout in payouts if not payout.is_matched), key=lambda payout: payout.payout_id)


def _is_parted(line: Line, payout: Payout, around: Around) -> bool:
    return (line.id, payout.payout_id) in around.parted


def _refs(payouts: Iterable[Payout]) -> tuple[str, ...]:
    return tuple(sorted({payout.id for payout in payouts}))


def pair_movements(
    rule: MatchingRule, lines: Sequence[Line], moved: Mapping[UUID, Sequence[Moved]], parted: Parted
) -> Paired:
    """Put lines of a processor together with the movement that they name: of several lines of one the first is it."""
    pairs, taken = [], set[UUID]()
    for line in lines:
        for each in moved.get(line.id, ()):
            net = line.amount_minor - line.fee_minor
            # A file without fees has what is left after them.
            agrees = (
                not line.fee_minor and each.net_minor == line.amount_minor
                if rule.kind is RuleKind.FEE_AWARE
                else (each.amount_minor, each.net_minor) == (line.amount_minor, net)
            )
            if (
                agrees
                and each.currency == line.currency
                and not each.is_matched
                and each.movement_id not in taken
                and (line.id, each.movement_id) not in parted
            ):
                taken.add(each.movement_id)
                pairs.append(Pair(lines=(line,), moved=(each,)))
                break
    return Paired(pairs=tuple(pairs))
