"""How lists of reconciliation are paged."""

from uuid import UUID

from services.api.http.parameters import Query, QueryParameter, next_link

PAGE_MAX = 200
"""On one page."""
LIMIT = QueryParameter(
    name="limit",
    description="At most.",
    shape={"type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_MAX},
)
CURSOR = QueryParameter(
    name="cursor", description="From the `Link` of the page before.", shape={"type": "string", "maxLength": 512}
)


def link(query: Query, before: UUID | None) -> dict[str, str] | None:
    """Write the header that names the next page; None where there is none."""
    return None if before is None else {"Link": next_link(query.given, str(before))}
