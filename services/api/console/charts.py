"""Charts as drawings of the server: bars with what they stand for as text, beside those of the time before."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

WIDTH, HEIGHT = 340, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 4, 10, 22
_LABELS_MAX = 5
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What a chart shows of one period."""

    label: str
    """The period in few characters."""
    value: Decimal | None
    """None: there is nothing that it could be."""
    text: str
    """The value as people read it."""
    before: Decimal | None = None
    """The value of the same period of the time before."""
    before_text: str = ""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One period as it is drawn."""

    point: Point
    x: float
    """Where its share of the width begins."""
    width: float
    now: Bar | None
    before: Bar | None
    label: str
    """Below it; empty where there is no room."""
    middle: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the scale."""

    y: float
    text: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A chart with its scale, and its values as text."""

    title: str
    total: str
    """What all periods come to."""
    change: str
    """How that differs from the time before; empty: nothing to compare with."""
    columns: Sequence[Column]
    lines: Sequence[Line]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    bottom: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def chart(
    title: str,
    points: Sequence[Point],
    *,
    total: str,
    change: str,
    scale: Callable[[Decimal], str],
    top: Decimal | None = None,
) -> Chart:
    """Draw a chart.

    Args:
        title: what it shows.
        points: the periods, oldest first.
        total: what all of them come to, as text.
        change: how that differs from the time before, as text.
        scale: writes a value of the scale in few characters.
        top: where the scale ends; None: above the greatest value.
    """
    values = [value for point in points for value in (point.value, point.before) if value is not None]
    most = top or _round_up(max(values, default=Decimal(0)))
    share = (WIDTH - _LEFT - _RIGHT) / max(1, len(points))
    every = -(-len(points) // _LABELS_MAX)
    columns = []
    for number, point in enumerate(points):
        x = _LEFT + number * share
        columns.append(
            Column(
                point=point,
                x=round(x, 1),
                width=round(share, 1),
                before=_bar(point.before, most, x=x + share * 0.1, width=share * 0.5),
                now=_bar(point.value, most, x=x + share * 0.3, width=share * 0.6),
                # From the right, so that the newest period has one.
                label=point.label if (len(points) - 1 - number) % every == 0 else "",
                middle=round(min(x + share / 2, WIDTH - _RIGHT - 18), 1),
            )
        )
    lines = [
        Line(y=round(_height(part * most, most), 1), text=scale(part * most))
        for part in ((Decimal(0), Decimal("0.5"), Decimal(1)) if any(values) else (Decimal(0),))
    ]
    return Chart(title=title, total=total, change=change, columns=columns, lines=lines)


def change_of(now: Decimal | None, before: Decimal | None) -> Decimal | None:
    """Return by which part something has changed: 0.5 is half as much again; None where nothing was before."""
    if now is None or not before:
        return None
    return (now - before) / before


def _bar(value: Decimal | None, most: Decimal, *, x: float, width: float) -> Bar | None:
    if not value:
        return None
    y = _height(value, most)
    return Bar(x=round(x, 1), y=round(y, 1), width=round(width, 1), height=round(HEIGHT - _BOTTOM - y, 1))


def _height(value: Decimal, most: Decimal) -> float:
    return _TOP + (HEIGHT - _TOP - _BOTTOM) * float(1 - min(value / most, Decimal(1)))


def _round_up(value: Decimal) -> Decimal:
    """Return the next number that a scale ends well at: 1, 2, 2.5, 5 or 10 of some power of ten."""
    if value <= 0:
        return Decimal(1)
    unit = Decimal(10) ** value.adjusted()
    return next(step * unit for step in _STEPS if step * unit >= value)
