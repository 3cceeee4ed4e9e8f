"""Slots: the quick earn theirs, the slow keep to their half."""

from uuid import UUID

from libs.common.ids import new_id
from services.notifier.deliveries.workers import Slots
from services.notifier.sending import Answer, AttemptError

OK, BUSY, DEAD = Answer(status_code=200), Answer(status_code=503), Answer(error=AttemptError.TIMEOUT)


def once(slots: Slots, endpoint_id: UUID, answer: Answer | None, *, seconds: float = 0.01) -> int:
    slots.take(endpoint_id, tenant_id="t")
    slots.give_back(endpoint_id, answer, tenant_id="t", seconds=seconds)
    return slots.for_known()[endpoint_id]


def test_quick_answers_double_the_slots_up_to_the_limit() -> None:
    slots, endpoint_id = Slots(total=100, endpoint_max=20), new_id()
    assert [once(slots, endpoint_id, OK) for _ in range(4)] == [8, 16, 20, 20]


def test_a_slow_answer_earns_nothing() -> None:
    slots, endpoint_id = Slots(total=100, endpoint_max=20), new_id()
    assert once(slots, endpoint_id, OK, seconds=3) == 4


def test_overload_halves_and_silence_leaves_one() -> None:
    slots, endpoint_id = Slots(total=100, endpoint_max=16), new_id()
    assert [once(slots, endpoint_id, answer) for answer in (OK, OK, BUSY, BUSY, DEAD, BUSY, OK)] == [
        8,
        16,
        8,
        4,
        1,
        1,
        2,
    ]


def test_endpoints_that_do_not_answer_share_one_half() -> None:
    slots = Slots(total=10, endpoint_max=4)
    proved, dead = new_id(), [new_id() for _ in range(5)]
    once(slots, proved, OK)
    for endpoint_id in dead:
        once(slots, endpoint_id, DEAD)
        slots.take(endpoint_id, tenant_id="t")
    assert slots.free == 5
    assert slots.for_unknown == 0
    assert {slots.for_known()[endpoint_id] for endpoint_id in dead} == {0}
    assert slots.for_known()[proved] == 4


def test_attempts_in_progress_change_halves_with_their_endpoint() -> None:
    slots, endpoint_id = Slots(total=4, endpoint_max=4), new_id()
    for _ in range(3):
        slots.take(endpoint_id, tenant_id="t")
    assert slots.for_unknown == 0
    slots.give_back(endpoint_id, OK, tenant_id="t", seconds=0)
    assert slots.for_unknown == 4
    slots.give_back(endpoint_id, DEAD, tenant_id="t", seconds=0)
    slots.give_back(endpoint_id, None, tenant_id="t", seconds=0)
    assert slots.in_flight == 0
    assert slots.for_unknown == 4


def test_endpoints_in_progress_are_never_forgotten_and_others_are_bounded() -> None:
    slots, busy = Slots(total=10_000, endpoint_max=4), new_id()
    slots.take(busy, tenant_id="t")
    for _ in range(3_000):
        slots.take(other := new_id(), tenant_id="t")
        slots.give_back(other, OK, tenant_id="t", seconds=0)
    assert len(slots.for_known()) == 2_000
    assert slots.for_known()[busy] == 3


def test_a_process_with_one_slot_still_works() -> None:
    slots = Slots(total=1, endpoint_max=1)
    assert slots.free == slots.for_unknown == 1
