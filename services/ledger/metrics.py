"""How the ledger is watched: what became of entries, and how large and how slow its groups are."""

from prometheus_client import Counter, Gauge, Histogram

from libs.common.contracts.gateway_movements import MovementKind
from libs.common.observability.metrics import from_zero

ENTRIES = Counter("ledger_entries_total", "Journal entries by what became of them.", ["kind", "outcome"])
# outcome: posted, replayed, refused
GROUPS = Counter("ledger_groups_total", "Groups of entries by how their balances were known.", ["way"])
# way: remembered (one statement), locked, mistaken (the books stood differently, and the group was run again)
GROUP_SIZE = Histogram(
    "ledger_group_entries",
    "Entries that were posted together in one transaction.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500),
)
GROUP_DURATION = Histogram(
    "ledger_group_seconds",
    "Time that writing a group took; with its commit where it was one statement.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
)
HOTTEST = Histogram(
    "ledger_group_hottest_entries",
    "Entries of a group that change the same account in the same currency: the most of any account.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500),
)
CHARTS_OPENED = Counter("ledger_charts_opened_total", "Tenants whose default accounts were opened.")
REPORTS_REFRESH_DURATION = Histogram(
    "ledger_reports_refresh_seconds",
    "Time that refreshing the report views took in this process.",
    buckets=(0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300),
)
REPORTS_REFRESHED_AT = Gauge(
    "ledger_reports_refreshed_timestamp_seconds",
    "When the report views were last refreshed, as this process last saw it, in seconds since 1970.",
)
SUSPENDED = from_zero(
    Counter(
        "ledger_movements_suspended_total",
        "Movements at the processor that fit nothing and were booked against SUSPENSE: a person decides where they belong.",
        ["kind"],
    ),
    MovementKind,
)
EXCHANGES_FAR_OFF = Counter(
    "ledger_exchanges_far_off_total",
    "Movements that the processor exchanged at a rate more than CONVERSION_BAND_PERCENT off the known one: alert above zero.",
)
HOLDS_EXPIRED = Counter("ledger_holds_expired_total", "Holds whose time was over when they were let go.")
VERIFIED_ENTRIES = Counter("ledger_verified_entries_total", "Entries that the verifier recomputed.")
TRIAL_BALANCE_DIFFERENCE = Gauge(
    "ledger_trial_balance_difference_minor",
    "Difference of all debits and credits, summed over tenants and currencies without their sign, in minor units; anything but 0 is an alarm.",
)
VERIFIER_LAG = Gauge(
    "ledger_verifier_lag_groups",
    "Groups that were posted when the verifier last looked and that it has not recomputed.",
)
HEADS_SIGNED_AT = Gauge(
    "ledger_heads_signed_timestamp_seconds",
    "When this process last signed where the chains end, in seconds since 1970; the freshest process counts.",
)
VERIFIED_AT = Gauge(
    "ledger_verified_timestamp_seconds",
    "When this process last ended a round of the verifier, in seconds since 1970; the freshest process counts.",
)
INVARIANTS_BROKEN = Counter(
    "ledger_invariants_broken_total", "Things that this process found in the books that cannot be.", ["invariant"]
)
FINDINGS = Gauge("ledger_findings", "Open findings: things in the books that cannot be; anything but 0 is an alarm.")
FINDINGS_RESOLVED = Counter(
    "ledger_findings_resolved_total", "Findings that hold again, since a missing message arrived.", ["invariant"]
)


def observe_group(way: str, entries: int, *, seconds: float) -> None:
    """Note a group that was written: how its balances were known, its size, and what writing it took."""
    GROUPS.labels(way).inc()
    GROUP_SIZE.observe(entries)
    GROUP_DURATION.observe(seconds)
