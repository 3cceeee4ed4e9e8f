"""`docs/metrics.md`: every metric of the four services, made from the objects that count."""

import importlib
import re
from collections.abc import Iterator
from types import ModuleType

import msgspec
from prometheus_client.metrics import MetricWrapperBase

from deploy.local.bootstrap import SERVICES
from deploy.local.layout import ROOT

FILE = ROOT / "docs" / "metrics.md"
COMMON = "every service"
_HEAD = """# Metrics

Written by `just docs`; what is written by hand here is lost. Every service answers `GET /metrics` on its HTTP port, for holders
of the operations token where `OPERATIONS_TOKEN` is set. [observability.md](observability.md) says what to look at.

No label is unbounded: routes stand by template, messages by type, and no tenant, payment, account or endpoint is a label.
Each process counts for itself. Sum counters and histograms over a service's processes; of a gauge that is read from the
database every process shows the same, so take its maximum. The recording rules in `deploy/observability/rules` do so.

A counter has a companion `_created`, a histogram `_bucket`, `_sum` and `_count`. The Python client adds `process_*` and
`python_*`.
"""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One metric as it is scraped."""

    name: str
    kind: str
    """counter, gauge or histogram"""
    labels: tuple[str, ...]
    text: str


def known() -> dict[str, list[Known]]:
    """Return every metric, in the order of its declaration, by the service that has it."""
    modules = {COMMON: "libs.common.observability.metrics"} | {name: f"services.{name}.metrics" for name in SERVICES}
    return {who: list(_of(importlib.import_module(module))) for who, module in modules.items()}


def text() -> str:
    """Return the page."""
    parts = [_HEAD]
    for who, metrics in known().items():
        parts.append(f"\n## {who[0].upper()}{who[1:]}\n\n| Metric | Kind | Labels | What it is |\n|---|---|---|---|\n")
        for each in sorted(metrics, key=lambda one: one.name):
            labels = ", ".join(f"`{label}`" for label in each.labels)
            cell = re.sub(r"([|<>])", r"\\\1", each.text)
            parts.append(f"| `{each.name}` | {each.kind} | {labels} | {cell} |\n")
    return "".join(parts)


def _of(module: ModuleType) -> Iterator[Known]:
    for metric in vars(module).values():
        if isinstance(metric, MetricWrapperBase):
            suffix = "_total" if metric._type == "counter" else ""
            yield Known(
                name=metric._name + suffix,
                kind=str(metric._type),
                labels=tuple(metric._labelnames),
                text=metric._documentation,
            )
