"""Correlation ids and trace context, from outside and onwards."""

import re

import pytest

from libs.common.observability.correlation import (
    Correlation,
    accept_correlation_id,
    adopt,
    child_traceparent,
    correlated,
    current,
)


@pytest.mark.parametrize("candidate", ["a", "x" * 64, "4be3c5a8-f0d9-4f0c-8f3f-6c6f6a3c2b10"])
def test_acceptable_id_is_kept(candidate: str) -> None:
    assert accept_correlation_id(candidate) == candidate


@pytest.mark.parametrize("candidate", [None, "", "x" * 65, "with space", "line\nbreak", "ünicode", "\x00"])
def test_unacceptable_id_is_replaced(candidate: str | None) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", accept_correlation_id(candidate))


def test_trace_is_continued_with_a_span_of_our_own() -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    child = child_traceparent(parent)
    assert child[:35] == parent[:35]
    assert child[36:52] != parent[36:52]
    assert child.endswith("-01")


@pytest.mark.parametrize("parent", [None, "", "garbage", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"])
def test_malformed_trace_starts_a_new_one(parent: str | None) -> None:
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", child_traceparent(parent))


def test_block_carries_its_correlation_and_restores_the_one_before() -> None:
    outer = Correlation(correlation_id="outer")
    adopt(outer)
    with correlated(Correlation(correlation_id="inner")):
        assert current().correlation_id == "inner"
    assert current() is outer
