"""The plots of the benchmark show what was measured, in the parts that were measured before."""

import re

import pytest

from tests.bench.plots import BEFORE, COLOURS, costs_now, latencies, line_chart, stacked_bars

pytestmark = pytest.mark.unit

CPU = {
    "api": 1.0,
    "gateway": 0.3,
    "ledger": 0.2,
    "notifier": 0.4,
    "rabbitmq": 0.5,
    "redis": 9.0,
    "postgres rest": 9.0,
} | {f"postgres {service}": 0.1 for service in ("api", "gateway", "ledger", "notifier")}
RATES = [
    {
        "per_second": rate,
        "create_ms": {"p50": 10.0, "p99": 20.0},
        "confirm_to_settled_ms": {"p50": 100.0, "p99": 2.0 * rate},
    }
    for rate in (200.0, 50.0)
]


def test_costs_have_the_parts_of_before() -> None:
    now = costs_now(CPU)
    assert now.keys() == BEFORE.keys()
    assert now["gateway and its database"] == pytest.approx(0.4)
    assert len(COLOURS) >= len(BEFORE)


def test_lines_go_from_the_lowest_rate_to_the_highest() -> None:
    lines = dict(latencies(RATES))
    assert lines["confirm to SETTLED p99"] == [(200.0, 400.0), (50.0, 100.0)]
    svg = line_chart("Latency", "rate", latencies(RATES))
    for name in lines:
        assert name in svg
    for points in re.findall(r'polyline points="([^"]+)"', svg):
        across = [float(point.split(",")[0]) for point in points.split()]
        assert across == sorted(across)


def test_bars_are_as_long_as_what_they_show() -> None:
    svg = stacked_bars("Costs", {"before": {"api": 2.0}, "now": {"api": 1.0}})
    before, now, _ = (
        float(width) for width in re.findall(rf'width="([\d.]+)" height="[\d.]+" fill="{COLOURS[0]}"', svg)
    )
    assert before == pytest.approx(2 * now, abs=0.2)
