"""Draws the dashboards from a running Prometheus, one SVG each: `just pictures`. Grafana is not needed for it."""

import argparse
import json
import math
import os
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from deploy.local import environment
from deploy.local.layout import ROOT, port_offset
from deploy.observability.panels import DASHBOARDS, Dashboard, Panel

FOLDER = Path(__file__).parents[2] / "docs" / "observability"
COLUMNS, WIDTH, HEIGHT, GAP = 3, 380, 200, 12
TOP, LEFT, BOTTOM = 30, 48, 46
SERIES_MAX = 6
"""Lines that a chart shows: those that are the largest."""
POINTS = 120
ASK_SECONDS = 30.0
COLOURS = ("#3366cc", "#dc3912", "#ff9900", "#109618", "#990099", "#0099c6")

type Line = tuple[str, list[tuple[float, float]]]


def main() -> None:
    """Draw every dashboard."""
    environment.load_dotenv(ROOT)
    port = os.environ.get("OBSERVE_PROMETHEUS_PORT") or 9090 + port_offset()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--prometheus", default=f"http://127.0.0.1:{port}", metavar="URL", help="(default: %(default)s)"
    )
    parser.add_argument("--minutes", type=int, default=15, help="how far back (default: %(default)s)")
    chosen = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    until = time.time()
    for board in DASHBOARDS:
        charts = [
            (panel, lines_of(chosen.prometheus, panel, until=until, minutes=chosen.minutes)) for panel in board.panels
        ]
        file = FOLDER / f"{board.name}.svg"
        file.write_text(drawn(board, charts))
        print(f"{file}: {sum(bool(lines) for _, lines in charts)} of {len(charts)} charts have data")


def lines_of(prometheus: str, panel: Panel, *, until: float, minutes: int) -> list[Line]:
    """Ask for a panel's series over the time before an instant, in seconds since 1970."""
    found: list[Line] = []
    for expr, legend in panel.queries:
        begin = until - minutes * 60
        parameters = {
            "query": expr,
            "start": f"{begin}",
            "end": f"{until}",
            "step": f"{max(1.0, minutes * 60 / POINTS)}",
        }
        url = f"{prometheus}/api/v1/query_range?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=ASK_SECONDS) as answer:  # noqa: S310 - a Prometheus of ours
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        for series in result:
            labels: dict[str, str] = series["metric"]
            name = _named(legend, labels)
            values = [(float(at), float(value)) for at, value in series["values"]]
            found.append((name, [(at, value) for at, value in values if math.isfinite(value)]))
    found = [line for line in found if line[1]]
    return sorted(found, key=lambda line: -max(value for _, value in line[1]))[:SERIES_MAX]


def _named(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda label: labels.get(label[1], ""), legend).strip()


def drawn(board: Dashboard, charts: Sequence[tuple[Panel, list[Line]]]) -> str:
    """Return one picture with all charts of a dashboard."""
    rows = math.ceil(len(charts) / COLUMNS)
    width, height = COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP + TOP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{GAP}" y="22" font-size="16" font-weight="bold">{escape(board.title)}</text>',
    ]
    for number, (panel, lines) in enumerate(charts):
        row, column = divmod(number, COLUMNS)
        x, y = GAP + column * (WIDTH + GAP), TOP + GAP + row * (HEIGHT + GAP)
        parts.append(f'<g transform="translate({x},{y})">{_chart(panel, lines)}</g>')
    return "\n".join([*parts, "</svg>\n"])


def _chart(panel: Panel, lines: list[Line]) -> str:
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#cccccc"/>',
        f'<text x="8" y="16" font-size="11" font-weight="bold">{escape(panel.title)}</text>',
    ]
    if not lines:
        return "".join([*parts, f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">no data</text>'])
    times = [at for _, points in lines for at, _ in points]
    begin, span = min(times), max(max(times) - min(times), 1.0)
    top = max([0.0, *(value for _, points in lines for _, value in points)]) or 1.0
    wide, tall = WIDTH - LEFT - 10, HEIGHT - TOP - BOTTOM
    for share in (0.0, 0.5, 1.0):
        y = TOP + tall * (1 - share)
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eeeeee"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{top * share:.3g}</text>')
    parts.append(f'<text x="{WIDTH - 10}" y="16" text-anchor="end" fill="#777777">{escape(panel.unit)}</text>')
    for number, (name, points) in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(
            f"{LEFT + wide * (at - begin) / span:.1f},{TOP + tall * (1 - max(value, 0.0) / top):.1f}"
            for at, value in points
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        row, column = divmod(number, COLUMNS)
        x, y = 8 + column * (WIDTH - 16) / COLUMNS, HEIGHT - BOTTOM + 22 + row * 13
        parts.append(f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}">{escape(name[:26])}</text>')
    return "".join(parts)


if __name__ == "__main__":
    main()
