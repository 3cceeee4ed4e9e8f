"""Counting in one process, for as long as Redis is away: a limit that guards passwords is never open."""

from services.api.rate_limit.limiter import _LOCAL_MAX, Limit, LocalCounts

LIMIT = Limit("login_account", 6, guards_secrets=True)


def allowed(counts: LocalCounts, *, tries: int, now: float, key: str = "k") -> list[bool]:
    return [counts.count(LIMIT, key, cost=1, now=now).allowed for _ in range(tries)]


def test_exactly_the_limit_passes_at_once_and_then_one_every_tenth_second() -> None:
    counts = LocalCounts()
    assert allowed(counts, tries=9, now=1000.0) == [True] * 6 + [False] * 3
    assert allowed(counts, tries=2, now=1009.0) == [False, False]
    assert allowed(counts, tries=2, now=1010.1) == [True, False]


def test_refused_request_says_when_to_ask_again() -> None:
    counts = LocalCounts()
    allowed(counts, tries=6, now=1000.0)
    refused = counts.count(LIMIT, "k", cost=1, now=1003.0)
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert 1 <= refused.retry_after_seconds <= 7
    assert refused.reset_seconds == 57


def test_what_is_given_back_can_be_used_again() -> None:
    counts = LocalCounts()
    allowed(counts, tries=6, now=1000.0)
    counts.count(LIMIT, "k", cost=-1, now=1000.0)
    assert allowed(counts, tries=2, now=1000.0) == [True, False]
    for _ in range(20):
        counts.count(LIMIT, "k", cost=-1, now=1000.0)
    assert allowed(counts, tries=7, now=1000.0) == [True] * 6 + [False]


def test_callers_do_not_share_and_are_bounded() -> None:
    counts = LocalCounts()
    assert allowed(counts, tries=7, now=0.0, key="first") == [True] * 6 + [False]
    assert allowed(counts, tries=1, now=0.0, key="second") == [True]
    for i in range(_LOCAL_MAX):
        counts.count(LIMIT, f"flood {i}", cost=1, now=0.0)
    assert len(counts._due) == _LOCAL_MAX
