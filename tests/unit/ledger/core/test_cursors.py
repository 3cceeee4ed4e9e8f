"""Cursors hold where a page ended, and nothing else passes for one."""

from contextlib import nullcontext
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.ledger_errors import QueryInvalid
from services.ledger.core import checked_limit, read_cursor, write_cursor


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_is_read_as_it_was_written(posted_at: datetime, entry_id: UUID) -> None:
    assert read_cursor(write_cursor(posted_at, entry_id)) == (posted_at, entry_id)


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!!", "AAAA", "é" * 32, "f" * 32 + "=", "f_________8AAAAAAAAAAAAAAAAAAAAA"]
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(QueryInvalid):
        read_cursor(cursor)


@pytest.mark.parametrize(("limit", "is_good"), [(0, False), (1, True), (200, True), (201, False), (-(2**63), False)])
def test_page_has_one_item_at_least_and_no_more_than_it_may(limit: int, is_good: bool) -> None:
    with nullcontext() if is_good else pytest.raises(QueryInvalid, match="limit must be 1 to 200"):
        assert checked_limit(limit, 200) == limit
