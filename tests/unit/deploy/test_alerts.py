"""Alert rules name metrics that exist and sections of runbooks, and no metric that wants an alert is without one."""

import re
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.metrics import MetricWrapperBase

from services.gateway import metrics as gateway
from services.ledger import metrics as ledger

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "deploy/observability/alerts").glob("*.yml"))
NAME = re.compile(r"\b(?:gateway|ledger)_[a-z_]+")


def rules() -> list[dict[str, Any]]:
    files = [yaml.safe_load(file.read_text()) for file in FILES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def helps() -> dict[str, str]:
    """What each metric is, by its name as it is shown."""
    found = {}
    for module in (gateway, ledger):
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                suffix = "_total" if metric._type == "counter" else ""
                found[metric._name + suffix] = metric._documentation
    return found


def test_rules_name_metrics_that_exist_and_no_metric_lacks_its_rule() -> None:
    known = helps()
    named = {name for rule in rules() for name in NAME.findall(rule["expr"])}
    assert named - known.keys() == set()
    wanting = {name for name, text in known.items() if re.search(r"\balert (above|where|on)\b", text)}
    assert wanting - named == set()


def test_rules_lead_to_a_section_of_a_runbook() -> None:
    every = rules()
    assert len({rule["alert"] for rule in every}) == len(every) > 0
    for rule in every:
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
