"""What people request: other rules for a source, and what belongs together by their word."""

from collections.abc import Sequence
from uuid import UUID

from libs.common.clock import Clock
from libs.common.contracts.gateway_errors import (
    ImportSourceNotFound,
    LineMatchConflict,
    LineMatchInvalid,
    LineMatchNotFound,
    MatchingRulesInvalid,
)
from libs.common.contracts.gateway_matching import (
    BY_HAND,
    LineMatch,
    MatchingRules,
    MatchLines,
    PutMatchingRules,
    UnmatchLines,
)
from libs.common.contracts.gateway_reconciliation import SubjectKind
from libs.common.db import Connection, Database
from services.gateway.reconciliation.discrepancies import note_seen
from services.gateway.reconciliation.matching import sql
from services.gateway.reconciliation.matching.domain import (
    PAYOUTS,
    Line,
    Match,
    Part,
    Source,
    faults_of,
)

_TOGETHER_MAX = 100
"""Lines, and payouts or movements, of one match."""


class MatchingByHand:
    """Carries out what people request of matching."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def put_rules(self, request: PutMatchingRules) -> MatchingRules:
        """Put another version of rules in force; the same rules again change nothing.

        Raises:
            MatchingRulesInvalid: when they make no sense.
            ImportSourceNotFound: when the tenant has no such source.
        """
        if faults := faults_of(request.compared_with, request.rules, request.concerns):
            raise MatchingRulesInvalid("; ".join(faults))
        async with self._database.transaction() as tx:
            if not await sql.lock_source(tx, request.tenant_id, request.source_id):
                raise ImportSourceNotFound("there is no such source of files")
            (known,) = await sql.sources(tx, request.tenant_id, request.source_id)
            wished = Source(
                id=request.source_id,
                version=known.version + 1,
                compared_with=request.compared_with,
                rules=request.rules,
                concerns=request.concerns,
                made_by=request.actor,
                made_at=self._clock.now(),
            )
            if all(getattr(known, name) == getattr(wished, name) for name in ("compared_with", "rules", "concerns")):
                return known.shown()
            await sql.add_rules(tx, request.tenant_id, wished)
        return wished.shown()

    async def match(self, request: MatchLines) -> LineMatch:
        """Put together what a person names; the same request again is the same match.

        Raises:
            LineMatchInvalid: when something does not exist, or does not belong together.
            LineMatchConflict: when something is in another match, or the id is that of another one.
        """
        lines, refs = sorted(set(request.line_ids)), sorted(set(request.references))
        if not (1 <= len(lines) <= _TOGETHER_MAX and 1 <= len(refs) <= _TOGETHER_MAX):
            raise LineMatchInvalid(f"a match has 1 to {_TOGETHER_MAX} lines and 1 to {_TOGETHER_MAX} references")
        now = self._clock.now()
        async with self._database.transaction() as tx:
            await sql.lock(tx, request.tenant_id)
            known = await sql.get_match(tx, request.tenant_id, request.match_id)
            if known is not None:
                return _same(known, lines, refs)
            match = await self._made(tx, request, lines, refs)
            taken = await sql.taken(tx, request.tenant_id, [part.id for part in match.parts])
            if strange := [part for part in match.parts if (part.id, part.scope) in taken]:
                raise LineMatchConflict(
                    f"the {strange[0].side} {strange[0].ref or strange[0].id} is in a match already"
                )
            await sql.add(tx, request.tenant_id, [match], matched_by=request.actor, reason=request.reason, at=now)
            await note_seen(
                tx,
                (),
                tenant_id=request.tenant_id,
                run_id=request.match_id,
                early=frozenset(),
                payments=(),
                subjects={
                    SubjectKind.LINE: [str(part) for part in match.of("line")],
                    SubjectKind.ARRIVAL: [str(part) for part in match.of("payout")],
                },
                at=now,
            )
            made = await sql.get_match(tx, request.tenant_id, request.match_id)
        assert made is not None
        return made

    async def unmatch(self, request: UnmatchLines) -> LineMatch:
        """Take a match apart; no run puts the same together again.

        Raises:
            LineMatchNotFound: when the tenant has no such match.
            LineMatchConflict: when it is taken apart already, by somebody else or for another reason.
        """
        tenant_id, match_id = request.tenant_id, request.match_id
        async with self._database.transaction() as tx:
            await sql.lock(tx, tenant_id)
            known = await sql.get_match(tx, tenant_id, match_id)
            if known is None:
                raise LineMatchNotFound("there is no such match")
            if known.unmatched_at is not None:
                if (known.unmatched_by, known.unmatch_reason) != (request.actor, request.reason):
                    raise LineMatchConflict(f"the match was taken apart by {known.unmatched_by}")
                return known
            await sql.undo(tx, tenant_id, [match_id], by=request.actor, reason=request.reason, at=self._clock.now())
            undone = await sql.get_match(tx, tenant_id, match_id)
        assert undone is not None
        return undone

    async def _made(self, tx: Connection, request: MatchLines, ids: Sequence[UUID], refs: Sequence[str]) -> Match:
        lines = await sql.lines_of(tx, request.tenant_id, ids)
        if missing := set(ids) - {line.id for line in lines}:
            raise LineMatchInvalid(f"there is no line {min(missing)}")
        currencies = {line.currency for line in lines}
        if len(currencies) > 1:
            raise LineMatchInvalid(f"the lines are in several currencies: {', '.join(sorted(currencies))}")
        others, amount, other = await self._others(tx, request.tenant_id, lines, refs)
        come, is_exchanged = sum(line.amount_minor for line in lines), currencies != {other}
        if is_exchanged:
            _require_exchange(request, lines, amount, other)
        elif request.other_currency or request.other_minor is not None:
            raise LineMatchInvalid(f"both sides are in {other}: other_currency and other_minor must be left out")
        elif come - amount != request.difference_minor:
            raise LineMatchInvalid(
                f"the lines come to {come} and the other side to {amount}: difference_minor must be {come - amount}"
            )
        return Match(
            id=request.match_id,
            rule=BY_HAND,
            rule_version=0,
            confidence=100,
            currency=lines[0].currency,
            amount_minor=come,
            difference_minor=request.difference_minor,
            other_currency=other if is_exchanged else "",
            other_minor=amount if is_exchanged else None,
            parts=(*(Part(side="line", id=line.id, amount_minor=line.amount_minor) for line in lines), *others),
        )

    async def _others(
        self, tx: Connection, tenant_id: str, lines: Sequence[Line], refs: Sequence[str]
    ) -> tuple[list[Part], int, str]:
        """Find the other side of lines, by what their sources are compared with: its parts, what they come to, and their currency."""
        known = {source.id: source for source in await sql.sources(tx, tenant_id)}
        own = {line.source_id for line in lines}
        kinds = {known[source_id].compared_with for source_id in own}
        if kinds == {PAYOUTS}:
            payouts = await sql.payouts_of(tx, tenant_id, refs)
            parts = [
                Part(side="payout", id=each.payout_id, ref=each.id, amount_minor=each.comes_to) for each in payouts
            ]
            currencies = {each.currency for each in payouts}
        elif len(own) == 1:
            (source_id,) = own
            moved = await sql.movements(tx, tenant_id, source_id, refs)
            parts = [
                Part(side="movement", id=each.movement_id, ref=each.id, scope=source_id, amount_minor=each.amount_minor)
                for each in moved
            ]
            currencies = {each.currency for each in moved}
        else:
            raise LineMatchInvalid("lines of processors are matched with movements, those of one source together")
        found = [part.ref for part in parts]
        if sorted(found) != [*refs]:
            named = next((ref for ref in refs if found.count(ref) != 1), refs[0])
            raise LineMatchInvalid(f"there is no one {parts[0].side if parts else 'other side'} {named!r}")
        if len(currencies) > 1:
            raise LineMatchInvalid(f"the other side is in several currencies: {', '.join(sorted(currencies))}")
        return parts, sum(part.amount_minor for part in parts), min(currencies)


def _require_exchange(request: MatchLines, lines: Sequence[Line], amount: int, other: str) -> None:
    """Let lines belong to another currency only where a person names what the other side has in it.

    Raises:
        LineMatchInvalid: when something else is named, money came for money that left, or nothing stands for something.
    """
    come, currency = sum(line.amount_minor for line in lines), lines[0].currency
    if (request.other_currency, request.other_minor, request.difference_minor) != (other, amount, 0):
        raise LineMatchInvalid(
            f"the lines are in {currency}, and the other side in {other}: other_currency must be {other}, other_minor {amount} "
            "and difference_minor 0"
        )
    # Of a payout that came back nothing is left, or what the two rates have made of it.
    came_back = not come or len({line.amount_minor > 0 for line in lines if line.amount_minor}) > 1
    if come * amount <= 0 and (amount or not came_back):
        raise LineMatchInvalid(f"the lines come to {come} {currency} and the other side to {amount} {other}")


def _same(known: LineMatch, lines: Sequence[UUID], refs: Sequence[str]) -> LineMatch:
    found = (
        sorted(part.id for part in known.parts if part.side == "line"),
        sorted(part.reference for part in known.parts if part.side != "line"),
    )
    if found != ([*lines], [*refs]):
        raise LineMatchConflict(f"the match {known.id} is another one")
    return known
