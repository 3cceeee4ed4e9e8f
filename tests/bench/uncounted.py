"""Imported by a service before its own modules: its metrics then count nothing, so that what counting costs can be measured.

No service has a setting for this (docs/decisions/0054-metrics-are-always-counted.md); `tests.bench.observing` starts some with it.
"""

from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase


def _nothing(*_: Any, **__: Any) -> None:
    """Count nothing."""


def _itself(metric: MetricWrapperBase, *_: Any, **__: Any) -> MetricWrapperBase:
    """Look no child up."""
    return metric


for kind, names in (
    (Counter, ("inc",)),
    (Gauge, ("inc", "dec", "set", "set_function")),
    (Histogram, ("observe",)),
    (MetricWrapperBase, ("remove", "clear")),
):
    for name in names:
        setattr(kind, name, _nothing)
setattr(MetricWrapperBase, "labels", _itself)  # noqa: B010 - its type has another form
