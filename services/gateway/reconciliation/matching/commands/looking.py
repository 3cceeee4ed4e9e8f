"""Steps of a run through lines of statements and arrivals of payouts, from where the last one ended.

Lines are looked at once for each rule, since a rule must have put together all that it can before the next one is tried; after
that what is left is tried once more by all of them, and named by what it is. Nothing of a step is read before the step before it is written.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway_matching import BY_RUN, MatchingRule, RuleKind
from libs.common.contracts.gateway_reconciliation import SubjectKind
from libs.common.db import Connection, Database
from libs.common.ids import first_id, new_id
from services.gateway.reconciliation.matching import sql
from services.gateway.reconciliation.matching.commands.evaluating import Evaluated, Evaluating
from services.gateway.reconciliation.matching.commands.places import Place
from services.gateway.reconciliation.matching.commands.steps import Look, Looked, Written, written
from services.gateway.reconciliation.matching.domain import (
    PAYOUTS,
    Coverage,
    Finding,
    Line,
    Match,
    Moved,
    Pair,
    Part,
    Patience,
    Payout,
    Source,
    arrival,
    line_of_bank,
    line_of_processor,
)
from services.gateway.reconciliation.matching.sql import Near

_PAGE = 1_000
"""Lines or payouts of one step."""
_DRY_PAGE = 200
"""Payouts of one step of a dry run, which reads the lines around each."""
_AROUND_MAX = 50
"""Lines around a payout that a dry run tries."""
_AMOUNT_MAX = 2**62
_FIRST = UUID(int=0)
_CAME_BACK = "the payout came back"


class Matching:
    """Reads steps, and writes them within the transaction of their run."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._evaluating = Evaluating(database)
        self._clock = clock

    async def lines(self, look: Look, cursor: str) -> Looked:
        """Read the next step through lines."""
        sources = await sql.sources(self._database, look.tenant_id)
        if not sources:
            return Looked()
        turns = max(len(source.rules) for source in sources)
        # A dry run puts nothing together for later turns, so it has the last one alone.
        place = (
            msgspec.json.decode(cursor, type=Place)
            if cursor
            else Place(turn=None if look.is_dry else 0, source=sources[0].id, ambiguous=b"")
        )
        if place.turn is not None and place.turn >= turns:
            # There are fewer rules than before: all lines have the last turn, those before this place too.
            place = Place(turn=None, source=sources[0].id, ambiguous=place.ambiguous)
        while True:
            page, free, after = await self._page(look, place, sources, turns)
            if page or after is None:
                break
            place = after.remembering(place.remembered())
        is_last = place.turn is None
        ambiguous = place.remembered()
        banks = [source.id for source in sources if source.compared_with == PAYOUTS]
        matches: list[Match] = []
        findings: list[Finding] = []
        lines_seen: list[UUID] = [line.id for line in page] if is_last else []
        payouts_seen: dict[UUID, Payout] = {}
        # Lines of several sources can name the same payout, and nothing of a step is written before its end.
        used: set[UUID] = set()
        for source in sources:
            own = [line for line in page if line.source_id == source.id and line.id in free]
            if not own or (place.turn is not None and place.turn >= len(source.rules)):
                continue
            rules = source.rules if place.turn is None else source.rules[: place.turn + 1]
            if not is_last and ambiguous is not None:
                # What rules before this one could do is done: where they found something ambiguous, it is left to the last turn.
                own, rules = [line for line in own if line.id not in ambiguous], rules[-1:]
                if not own:
                    continue
            found = await self._evaluating.evaluate(
                look.tenant_id, source, own, rules, banks=banks, used=used, is_last=is_last
            )
            if ambiguous is not None:
                ambiguous |= found.ambiguous.keys()
            matches += [self._match(source, rule, pair) for rule, pair in found.pairs]
            if is_last:
                findings += self._of_lines(source, found, look.patience)
                payouts_seen |= {
                    payout.payout_id: payout for of in found.named.values() for payout in of if not payout.is_matched
                }
        seen = [payout for payout in payouts_seen.values() if payout.payout_id not in used]
        findings += await self._of_named(look, seen, banks)
        lines_seen += [part for match in matches for part in match.of("line")]
        arrived = [part for match in matches for part in match.of("payout")]
        return Looked(
            cursor=None if after is None else msgspec.json.encode(after.remembering(ambiguous)).decode(),
            lines=len(page) if is_last else 0,
            matches=tuple(matches),
            findings=tuple(findings),
            about={SubjectKind.LINE: lines_seen, SubjectKind.ARRIVAL: [*payouts_seen, *arrived]},
        )

    async def arrivals(self, look: Look, cursor: str) -> Looked:
        """Read the next step through payouts that should have arrived."""
        sources = await sql.sources(self._database, look.tenant_id)
        banks = [source for source in sources if source.compared_with == PAYOUTS]
        if not banks:
            return Looked()
        window = timedelta(days=max(source.window_days for source in banks))
        ids = [source.id for source in banks]
        since, until = look.window_from - look.patience.arrival - window, look.window_until
        days = await sql.imported_days(
            self._database, look.tenant_id, ids, window_from=look.window_from, window_until=look.window_until
        )
        if days is not None:
            since, until = min(since, _begin(days[0]) - window), max(until, _begin(days[1]) + window)
        after = _begin(date.min), _FIRST
        if cursor:
            at, _, payout_id = cursor.partition(" ")
            after = datetime.fromisoformat(at), UUID(payout_id)
        limit = min(_PAGE, _DRY_PAGE) if look.is_dry else _PAGE
        page = await sql.arrivals(self._database, look.tenant_id, since=since, until=until, after=after, limit=limit)
        naming = await sql.naming(
            self._database, look.tenant_id, [p for p in page if not p.is_matched or p.is_over], ids
        )
        coverage = await self._coverage(
            look, [p for p in page if not (p.is_matched or p.is_over or p.payout_id in naming)], banks
        )
        # A dry run has put nothing together: what it would have is tried anew.
        put_together = await self._would_match(look, page, naming, banks) if look.is_dry else set[UUID]()
        found = [
            arrival(payout, naming.get(payout.payout_id, ()), coverage.get(payout.payout_id), look.patience)
            for payout in page
            if payout.payout_id not in put_together
        ]
        last = page[-1] if len(page) == limit else None
        return Looked(
            cursor=None if last is None else f"{last.arrives_at.isoformat()} {last.payout_id}",
            findings=tuple(each for each in found if each is not None),
            about={SubjectKind.ARRIVAL: [payout.payout_id for payout in page]},
            came_back=tuple(
                payout.payout_id
                for payout in page
                if payout.is_over and payout.matched_minor and payout.payout_id in naming
            ),
        )

    async def write(self, tx: Connection, look: Look, looked: Looked, *, at: datetime) -> Written:
        """Write what a step has found, without what somebody else has put together since; the caller holds the tenant's lock."""
        seen = [part for ids in looked.about.values() for part in ids]
        taken = await sql.taken(
            tx, look.tenant_id, [*seen, *(part.id for match in looked.matches for part in match.parts)]
        )
        # Somebody may have put the same together and taken it apart since it was read.
        parted = await sql.parted(tx, look.tenant_id, [part for match in looked.matches for part in match.of("line")])
        kept = [
            match
            for match in looked.matches
            if not any((part.id, part.scope) in taken for part in match.parts)
            and not any((line, part.id) in parted for line in match.of("line") for part in match.parts)
        ]
        lost = {
            part
            for match in looked.matches
            if match not in kept
            for side in ("line", "payout")
            for part in match.of(side)
        }
        await sql.add(tx, look.tenant_id, kept, matched_by=BY_RUN, run_id=look.run_id, at=at)
        if looked.came_back:
            old = await sql.matches_of_payouts(tx, look.tenant_id, looked.came_back)
            if old:
                await sql.undo(tx, look.tenant_id, old, by=BY_RUN, reason=_CAME_BACK, at=at)
        in_match = {part for part, _ in taken}
        findings = [
            each for each in looked.findings if UUID(each.subject) not in in_match or each.actual_status == "arrived"
        ]
        return written(look, looked, findings, lost - in_match, sum(len(match.of("line")) for match in kept))

    def unwritten(self, look: Look, looked: Looked) -> Written:
        """Return what a step of a dry run would be."""
        return written(look, looked, looked.findings, set(), sum(len(match.of("line")) for match in looked.matches))

    async def _page(
        self, look: Look, place: Place, sources: Sequence[Source], turns: int
    ) -> tuple[list[Line], set[UUID], Place | None]:
        """Read the next lines: all of them, which are in no match, and where the next step goes on."""
        first_on, last_on = look.days
        if place.source is not None:
            page = await sql.booked(
                self._database,
                look.tenant_id,
                place.source,
                look.days,
                after=(place.day, place.line),
                limit=_PAGE,
            )
            if len(page) == _PAGE:
                after = msgspec.structs.replace(place, day=page[-1].booked_on, line=page[-1].id)
            else:
                later = [source.id for source in sources if source.id > place.source]
                after = Place(turn=place.turn, source=later[0] if later else None)
            return page, {line.id for line in page}, after
        found, free = await sql.others(
            self._database,
            look.tenant_id,
            first=first_id(look.window_from),
            until=first_id(look.window_until),
            window_from=look.window_from,
            days=look.days,
            # Matched lines are looked at once, at the end.
            of_all_days=place.turn is None,
            after=place.line,
            limit=_PAGE,
        )
        following: Place | None = None
        if len(found) == _PAGE:
            following = msgspec.structs.replace(place, line=found[-1].id)
        elif place.turn is not None:
            following = Place(turn=place.turn + 1 if place.turn + 1 < turns else None, source=sources[0].id)
        # Those of the window were looked at before; what is in a match by now agrees.
        page = [line for line in found if line.id not in free or not first_on <= line.booked_on <= last_on]
        return page, free, following

    async def _would_match(
        self, look: Look, page: Sequence[Payout], naming: Mapping[UUID, Sequence[Line]], banks: Sequence[Source]
    ) -> set[UUID]:
        """Return which payouts the rules would put together with lines."""
        window = timedelta(days=max(source.window_days for source in banks))
        rows = [
            Near(
                key=payout.payout_id,
                currency=payout.currency,
                least=1 if payout.amount_minor > 0 else -_AMOUNT_MAX,
                most=_AMOUNT_MAX if payout.amount_minor > 0 else -1,
                first_on=payout.arrives_at.date() - window,
                last_on=payout.arrives_at.date() + window,
            )
            for payout in page
            if not payout.is_matched
        ]
        ids = [source.id for source in banks]
        # Where a day has more lines than are tried, those of the amount are among them, before and after their fee.
        tolerance = max(rule.tolerance_minor for source in banks for rule in source.rules)
        amounts = {payout.payout_id: payout.amount_minor for payout in page}
        exact = [
            msgspec.structs.replace(row, least=amounts[row.key] - tolerance, most=amounts[row.key] + tolerance)
            for row in rows
        ]
        near = await sql.rivals(self._database, look.tenant_id, rows, ids, limit=_AROUND_MAX)
        of_amount = await sql.rivals(self._database, look.tenant_id, exact, ids, limit=_AROUND_MAX)
        after_fee = await sql.rivals(self._database, look.tenant_id, exact, ids, after_fee=True, limit=_AROUND_MAX)
        around = (*near.values(), *of_amount.values(), *after_fee.values(), *naming.values())
        lines = {line.id: line for of in around for line in of}
        found: set[UUID] = set()
        used: set[UUID] = set()
        for source in banks:
            own = sorted((line for line in lines.values() if line.source_id == source.id), key=lambda line: line.order)
            if own:
                evaluated = await self._evaluating.evaluate(
                    look.tenant_id, source, own, source.rules, banks=ids, used=used, is_last=False
                )
                found |= {payout.payout_id for _, pair in evaluated.pairs for payout in pair.payouts}
        return found

    async def _of_named(self, look: Look, payouts: Sequence[Payout], banks: Sequence[UUID]) -> list[Finding]:
        """Compare payouts with the lines that name them, where no rule has put these together."""
        naming = await sql.naming(self._database, look.tenant_id, payouts, banks)
        found = [arrival(payout, naming.get(payout.payout_id, ()), None, look.patience) for payout in payouts]
        return [each for each in found if each is not None]

    async def _coverage(self, look: Look, payouts: Sequence[Payout], banks: Sequence[Source]) -> dict[UUID, Coverage]:
        """Read what statements have of the days on which payouts should have come."""
        window = max(source.window_days for source in banks)
        tolerance = max(rule.tolerance_minor for source in banks for rule in source.rules)
        rows = [
            Near(
                key=payout.payout_id,
                currency=payout.currency,
                least=payout.amount_minor - tolerance,
                most=payout.amount_minor + tolerance,
                day=payout.arrives_at.date(),
                first_on=payout.arrives_at.date() - timedelta(days=window),
                last_on=payout.arrives_at.date() + timedelta(days=window),
            )
            for payout in payouts
            if look.patience.now >= payout.arrives_at + look.patience.arrival
        ]
        ids = [source.id for source in banks]
        known = await sql.coverage(self._database, look.tenant_id, rows, ids)
        candidates = await sql.rivals(self._database, look.tenant_id, rows, ids, limit=1)
        return {
            key: Coverage(touches=touches, reaches=reaches, has_candidate=key in candidates)
            for key, (touches, reaches) in known.items()
        }

    def _of_lines(self, source: Source, found: Evaluated, patience: Patience) -> list[Finding]:
        findings = []
        for line in found.left:
            if source.compared_with == PAYOUTS:
                candidates = found.ambiguous.get(line.id, ())
                each = line_of_bank(line, found.named.get(line.id, ()), candidates, source.concerns, patience)
            else:
                each = line_of_processor(line, found.moved.get(line.id, ()), patience)
            if each is not None:
                findings.append(each)
        return findings

    def _match(self, source: Source, rule: MatchingRule, pair: Pair) -> Match:
        amount = sum(line.amount_minor for line in pair.lines)
        other = sum(payout.comes_to for payout in pair.payouts) + sum(_moved(rule, each) for each in pair.moved)
        parts = [
            *(Part(side="line", id=each.id, amount_minor=each.amount_minor) for each in pair.lines),
            *(Part(side="payout", id=each.payout_id, ref=each.id, amount_minor=each.comes_to) for each in pair.payouts),
            *(
                Part(
                    side="movement", id=each.movement_id, ref=each.id, scope=source.id, amount_minor=_moved(rule, each)
                )
                for each in pair.moved
            ),
        ]
        return Match(
            id=new_id(self._clock.now()),
            rule=rule.kind,
            rule_version=source.version,
            confidence=rule.confidence,
            currency=pair.lines[0].currency,
            amount_minor=amount,
            difference_minor=amount - other,
            parts=tuple(parts),
        )


def _moved(rule: MatchingRule, each: Moved) -> int:
    return each.net_minor if rule.kind is RuleKind.FEE_AWARE else each.amount_minor


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
