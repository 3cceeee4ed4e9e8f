"""The memory of balances is bounded, and trusted less after each mistake."""

from libs.common.ids import new_id
from services.ledger.core import Balance
from services.ledger.posting import BalanceCache
from services.ledger.posting.cache import PAUSE_MAX, PendingWrite

KEYS = [("t", new_id(), "BRL") for _ in range(4)]


def known(cache: BalanceCache) -> list[bool]:
    return [cache.recall([key]) is not None for key in KEYS]


def test_what_was_not_posted_to_for_longest_is_forgotten() -> None:
    cache = BalanceCache(balances_max=2)
    for key in KEYS[:3]:
        cache.remember({key: Balance()})
    assert known(cache) == [False, True, True, False]
    cache.remember({KEYS[1]: Balance(version=1)})
    cache.remember({KEYS[3]: Balance()})
    assert known(cache) == [False, True, False, True]


def test_balances_are_recalled_all_or_not_at_all() -> None:
    cache = BalanceCache()
    cache.remember({KEYS[0]: Balance(version=7)})
    assert cache.recall(KEYS[:2]) is None
    recalled = cache.recall(KEYS[:1])
    assert recalled is not None
    assert recalled.balances == {KEYS[0]: Balance(version=7)}
    assert recalled.pending == set()


def test_a_group_pending_is_named_until_it_is_written() -> None:
    cache, write = BalanceCache(), PendingWrite()
    cache.remember({KEYS[0]: Balance()}, write)
    recalled = cache.recall(KEYS[:1])
    assert recalled is not None
    assert recalled.pending == {write}
    write.end(is_lost=False)
    recalled = cache.recall(KEYS[:1])
    assert recalled is not None
    assert recalled.pending == set()


def test_each_mistake_in_a_row_lets_more_groups_lock_first() -> None:
    cache = BalanceCache()
    cache.remember({KEYS[0]: Balance()})
    pauses = []
    for _ in range(8):
        cache.was_wrong()
        pauses.append(0)
        while cache.recall(KEYS[:1]) is None:
            pauses[-1] += 1
    assert pauses == [1, 3, 7, 15, 31, 63, PAUSE_MAX, PAUSE_MAX]
    for _ in range(10):
        cache.was_right()
    cache.was_wrong()
    assert cache.recall(KEYS[:1]) is None
    assert cache.recall(KEYS[:1]) is not None


def test_while_a_group_looks_nobody_goes_on_from_memory() -> None:
    cache = BalanceCache()
    cache.remember({KEYS[0]: Balance(), KEYS[1]: Balance()})
    with cache.locking(KEYS[:2]):
        assert cache.recall(KEYS[:1]) is None
        cache.remember({KEYS[0]: Balance(version=3)})
    assert known(cache) == [True, False, False, False]
