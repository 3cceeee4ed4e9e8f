"""Identifiers: ordered by time, and derived ones always the same."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from libs.common.ids import Minter, derived_id, first_id, new_id, parse_id, time_of_id


def test_new_ids_are_version_7_and_ascend() -> None:
    ids = [new_id() for _ in range(1000)]
    assert {i.version for i in ids} == {7}
    assert len(set(ids)) == 1000
    assert ids == sorted(ids)


def test_ids_ascend_while_the_clock_is_corrected_and_follow_a_wrong_one() -> None:
    minter, now, year = Minter(rewind_max=10_000), 1_900_000_000_000, 365 * 86_400_000
    corrected = [minter.mint(now + back) for back in (0, -1, -10_000, -5_000, 0, 1, -9_999)]
    assert corrected == sorted(set(corrected))
    ahead = minter.mint(now + year)
    after = [minter.mint(now + step) for step in range(3)]
    assert after == sorted(after)
    assert after[-1] < ahead
    assert [each.int >> 80 for each in after] == [now, now + 1, now + 2]


@given(st.integers(min_value=1, max_value=20_000_000_000_000_000))
def test_id_of_a_given_clock_has_its_time(microseconds: int) -> None:
    at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)
    ids = [new_id(at) for _ in range(20)]
    assert {i.version for i in ids} == {7}
    assert {i.variant for i in ids} == {uuid4().variant}
    assert ids == sorted(set(ids))
    assert all(timedelta(0) <= at - time_of_id(i) < timedelta(milliseconds=1) for i in ids)
    assert first_id(at) <= ids[0]
    assert ids[-1] < first_id(at + timedelta(milliseconds=1))


def test_ids_of_turned_and_real_clocks_never_meet() -> None:
    now = datetime.now(UTC)
    ids = [new_id(at) for _ in range(500) for at in (now, now + timedelta(days=400), None)]
    assert len(set(ids)) == len(ids)


@given(st.uuids(), st.text(max_size=20), st.text(max_size=20))
def test_derived_id_depends_on_source_and_purpose_alone(source: UUID, purpose: str, other: str) -> None:
    derived = derived_id(source, purpose)
    assert derived == derived_id(source, purpose)
    assert derived.version == 7
    assert derived.bytes[:6] == source.bytes[:6]
    assert (derived == derived_id(source, other)) == (purpose == other)


def test_only_the_usual_form_is_read() -> None:
    some = uuid4()
    assert parse_id(str(some)) == some
    for text in ("", "x", some.hex, f"{{{some}}}", f"urn:uuid:{some}", "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz"):
        assert parse_id(text) is None
