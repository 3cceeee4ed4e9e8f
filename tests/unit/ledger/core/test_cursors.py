"""Cursors hold where a page ended, and nothing else passes for one."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.ledger_errors import QueryInvalid
from services.ledger.core import read_cursor, write_cursor


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_is_read_as_it_was_written(posted_at: datetime, entry_id: UUID) -> None:
    assert read_cursor(write_cursor(posted_at, entry_id)) == (posted_at, entry_id)


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!!", "AAAA", "é" * 32, "f" * 32 + "=", "f_________8AAAAAAAAAAAAAAAAAAAAA"]
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(QueryInvalid):
        read_cursor(cursor)
