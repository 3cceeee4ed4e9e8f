"""What is remembered for a while is read again by one of those who need it."""

from services.gateway.accounts.remembered import Remembered


def test_old_value_is_read_by_one_while_the_others_go_on_with_it() -> None:
    now = [0.0]
    values: Remembered[str, int] = Remembered(size_max=10, seconds=10, monotonic=lambda: now[0])
    values.put("a", 1)
    now[0] = 10.0
    assert values.get("a") == 1
    now[0] = 10.5
    assert [values.get("a") for _ in range(3)] == [None, 1, 1]
    values.put("a", 2)
    assert values.get("a") == 2
    # While it takes long to read, or cannot be read, one more tries at each tenth of its time, and nobody goes on with what is
    # twice as old as it may be.
    for now[0] in (20.6, 21.7, 30.4):
        assert [values.get("a") for _ in range(3)] == [None, 2, 2]
    now[0] = 30.6
    assert [values.get("a") for _ in range(3)] == [None, None, None]
    values.forget("a")
    assert values.get("a") is None
