"""How far a list is read, and where a payout stands at the bank."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from services.gateway.movements.domain import (
    BEFORE_KNOWN,
    DEEP,
    DEEP_EVERY,
    DEEP_MAX,
    OVERLAP,
    Bank,
    BankChange,
    ListKind,
    Reading,
    StatementAccount,
    at_the_bank,
    later_status,
)

KNOWN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVERY = timedelta(minutes=1)
ACCOUNT = StatementAccount(
    account_id="acct_1", is_live=False, tenant_id="t", processor="stripe", known_at=KNOWN, booked_from=KNOWN
)


def reading(**changes: object) -> Reading:
    given = {"since": None, "cursor": "", "began_at": None, "complete_until": None, "deep_at": None, "failures": 0}
    return Reading(account_id="acct_1", is_live=False, list=ListKind.MOVEMENTS, next_at=NOW, turn=1, **given | changes)  # type: ignore[arg-type]


def test_first_round_reads_from_before_the_account_was_known() -> None:
    begun = reading().begun(ACCOUNT, now=NOW, oldest_pending=None)
    assert (begun.since, begun.began_at, begun.deep_at) == (KNOWN - BEFORE_KNOWN, NOW, NOW)


def test_round_in_progress_goes_on_from_its_cursor() -> None:
    begun = reading().begun(ACCOUNT, now=NOW, oldest_pending=None)
    paged = begun.after("txn_100", now=NOW, every=EVERY)
    assert (paged.cursor, paged.next_at, paged.complete_until) == ("txn_100", NOW, None)
    assert paged.begun(ACCOUNT, now=NOW + EVERY, oldest_pending=None) == paged


def test_round_is_complete_until_it_began_and_the_next_one_overlaps() -> None:
    done = reading(deep_at=NOW).begun(ACCOUNT, now=NOW, oldest_pending=None).after("", now=NOW + EVERY, every=EVERY)
    assert (done.complete_until, done.since, done.cursor, done.next_at) == (NOW, None, "", NOW + 2 * EVERY)
    following = done.begun(ACCOUNT, now=NOW + 2 * EVERY, oldest_pending=NOW - DEEP)
    assert (following.since, following.deep_at) == (NOW - OVERLAP, NOW)


@pytest.mark.parametrize(
    ("oldest", "since"),
    [
        (None, NOW - DEEP),
        (NOW - timedelta(days=7), NOW - timedelta(days=7)),
        (NOW - timedelta(days=300), NOW - DEEP_MAX),
    ],
)
def test_deep_round_reads_as_far_back_as_anything_is_pending(oldest: datetime | None, since: datetime) -> None:
    done = reading(complete_until=NOW - EVERY, deep_at=NOW - DEEP_EVERY)
    begun = done.begun(ACCOUNT, now=NOW, oldest_pending=oldest)
    assert (begun.since, begun.deep_at) == (since, NOW)
    late = reading(complete_until=NOW - timedelta(days=20), deep_at=NOW - timedelta(days=20))
    after_an_outage = late.begun(ACCOUNT, now=NOW, oldest_pending=None).since
    assert after_an_outage == NOW - timedelta(days=20)


def test_page_that_cannot_be_had_is_due_again_ever_later() -> None:
    begun, pauses = reading().begun(ACCOUNT, now=NOW, oldest_pending=None), []
    for _ in range(8):
        begun = begun.failed(now=NOW, every=EVERY, pause_max=timedelta(minutes=30))
        pauses.append((begun.next_at - NOW) / EVERY)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert begun.after("", now=NOW, every=EVERY).failures == 0


@pytest.mark.parametrize(
    ("statuses", "published"),
    [
        (("pending", "in_transit", "paid"), [BankChange.CREDITED]),
        (("pending", "in_transit", "failed"), []),
        (("pending", "canceled"), []),
        (("in_transit", "paid", "failed"), [BankChange.CREDITED, BankChange.DEBITED]),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_payout_is_published_as_the_bank_sees_it(
    statuses: tuple[str, ...], published: list[BankChange], sign: int
) -> None:
    """In any order of what is reported, the bank has in the end what it has."""
    worth = {BankChange.CREDITED: 1, BankChange.DEBITED: -1}
    expected = sum(worth[change] for change in published) * sign
    for order in permutations(statuses):
        known, bank, total, changes = "", Bank.NOTHING, 0, 0
        for status in (*order, *order):
            known = later_status(known, status) if known else status
            bank, change = at_the_bank(bank, known, amount_minor=100 * sign)
            total += worth[change] if change else 0
            changes += change is not None
        assert total == expected
        assert changes in (len(published), 0)


def test_status_that_means_nothing_changes_nothing() -> None:
    assert later_status("paid", "teleported") == "paid"
    assert later_status("teleported", "paid") == "paid"
    assert at_the_bank(Bank.NOTHING, "teleported", amount_minor=100) == (Bank.NOTHING, None)
