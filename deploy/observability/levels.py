"""Service levels: what is promised, and how fast the error budget burns. Writes `rules/levels.yml`.

A budget is what may go wrong of a month. It burns at speed 1 when it is used up exactly at the month's end; alerts compare a
long and a short window, so that they begin soon and end soon (Site Reliability Workbook, chapter 5).
"""

from pathlib import Path

import msgspec

FILE = Path(__file__).parent / "rules" / "levels.yml"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
_HEAD = "# Written by `just docs` from deploy/observability/levels.py; what is written by hand here is lost.\n"


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One promise."""

    name: str
    objective: str
    """The part of all that must be good, as a decimal."""
    budget: str
    """1 less that."""
    bad: str
    """PromQL of the ratio of what is bad over a window, which stands as WINDOW."""


LEVELS = (
    Level(
        name="api_availability",
        objective="0.999",
        budget="0.001",
        bad='(sum(rate(http_requests_total{job="payments-api",status=~"5.."}[WINDOW])) or vector(0)) '
        '/ sum(rate(http_requests_total{job="payments-api"}[WINDOW]))',
    ),
    Level(
        name="api_latency",
        objective="0.99",
        budget="0.01",
        bad='1 - sum(rate(http_request_duration_seconds_bucket{job="payments-api",le="1.0"}[WINDOW])) '
        '/ sum(rate(http_request_duration_seconds_count{job="payments-api"}[WINDOW]))',
    ),
    Level(
        name="outcomes_in_time",
        objective="0.99",
        budget="0.01",
        bad='1 - (sum(rate(payment_confirm_wait_seconds_count{outcome="answered"}[WINDOW])) or vector(0)) '
        "/ sum(rate(payment_confirm_wait_seconds_count[WINDOW]))",
    ),
    Level(
        name="webhooks_in_time",
        objective="0.99",
        budget="0.01",
        bad='1 - sum(rate(webhook_first_attempt_delay_seconds_bucket{le="5.0"}[WINDOW])) '
        "/ sum(rate(webhook_first_attempt_delay_seconds_count[WINDOW]))",
    ),
)


def text() -> str:
    """Return the recording rules: the ratio of each level over each window, and its budget."""
    lines = [_HEAD, "groups:\n"]
    for level in LEVELS:
        lines.append(f"  - name: level_{level.name}\n    rules:\n")
        lines.append(_rule("level:error_budget", f"vector({level.budget})", level.name))
        lines += [
            _rule(f"level:error_ratio:rate{window}", level.bad.replace("WINDOW", window), level.name)
            for window in WINDOWS
        ]
    return "".join(lines)


def _rule(record: str, expr: str, level: str) -> str:
    return f"      - record: {record}\n        expr: |-\n          {expr}\n        labels: {{level: {level}}}\n"
