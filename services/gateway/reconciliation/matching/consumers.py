"""What is handled of matching: the requests of the api."""

from libs.common.clock import Clock
from libs.common.contracts.gateway_matching import (
    GetMatchingRules,
    LineMatch,
    LineMatchPage,
    ListLineMatches,
    ListStatementLines,
    MatchingRules,
    MatchLines,
    PutMatchingRules,
    StatementLinePage,
    UnmatchLines,
)
from libs.common.db import Database
from libs.common.messaging import Bus
from services.gateway.reconciliation.matching import queries
from services.gateway.reconciliation.matching.commands import MatchingByHand


class MatchingConsumers:
    """Answers requests about rules, lines and matches."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._by_hand = MatchingByHand(database, clock=clock)

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(GetMatchingRules, self.on_get_matching_rules)
        bus.answer(PutMatchingRules, self.on_put_matching_rules)
        bus.answer(ListStatementLines, self.on_list_statement_lines)
        bus.answer(ListLineMatches, self.on_list_line_matches)
        bus.answer(MatchLines, self.on_match_lines)
        bus.answer(UnmatchLines, self.on_unmatch_lines)

    async def on_get_matching_rules(self, request: GetMatchingRules) -> MatchingRules:
        """Show the rules of a source."""
        return await queries.rules(self._database, request)

    async def on_put_matching_rules(self, request: PutMatchingRules) -> MatchingRules:
        """Put other rules in force."""
        return await self._by_hand.put_rules(request)

    async def on_list_statement_lines(self, request: ListStatementLines) -> StatementLinePage:
        """List lines."""
        return await queries.lines(self._database, request)

    async def on_list_line_matches(self, request: ListLineMatches) -> LineMatchPage:
        """List matches."""
        return await queries.matches(self._database, request)

    async def on_match_lines(self, request: MatchLines) -> LineMatch:
        """Put together what a person names."""
        return await self._by_hand.match(request)

    async def on_unmatch_lines(self, request: UnmatchLines) -> LineMatch:
        """Take apart what a person names."""
        return await self._by_hand.unmatch(request)
