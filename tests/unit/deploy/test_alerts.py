"""Alert rules name metrics that exist and pages of runbooks, and no metric that wants an alert is without one."""

import re
from pathlib import Path
from typing import Any

import yaml

from deploy.local import metric_page
from libs.common.money import _KNOWN

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "deploy/observability/alerts").glob("*.yml"))
RECORDED = sorted((ROOT / "deploy/observability/rules").glob("*.yml"))
NAME = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b(?![\"(=~!])")
WORDS = {"histogram_quantile", "label_replace", "vector_matching", "group_left", "error_budget"}
"""What looks like a name of a metric in an expression and is none."""


def rules() -> list[dict[str, Any]]:
    files = [yaml.safe_load(file.read_text()) for file in FILES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def named_in(expression: str) -> set[str]:
    """The metrics that an expression reads, as they are counted: without what a histogram adds, without labels and texts."""
    bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\b(?:by|on) \([^)]*\)|[a-z_]+:[a-z_:0-9]+", " ", expression)
    names = {re.sub(r"_seconds_(bucket|sum|count)$", "_seconds", name) for name in NAME.findall(bare)}
    return {re.sub(r"_created$", "_total", name) for name in names} - WORDS


def helps() -> dict[str, str]:
    """What each metric is, by its name as it is shown."""
    return {metric.name: metric.text for metrics in metric_page.known().values() for metric in metrics}


def test_rules_name_metrics_that_exist_and_no_metric_lacks_its_rule() -> None:
    known = helps()
    named = {name for rule in rules() for name in named_in(rule["expr"])}
    assert named - known.keys() == set()
    wanting = {name for name, text in known.items() if re.search(r"\balert (above|where|on)\b", text)}
    assert wanting - named == set()


def test_what_rules_record_and_read_exists() -> None:
    recording = [
        rule for file in RECORDED for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]
    ]
    named = {name for rule in recording for name in named_in(rule["expr"])}
    assert named - helps().keys() == set()
    recorded = {rule["record"] for rule in recording}
    read = {name for rule in rules() for name in re.findall(r"\b[a-z_]+:[a-z_:0-9]+", rule["expr"])}
    assert read - recorded == set()


def test_decimals_of_each_currency_are_known_to_the_rule_of_revenue() -> None:
    text = (ROOT / "deploy/observability/rules/suite.yml").read_text()
    clauses = re.findall(r'payments_captured_minor_total\{currency(!~|=~)"([A-Z|]+)"\}(?: / (\d+))?', text)
    listed = {
        code: len(divisor or "1") - 1 for how, codes, divisor in clauses if how == "=~" for code in codes.split("|")
    }
    assert [set(codes.split("|")) for how, codes, _ in clauses if how == "!~"] == [listed.keys()]
    assert {code: listed.get(code, 2) for code in _KNOWN} == {code: unit.exponent for code, unit in _KNOWN.items()}


def test_each_alert_has_one_page_with_the_same_three_sections() -> None:
    every = rules()
    pages = {path.stem: path.read_text() for path in (ROOT / "docs/runbooks/alerts").glob("*.md")}
    assert sorted(pages) == sorted(rule["alert"] for rule in every)
    for rule in every:
        name, severity = rule["alert"], rule["labels"]["severity"]
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}, name
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/alerts/{name}.md"
        assert severity in {"page", "ticket"}
        parts = re.split(r"^#+ (.+)\n", pages[name], flags=re.MULTILINE)
        assert parts[1::2] == [name, "What it means", "What to look at", "What to do"], name
        assert f"Severity `{severity}`" in parts[2], name
        assert all(part.strip() for part in parts[2::2]), name


def test_index_of_runbooks_lists_each_alert_with_its_severity() -> None:
    index = (ROOT / "docs/runbooks/README.md").read_text()
    listed = re.findall(r"^\| \[(\w+)\]\(alerts/(\w+)\.md\) \| (\w+) \|", index, re.MULTILINE)
    assert sorted(listed) == sorted((rule["alert"], rule["alert"], rule["labels"]["severity"]) for rule in rules())
