"""Places of pages travel as text, and only such text is read."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.cursors import cursor_bytes, cursor_text, instant_bytes, instant_from

pytestmark = pytest.mark.unit


@given(st.binary(max_size=64))
def test_place_is_read_as_it_was_written_with_and_without_padding(place: bytes) -> None:
    text = cursor_text(place)
    assert "=" not in text
    assert cursor_bytes(text) == cursor_bytes(text + "=" * (-len(text) % 4)) == place
    assert cursor_bytes(text, length=len(place)) == place


@given(st.datetimes(timezones=st.just(UTC)))
def test_instant_is_read_as_it_was_written_to_the_microsecond(instant: datetime) -> None:
    assert len(instant_bytes(instant)) == 8
    assert instant_from(instant_bytes(instant)) == instant


@pytest.mark.parametrize("text", ["A", "!!!!", "é" * 4, "AA AA", "AAAA=", "AA==="])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        cursor_bytes(text)


def test_place_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="24 bytes"):
        cursor_bytes(cursor_text(b"x" * 23), length=24)


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 253_402_300_800_000_000])
def test_instant_beyond_the_calendar_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        instant_from(number.to_bytes(8, signed=True))
