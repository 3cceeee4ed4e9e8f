"""The plots of docs/performance.md: latency by rate, and what a payment costs, by service.

    just bench-plots                     measure, write docs/performance/figures.json, draw
    just bench-plots --draw-only         draw what was measured before

Each rate is one run of the open loop; the costs are those of the closed loop with 64 clients. *Before* are the costs of
2026-11-28, measured before public events and creates were written together.
"""

import argparse
import html
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.local.layout import ROOT
from deploy.local.pictures import rendered

FOLDER = ROOT / "docs" / "performance"
FIGURES = FOLDER / "figures.json"
RATES = (50, 100, 200, 300, 350, 400)
SECONDS = 12
CLOSED_PAYMENTS = 4000
BEFORE: Mapping[str, float] = {
    "api": 1.6,
    "PostgreSQL for the api": 0.87,
    "RabbitMQ": 0.42,
    "gateway and its database": 0.57,
    "notifier and its database": 0.58,
    "ledger and its database": 0.23,
}
"""Milliseconds of CPU a payment."""
WIDTH, HEIGHT = 960, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 230, 40, 50
COLOURS = ("#1f5fa8", "#7fb0e6", "#b3541e", "#e8a47a", "#3d7f4a", "#9bcf9f")
MARKS = 5

type Line = tuple[str, Sequence[tuple[float, float]]]
"""A name, and points."""


def measure() -> dict[str, Any]:
    """Run the open loop at each rate and the closed loop once; returns the figures that are drawn."""
    rates = []
    for rate in RATES:
        found = _run("--clients", "0", "--per-second", str(rate), "--seconds", str(SECONDS))
        rates.append({"per_second": rate, **found["medians"]["open"]})
    closed = _run("--clients", "64", "--per-second", "0", "--payments", str(CLOSED_PAYMENTS))
    kept = {name: closed[name] for name in ("measured_at", "commit", "machine")}
    return {**kept, "rates": rates, "closed": closed["medians"]["closed"], "cpu_ms": closed["per_payment"]["cpu_ms"]}


def _run(*options: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "tests.bench.payments", "--idle-payments", "0", "--runs", "1"]
        subprocess.run([*command, *options, "--output", str(output)], check=True, cwd=ROOT)
        found: dict[str, Any] = json.loads(output.read_text())
    return found


def costs_now(cpu_ms: Mapping[str, float]) -> dict[str, float]:
    """Put what was counted into the parts that were counted before."""
    of = {name.lower(): value for name, value in cpu_ms.items()}

    def both(service: str) -> float:
        return of[service] + of[f"postgres {service}"]

    return {
        "api": of["api"],
        "PostgreSQL for the api": of["postgres api"],
        "RabbitMQ": of["rabbitmq"],
        "gateway and its database": both("gateway"),
        "notifier and its database": both("notifier"),
        "ledger and its database": both("ledger"),
    }


def latencies(rates: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Return latency against the rate at which payments began."""
    named = (("create", "create_ms"), ("confirm to SETTLED", "confirm_to_settled_ms"))
    return [
        (f"{name} {quantile}", [(each["per_second"], each[key][quantile]) for each in rates])
        for name, key in named
        for quantile in ("p50", "p99")
    ]


def line_chart(title: str, across: str, lines: Sequence[Line]) -> str:
    """Draw lines with a legend at their side, as SVG."""
    most_x = _rounded(max(x for _, points in lines for x, _ in points))
    most_y = _rounded(max(y for _, points in lines for _, y in points))

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + x / most_x * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / most_y * (HEIGHT - TOP - BOTTOM)

    drawn = []
    for step in range(MARKS + 1):
        x, _ = place(most_x * step / MARKS, 0)
        _, y = place(0, most_y * step / MARKS)
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        drawn.append(_text(LEFT - 8, y + 4, f"{most_y * step / MARKS:.0f}", "end"))
        drawn.append(_text(x, HEIGHT - BOTTOM + 18, f"{most_x * step / MARKS:.0f}", "middle"))
    for number, (name, points) in enumerate(lines):
        colour = COLOURS[number]
        path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in sorted(points))
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y in (place(*point) for point in points):
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        drawn += _key(number, name, colour)
    drawn.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across, "middle"))
    return _svg(title, drawn)


def _rounded(most: float) -> float:
    """Return the end of an axis whose marks are round numbers."""
    step = 10 * MARKS
    return max(step, -(-most // step) * step)


def stacked_bars(title: str, bars: Mapping[str, Mapping[str, float]]) -> str:
    """Draw bars of parts, the same of each, as SVG."""
    names = list(next(iter(bars.values())))
    most = max(sum(parts.values()) for parts in bars.values())
    per_bar = (HEIGHT - TOP - BOTTOM) / len(bars)
    drawn = []
    for row, (bar, parts) in enumerate(bars.items()):
        x, y = float(LEFT + 40), TOP + row * per_bar + per_bar / 4
        drawn.append(_text(x - 8, y + per_bar / 4 + 4, bar, "end"))
        for number, name in enumerate(names):
            width = parts[name] / most * (WIDTH - LEFT - 40 - RIGHT - 60)
            drawn.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{per_bar / 2:.1f}" fill="{COLOURS[number]}"/>'
            )
            if width > MARKS * 6:
                drawn.append(_text(x + width / 2, y + per_bar / 4 + 4, f"{parts[name]:.2f}", "middle", "#ffffff"))
            x += width
        drawn.append(_text(x + 8, y + per_bar / 4 + 4, f"{sum(parts.values()):.1f} ms", "start"))
    for number, name in enumerate(names):
        drawn += _key(number, name, COLOURS[number])
    return _svg(title, drawn)


def _key(number: int, name: str, colour: str) -> list[str]:
    y = TOP + 22 * number
    square = f'<rect x="{WIDTH - RIGHT + 20}" y="{y}" width="12" height="12" fill="{colour}"/>'
    return [square, _text(WIDTH - RIGHT + 38, y + 11, name, "start")]


def _text(x: float, y: float, words: str, anchor: str, colour: str = "#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{html.escape(words)}</text>'


def _svg(title: str, drawn: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{_text(LEFT, 22, title, "start")}{"".join(drawn)}</svg>'
    )


def draw(figures: Mapping[str, Any]) -> None:
    """Write the two pictures."""
    pictures = {
        "latency-by-rate": line_chart(
            "Latency in ms, payments begin at a constant rate", "payments begun a second", latencies(figures["rates"])
        ),
        "cost-by-service": stacked_bars(
            "CPU of one payment in ms, 64 clients", {"before": BEFORE, "now": costs_now(figures["cpu_ms"])}
        ),
    }
    for name, svg in pictures.items():
        page = f"<body style='margin:0'>{svg}</body>"
        (FOLDER / f"{name}.png").write_bytes(rendered(page, width=WIDTH, height=HEIGHT))


def main(arguments: Sequence[str]) -> None:
    """Read the command line, measure where it is wished, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw-only", action="store_true")
    if not parser.parse_args(arguments).draw_only:
        FOLDER.mkdir(exist_ok=True)
        FIGURES.write_text(json.dumps(measure(), indent=2) + "\n")
    draw(json.loads(FIGURES.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
