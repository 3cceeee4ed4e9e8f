"""One registry of problems: what the code may raise, what the documents list and what is committed are the same."""

import ast
import inspect
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.errors import PlatformError
from services.api import errors
from services.api.access import jwks
from services.api.http.problems import _KINDS, PROBLEMS, Kind, reference
from services.api.rate_limit import store

ROOT = Path(__file__).parents[4]
INTERNAL = {"payment_intent_too_early", "contradictory_outcome", "access_denied", "tenant_refused"}
"""Seen by consumers only, or always raised under a more exact code."""


def raised() -> Iterator[tuple[str, str]]:
    """Every code that is written down as the code of a refusal, and where."""
    for file in (ROOT / "services/api").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            first = node.args[0] if node.args else None
            if name == "refusal" and isinstance(first, ast.Constant):
                yield str(first.value), file.name
            for keyword in node.keywords:
                known = keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
                if known and name in {"HttpProblem", "TenantRefused", "Unavailable", "Invalid", "unauthorized"}:
                    assert isinstance(keyword.value, ast.Constant)
                    yield str(keyword.value.value), file.name


def leaves() -> Iterator[str]:
    for module in (errors, jwks, store):
        for _, leaf in inspect.getmembers(module, inspect.isclass):
            if issubclass(leaf, PlatformError) and leaf.__module__ == module.__name__:
                yield leaf.code


def test_every_code_that_is_raised_is_registered() -> None:
    written = dict(raised())
    assert len(written) >= 20
    assert {code: file for code, file in written.items() if code not in PROBLEMS} == {}
    assert set(leaves()) - INTERNAL - set(PROBLEMS) == set()


def test_no_code_is_registered_twice() -> None:
    assert [code for code, times in Counter(kind.code for kind in _KINDS).items() if times > 1] == []


def test_the_committed_reference_is_the_registry() -> None:
    assert (ROOT / "docs/errors.md").read_text() == reference(), "run `just docs`"


@pytest.mark.parametrize("kind", PROBLEMS.values(), ids=lambda kind: kind.code)
def test_every_kind_is_explained(kind: Kind) -> None:
    assert kind.code == kind.code.lower()

    assert 400 <= kind.status < 600
    for sentence in (kind.meaning, kind.remedy):
        assert sentence.endswith((".", "?"))
