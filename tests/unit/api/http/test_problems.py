"""The problems that the api answers with: each is a class, which routes declare, code raises and documents list."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.errors import PlatformError
from services.api.http.controllers import routes_of
from services.api.http.openapi import problems_of
from services.api.http.problems import PROBLEMS, reference
from services.api.routing import resources
from tests.support.sources import files, nodes

ROOT = Path(__file__).parents[4]
RESOURCES = resources(is_local=True)
OWNERS = {
    "libs.common.contracts.ledger_errors": ("services/ledger",),
    "libs.common.contracts.notifier.errors": ("services/notifier",),
    "libs.common.contracts.gateway_errors": ("services/gateway",),
}
"""Whose code raises the errors of a contract; all others are raised by the api itself, or by what it is built of."""
BY_THE_FRAMEWORK = {"route_not_found", "method_not_allowed", "internal_error", "invalid_request"}
"""What `web/problems.py` makes of exceptions that are not ours."""


def used(folders: tuple[str, ...]) -> Iterator[str]:
    """Every name that code below some folders reads, but for what routes declare to refuse."""
    for file in files(*folders):
        refusals = [each.value for each in nodes(file) if isinstance(each, ast.keyword) and each.arg == "refusals"]
        refused = {id(name) for refusal in refusals for name in ast.walk(refusal)}
        yield from (name.id for name in nodes(file) if isinstance(name, ast.Name) and id(name) not in refused)


def declared() -> set[type[PlatformError]]:
    return {kind for handler in routes_of(RESOURCES) for kind in problems_of(handler.opt["declaration"])}


def test_what_routes_declare_is_registered() -> None:
    for handler in routes_of(RESOURCES):
        unknown = [kind for kind in handler.opt["declaration"].refusals if PROBLEMS.get(kind.code) is not kind]
        assert unknown == [], handler.operation_id


def test_what_routes_declare_is_raised_somewhere() -> None:
    names = {folders: set(used(folders)) for folders in {*OWNERS.values(), ("services/api", "libs/common")}}
    idle = {
        kind.code
        for kind in declared()
        if kind.__name__ not in names[OWNERS.get(kind.__module__, ("services/api", "libs/common"))]
    }
    assert len(declared()) > 90
    assert idle - BY_THE_FRAMEWORK == set()


def test_every_problem_is_of_a_route_a_page_or_precedes_routing() -> None:
    before = {"malformed_request", "duplicate_header", "request_too_slow", "url_too_long", "headers_too_large"}
    # Logins by an identity provider end on pages of the console.
    pages = {"login_not_begun", "identity_refused", "identity_unknown", "identity_provider_unavailable"}
    others = {*before, *pages, "route_not_found", "method_not_allowed"}
    assert set(PROBLEMS) - {kind.code for kind in declared()} == others


def test_the_committed_reference_is_the_registry() -> None:
    assert (ROOT / "docs/errors.md").read_text() == reference(), "run `just docs`"


@pytest.mark.parametrize("kind", PROBLEMS.values(), ids=lambda kind: kind.code)
def test_every_kind_is_explained(kind: type[PlatformError]) -> None:
    assert kind.code == kind.code.lower()

    assert 400 <= kind.status < 600
    for sentence in (kind.meaning(), kind.remedy):
        assert sentence.endswith((".", "?"))
