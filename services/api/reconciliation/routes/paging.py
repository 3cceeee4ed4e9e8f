"""How lists of reconciliation are paged."""

from services.api.http.parameters import QueryParameter

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
