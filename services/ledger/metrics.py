"""How the ledger is watched: what became of entries, and how large and how slow its groups are."""

from prometheus_client import Counter, Gauge, Histogram

ENTRIES = Counter("ledger_entries_total", "Journal entries by what became of them.", ["kind", "outcome"])
# outcome: posted, replayed, refused
GROUP_SIZE = Histogram(
    "ledger_group_entries",
    "Entries that were posted together in one transaction.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500),
)
GROUP_DURATION = Histogram(
    "ledger_group_seconds",
    "Time from locking the balances of a group to its last row written, before the commit.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
)
CHARTS_OPENED = Counter("ledger_charts_opened_total", "Tenants whose default accounts were opened.")
REPORTS_REFRESH_DURATION = Histogram(
    "ledger_reports_refresh_seconds",
    "Time that refreshing the report views took in this process.",
    buckets=(0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300),
)
REPORTS_REFRESHED_AT = Gauge(
    "ledger_reports_refreshed_timestamp_seconds",
    "When this process last refreshed the report views, in seconds since 1970; the freshest process counts.",
)
