"""When a balance differs from the books, though something moved while it was read."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.gateway.movements.domain import Balance, Booked, Compared, Lately, compared
from services.gateway.movements.domain.balances import difference
from services.gateway.processors.port.reading import Held

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)

type Moved = Sequence[tuple[float, int]]


def lately(moved: Moved, part: str = "moved") -> list[Lately]:
    """Movements, each some seconds after the balance was read."""
    return [Lately(currency="BRL", part=part, at=NOW + timedelta(seconds=after), net_minor=net) for after, net in moved]


@pytest.mark.parametrize(
    ("off", "moved", "expected"),
    [
        pytest.param(0, [], 0, id="nothing moved"),
        pytest.param(-70, [], -70, id="a difference"),
        pytest.param(0, [(30, 500)], 0, id="long after it"),
        pytest.param(500, [(30, 500)], 500, id="a difference, and as much long after it"),
        pytest.param(0, [(1, 500)], None, id="shortly after it, or before"),
        pytest.param(500, [(-1, 500), (1, 300)], None, id="between two"),
        pytest.param(300, [(-1, 500), (1, 300)], -200, id="the second without the first"),
        pytest.param(300, [(0, 500), (0, 300)], None, id="two of one second in the other order"),
        pytest.param(777, [(0, 10)] * 7, 707, id="beyond many of one second"),
        pytest.param(15, [(0, 10)] * 7, None, id="among many of one second"),
        pytest.param(-250, [(-1, -300), (0, 50)], None, id="what left it, and what came"),
    ],
)
def test_balance_differs_where_no_instant_makes_it_agree(off: int, moved: Moved, expected: int | None) -> None:
    assert difference(off, lately(moved), until=NOW) == expected


def test_what_is_due_and_what_is_new_need_not_come_in_one_order() -> None:
    """At midnight much becomes available, at once or an hour later, while refunds leave."""
    due, turned = lately([(-3_600, 9_000), (-3_600, 800)], "due"), lately([(-5, -100)], "turned")
    for off in (0, 9_800, 9_700, -100):
        assert difference(off, turned, due, until=NOW) is None
    assert difference(9_750, turned, due, until=NOW) == 50


def test_difference_counts_the_second_time_and_openness_ends() -> None:
    def at(minutes: int, held: int, before: Sequence[Compared], moved: Moved = ()) -> list[Compared]:
        read_at = NOW + timedelta(minutes=minutes)
        shown = [
            Lately(currency="BRL", part="moved", at=read_at + timedelta(seconds=s), net_minor=net) for s, net in moved
        ]
        return compared(
            Balance(held={"BRL": Held(available_minor=0, pending_minor=held)}, asked_at=read_at, answered_at=read_at),
            [Booked(currency="BRL", total_minor=1_000 + sum(net for _, net in moved), available_minor=0)],
            shown,
            before,
        )

    first = at(0, 1_070, [])
    assert (first[0].total_off_minor, first[0].is_off()) == (70, False)
    again = at(15, 1_070, first)
    assert again[0].is_off()
    # Something moves at each instant, by which it may agree: what is known stands for an hour, and no longer.
    still = at(30, 1_070, again, [(0, 70)])
    assert still[0].compared_at == again[0].compared_at
    assert still[0].is_off()
    assert not at(75, 1_070, still, [(0, 70)])[0].is_off()
    # Of another amount, it is the same difference.
    assert at(30, 1_050, again)[0].total_off_minor == 50
    assert at(30, 1_000, again)[0].total_off_since is None
