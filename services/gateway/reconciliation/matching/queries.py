"""What is shown of matching: rules, lines and matches."""

from libs.common.contracts.gateway_errors import ImportSourceNotFound
from libs.common.contracts.gateway_matching import (
    GetMatchingRules,
    LineMatchPage,
    ListLineMatches,
    ListStatementLines,
    MatchingRules,
    StatementLinePage,
)
from libs.common.db import Database
from libs.common.errors import Invalid
from services.gateway.reconciliation.matching import sql

_PAGE_MAX = 200
"""Lines or matches on one page."""


async def rules(database: Database, request: GetMatchingRules) -> MatchingRules:
    """Show the rules of a source that are in force.

    Raises:
        ImportSourceNotFound: when the tenant has no such source.
    """
    found = await sql.sources(database, request.tenant_id, request.source_id)
    if not found:
        raise ImportSourceNotFound("there is no such source of files")
    return found[0].shown()


async def lines(database: Database, request: ListStatementLines) -> StatementLinePage:
    """List lines, the last imported first.

    Raises:
        Invalid: when the page is too large.
    """
    _require(request.limit)
    found = await sql.list_lines(database, request)
    page = found[: request.limit]
    return StatementLinePage(lines=page, next_before=page[-1].id if len(found) > request.limit else None)


async def matches(database: Database, request: ListLineMatches) -> LineMatchPage:
    """List matches, newest first.

    Raises:
        Invalid: when the page is too large.
    """
    _require(request.limit)
    found = await sql.list_matches(database, request)
    page = found[: request.limit]
    return LineMatchPage(matches=page, next_before=page[-1].id if len(found) > request.limit else None)


def _require(limit: int) -> None:
    if not 1 <= limit <= _PAGE_MAX:
        raise Invalid(f"limit must be 1 to {_PAGE_MAX}")
