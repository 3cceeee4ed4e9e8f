"""Correlation ids, from outside and onwards."""

import re
from contextvars import Context

import pytest

from libs.common.observability.correlation import (
    Correlation,
    accept_correlation_id,
    adopt,
    correlated,
    current,
)


@pytest.mark.parametrize("candidate", ["a", "x" * 64, "4be3c5a8-f0d9-4f0c-8f3f-6c6f6a3c2b10"])
def test_acceptable_id_is_kept(candidate: str) -> None:
    assert accept_correlation_id(candidate) == candidate


@pytest.mark.parametrize("candidate", [None, "", "x" * 65, "with space", "line\nbreak", "ünicode", "\x00"])
def test_unacceptable_id_is_replaced(candidate: str | None) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", accept_correlation_id(candidate))


def test_block_carries_its_correlation_and_restores_the_one_before() -> None:
    outer = Correlation(correlation_id="outer")
    adopt(outer)
    with correlated(Correlation(correlation_id="inner")):
        assert current().correlation_id == "inner"
    assert current() is outer


def test_work_that_nobody_requested_has_an_id_and_no_trace() -> None:
    def begun() -> Correlation:
        assert current() is current()
        return current()

    found = Context().run(begun)
    assert re.fullmatch(r"[0-9a-f]{32}", found.correlation_id)
    assert found.traceparent == ""
