"""The dashboards as Grafana reads them: one form, one source of data, no panel twice, and metrics that exist."""

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local import metric_page
from deploy.local.native import prometheus
from deploy.observability import dashboards
from deploy.observability.panels import DASHBOARDS, Dashboard, Panel
from deploy.observability.pictures import drawn

ROOT = Path(__file__).parents[3]
PROVISIONING = ROOT / "deploy/observability/grafana/provisioning"
OF_PROMETHEUS = {"up"}


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.name)
def test_dashboard_is_what_grafana_reads(board: Dashboard) -> None:
    file = dashboards.FOLDER / f"{board.name}.json"
    shown: dict[str, Any] = json.loads(file.read_text())
    titles = [panel["title"] for panel in shown["panels"]]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in shown["panels"]]
    assert len(set(titles)) == len(titles)
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in shown["panels"]}) == len(titles)
    source = yaml.safe_load((PROVISIONING / "datasources/prometheus.yml").read_text())["datasources"][0]
    charts = [panel for panel in shown["panels"] if panel["type"] == "timeseries"]
    assert {panel["datasource"]["uid"] for panel in charts} == {source["uid"]}
    for _, legend in (query for panel in board.panels for query in panel.queries):
        assert legend


def test_only_those_dashboards_are_there() -> None:
    assert {file.stem for file in dashboards.FOLDER.glob("*.json")} == {board.name for board in DASHBOARDS}


def test_panels_read_what_is_counted_or_recorded() -> None:
    files = sorted((ROOT / "deploy/observability/rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    known = {rule["record"] for group in groups for rule in group["rules"]} | OF_PROMETHEUS
    for metrics in metric_page.known().values():
        known |= {metric.name for metric in metrics}
        known |= {f"{metric.name}_{part}" for metric in metrics for part in ("bucket", "count", "sum")}
    lost = []
    for where, expr in dashboards.queries():
        bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\[\w+\]|\b(?:by|on) \([^)]*\)", " ", expr)
        names = set(re.findall(r"\b[a-z]\w*[_:][\w:]+|\bup\b", bare))
        lost += [f"{where}: {name}" for name in names - known - {"histogram_quantile"}]
    assert lost == []


def test_picture_is_drawn_with_and_without_data() -> None:
    panel = Panel(title="A <b>", unit="s", queries=(("up", "{{job}}"),))
    board = Dashboard(name="a", title="A", panels=(panel, panel))
    svg = drawn(board, [(panel, [("api", [(1.0, 0.0), (2.0, 4.0)])]), (panel, [])])
    assert "A &lt;b&gt;" in svg
    assert "no data" in svg
    assert "<polyline" in svg


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.name)
def test_committed_picture_has_every_panel(board: Dashboard) -> None:
    svg = (ROOT / f"docs/observability/{board.name}.svg").read_text()
    shown = re.findall(r'font-weight="bold">([^<]*)<', svg)
    assert shown == [escape(board.title), *(escape(panel.title) for panel in board.panels)], "run `just pictures`"
    assert "<polyline" in svg
    assert f"(observability/{board.name}.svg)" in (ROOT / "docs/observability.md").read_text()


def test_private_prometheus_reads_the_rules_and_sends_alerts() -> None:
    watched = prometheus.Watched(targets={"payments-api": ["127.0.0.1:8000"]}, alertmanager="127.0.0.1:9093")
    written = yaml.safe_load(prometheus.configuration(watched, folder=Path("/tokens")))
    assert all(list(Path("/").glob(pattern.lstrip("/"))) for pattern in written["rule_files"])
    assert written["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}]
    assert [job["job_name"] for job in written["scrape_configs"]] == ["payments-api"]
