"""Writes the dashboards as Grafana reads them: `grafana/dashboards/*.json`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.observability.panels import DASHBOARDS, Dashboard, Panel

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
SOURCE = {"type": "prometheus", "uid": "payments-prometheus"}
"""As `grafana/provisioning/datasources` names it."""
_COLUMNS, _WIDTH, _HEIGHT = 3, 8, 8
_TEXT_HEIGHT = 7
_OF_GRAFANA = 39
"""The version of the form, of Grafana 10."""


def texts() -> dict[Path, str]:
    """Return each dashboard's file and its text."""
    return {
        FOLDER / f"{board.name}.json": json.dumps(_board(board), indent=1, ensure_ascii=False) + "\n"
        for board in DASHBOARDS
    }


def queries() -> Iterator[tuple[str, str]]:
    """Yield every query, with the dashboard and the panel that it is of."""
    for board in DASHBOARDS:
        for panel in board.panels:
            for expr, _ in panel.queries:
                yield f"{board.title}: {panel.title}", expr


def _board(board: Dashboard) -> dict[str, Any]:
    below = _TEXT_HEIGHT if board.text else 0
    panels = [_panel(panel, number, below) for number, panel in enumerate(board.panels)]
    if board.text:
        panels.insert(0, _text(board))
    return {
        "uid": f"payments-{board.name}",
        "title": board.title,
        "tags": ["payments"],
        "schemaVersion": _OF_GRAFANA,
        "editable": False,
        "timezone": "utc",
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "links": [
            {"type": "dashboards", "tags": ["payments"], "asDropdown": True, "title": "Payments", "keepTime": True}
        ],
        "templating": {"list": [_text_box(board.asks_for)] if board.asks_for else []},
        "panels": panels,
    }


def _panel(panel: Panel, number: int, below: int) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": below + row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
            for place, (expr, legend) in enumerate(panel.queries)
        ],
    }


def _text(board: Dashboard) -> dict[str, Any]:
    return {
        "id": 1000,
        "type": "text",
        "title": "",
        "gridPos": {"x": 0, "y": 0, "w": _COLUMNS * _WIDTH, "h": _TEXT_HEIGHT},
        "options": {"mode": "markdown", "content": board.text},
    }


def _text_box(name: str) -> dict[str, Any]:
    return {"type": "textbox", "name": name, "label": name.replace("_", " "), "query": "", "current": {"value": ""}}
