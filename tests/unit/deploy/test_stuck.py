"""What an operator learns about a payment that waits too long."""

from datetime import UTC, datetime

import msgspec
import pytest

from deploy.local.stuck import Attempt, DeadQueue, Entry, Letter, Refused, Report, Waiting, page

SINCE = datetime(2026, 11, 28, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 28, 10, tzinfo=UTC)


def waiting(stage: str, **changes: object) -> Report:
    fields: dict[str, object] = {
        "tenant_id": "t",
        "payment_intent_id": "p-1",
        "refund_id": None,
        "stage": stage,
        "since": SINCE,
        "repeats": 1,
        "next_at": LATER,
    }
    return Report(payments=[Waiting(**(fields | changes))])  # type: ignore[arg-type] # as given


def attempt(
    operation: str, status: str, *, next_ask_at: datetime | None = None, refund_id: str | None = None
) -> Report:
    return Report(
        attempts=[
            Attempt(
                id="key-1",
                payment_intent_id="p-1",
                operation=operation,
                status=status,
                reason="timeout",
                asks=4,
                next_ask_at=next_ask_at,
                refund_id=refund_id,
            )
        ]
    )


@pytest.mark.parametrize(
    ("stage", "gateway", "ledger", "reason", "remedy"),
    [
        ("processing", Report(), Report(), "no attempt at the gateway", "publishes it again at 2026-11-28 10:00:00"),
        ("processing", attempt("authorize", "UNKNOWN", next_ask_at=LATER), Report(), "unknown outcome", "asks again"),
        (
            "processing",
            attempt("authorize", "UNKNOWN"),
            Report(),
            "unknown outcome (timeout) after 4 calls: the processor is not called again",
            "just gateway resolve key-1 --as held|declined --reason",
        ),
        (
            "processing",
            attempt("authorize", "ACTION_REQUIRED"),
            Report(),
            "its end is unknown (timeout) after 4 calls: the processor is not called again",
            "just gateway resolve key-1 --as held|declined --reason",
        ),
        ("processing", attempt("authorize", "APPROVED"), Report(), "(APPROVED), the api has not", "publishes it again"),
        ("captured", attempt("capture", "APPROVED"), Report(), "no posting", "publishes it again"),
        (
            "captured",
            attempt("capture", "APPROVED"),
            Report(entries=[Entry("p-1", "capture")]),
            "the ledger has posted the capture, the api has not",
            "publishes it again",
        ),
        (
            "voiding",
            attempt("authorize", "APPROVED"),
            Report(),
            "the command to void has not arrived",
            "published again",
        ),
        (
            "processing",
            Report(dead=[DeadQueue("gateway.payment.authorize", 1, [Letter("p-1", "", "attempt_conflict")])]),
            Report(),
            "a dead letter waits in gateway.payment.authorize: attempt_conflict",
            "just redrive gateway gateway.payment.authorize",
        ),
    ],
)
def test_each_reason_comes_with_the_next_step(
    stage: str, gateway: Report, ledger: Report, reason: str, remedy: str
) -> None:
    _, why, then, *_ = page(waiting(stage), gateway=gateway, ledger=ledger).splitlines()
    assert reason in why
    assert remedy in then


@pytest.mark.parametrize(
    ("statuses", "remedy"),
    [
        (("DECLINED", "UNKNOWN"), "just gateway resolve key-2 --as held|declined"),
        (("UNKNOWN", "DECLINED"), "just gateway resolve key-1 --as held|declined"),
        (("DECLINED", "APPROVED"), "publishes it again"),
    ],
)
def test_what_an_earlier_card_came_to_is_not_what_is_waited_for(statuses: tuple[str, str], remedy: str) -> None:
    (first, second) = [attempt("authorize", status).attempts[0] for status in statuses]
    both = Report(attempts=[first, msgspec.structs.replace(second, id="key-2")])
    _, why, then, *_ = page(waiting("processing"), gateway=both, ledger=Report()).splitlines()
    assert remedy in then
    assert ("UNKNOWN" in statuses) == ("unknown outcome" in why), why


@pytest.mark.parametrize("turned", [False, True])
def test_what_waits_for_a_person_is_named_before_what_goes_on(turned: bool) -> None:
    left, later = attempt("void", "UNKNOWN").attempts[0], attempt("void", "PENDING", next_ask_at=LATER).attempts[0]
    both = [msgspec.structs.replace(left, id="key-left"), later]
    _, _, then, *_ = page(
        waiting("voiding"), gateway=Report(attempts=both[::-1] if turned else both), ledger=Report()
    ).splitlines()
    assert "just gateway resolve key-left --as released|declined" in then


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("endpoint_pace", "not sent yet (endpoint_pace): calls of its kind wait for their turn"),
        ("rate_limited", "not taken yet (rate_limited): the account has made too many calls"),
        ("unreachable", "not answered by the processor yet"),
    ],
)
def test_what_waits_for_its_turn_is_not_what_is_not_answered(reason: str, why: str) -> None:
    paced = msgspec.structs.replace(attempt("capture", "PENDING", next_ask_at=LATER).attempts[0], reason=reason)
    _, shown, then, *_ = page(waiting("capturing"), gateway=Report(attempts=[paced]), ledger=Report()).splitlines()
    assert why in shown
    assert "asks again at" in then


def test_a_refund_is_distinguished_from_its_payment_and_other_refunds() -> None:
    refund = waiting("refund_pending", refund_id="r-1")
    other = attempt("refund", "APPROVED", refund_id="r-2")
    text = page(refund, gateway=other, ledger=Report())
    assert text.startswith("refund r-1 of payment p-1 (tenant t): refund pending since 2026-11-28 09:00:00 UTC")
    assert "no attempt at the gateway" in text


def test_dead_letters_are_counted_where_no_payment_waits() -> None:
    dead = Report(dead=[DeadQueue("ledger.payment.captured", 3, [])])
    assert page(Report(), gateway=Report(), ledger=dead).splitlines() == [
        "No payment waits too long.",
        "3 dead letters in ledger.payment.captured: just redrive ledger ledger.payment.captured",
    ]


def test_refused_messages_are_listed_with_what_to_do() -> None:
    refused = Report(refused=[Refused("payments.x", 7, datetime(2026, 11, 28, 9, tzinfo=UTC), 4)])
    text = page(Report(), gateway=Report(), ledger=Report(), notifier=refused)
    assert "7 messages of the notifier refused by payments.x since 2026-11-28 09:00:00 UTC" in text
    assert "just refused notifier give-up payments.x --reason TEXT" in text
