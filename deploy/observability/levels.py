"""Service levels: what is promised, and how fast the error budget burns. Writes `rules/levels.yml`.

A budget is what may go wrong of a month. It burns at speed 1 when it is used up exactly at the month's end; alerts compare a
long and a short window, so that they begin soon and end soon (Site Reliability Workbook, chapter 5).
"""

from pathlib import Path

import msgspec

FILE = Path(__file__).parent / "rules" / "levels.yml"
SHORT = ("5m", "30m", "1h")
LONG = ("2h", "6h", "1d", "3d")
"""Windows that are summed up from what was recorded of five minutes each: to read days of each process's series every few
seconds would keep a Prometheus busy with nothing else."""
_HEAD = "# Written by `just docs` from deploy/observability/levels.py; what is written by hand here is lost.\n"


_CUSTOMERS = 'job="payments-api",path!~"/healthz|/readyz|/metrics"'
"""What customers ask for: while RabbitMQ is away /readyz is 503 every few seconds, which nobody was promised anything about."""


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One promise."""

    name: str
    objective: str
    """The part of all that must be good, as a decimal."""
    budget: str
    """1 less that."""
    bad: str
    """PromQL of the rate of what is bad over a window, which stands as WINDOW; CUSTOMERS stands for labels."""
    all: str
    """Likewise of all there is."""


LEVELS = (
    Level(
        name="api_availability",
        objective="0.999",
        budget="0.001",
        bad='sum(rate(http_requests_total{CUSTOMERS,status=~"5.."}[WINDOW])) or vector(0)',
        all="sum(rate(http_requests_total{CUSTOMERS}[WINDOW]))",
    ),
    Level(
        name="api_latency",
        objective="0.99",
        budget="0.01",
        bad="sum(rate(http_request_duration_seconds_count{CUSTOMERS}[WINDOW])) "
        '- sum(rate(http_request_duration_seconds_bucket{CUSTOMERS,le="1.0"}[WINDOW]))',
        all="sum(rate(http_request_duration_seconds_count{CUSTOMERS}[WINDOW]))",
    ),
    Level(
        name="outcomes_in_time",
        objective="0.99",
        budget="0.01",
        bad="sum(rate(payment_confirm_wait_seconds_count[WINDOW])) "
        '- (sum(rate(payment_confirm_wait_seconds_count{outcome="answered"}[WINDOW])) or vector(0))',
        all="sum(rate(payment_confirm_wait_seconds_count[WINDOW]))",
    ),
    Level(
        name="webhooks_in_time",
        objective="0.99",
        budget="0.01",
        bad="sum(rate(webhook_first_attempt_delay_seconds_count[WINDOW])) "
        '- sum(rate(webhook_first_attempt_delay_seconds_bucket{le="5.0"}[WINDOW]))',
        all="sum(rate(webhook_first_attempt_delay_seconds_count[WINDOW]))",
    ),
)


def text() -> str:
    """Return the recording rules: what is bad and all there is, the ratio of each level over each window, and its budget."""
    lines = [_HEAD, "groups:\n"]
    for level in LEVELS:
        lines.append(f"  - name: level_{level.name}\n    rules:\n")
        lines.append(_rule("level:error_budget", f"vector({level.budget})", level.name))
        lines.append(_rule("level:bad:rate5m", _over("5m", level.bad), level.name))
        lines.append(_rule("level:all:rate5m", _over("5m", level.all), level.name))
        for window in SHORT:
            ratio = f"({_over(window, level.bad)}) / {_over(window, level.all)}"
            lines.append(_rule(f"level:error_ratio:rate{window}", ratio, level.name))
        for window in LONG:
            sums = (f'sum_over_time(level:{what}:rate5m{{level="{level.name}"}}[{window}])' for what in ("bad", "all"))
            lines.append(_rule(f"level:error_ratio:rate{window}", " / ".join(sums), level.name))
    return "".join(lines)


def _over(window: str, expr: str) -> str:
    return expr.replace("CUSTOMERS", _CUSTOMERS).replace("WINDOW", window)


def _rule(record: str, expr: str, level: str) -> str:
    return f"      - record: {record}\n        expr: |-\n          {expr}\n        labels: {{level: {level}}}\n"
