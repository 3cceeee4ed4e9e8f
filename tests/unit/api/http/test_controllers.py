"""Every route is a method of a controller and declares what it needs, takes, changes and answers."""

import re

import pytest
from litestar.handlers import HTTPRouteHandler

from libs.common.contracts.base import REGISTRY
from services.api.app import build
from services.api.http.controllers import Declaration, Resource, bound, routes_of
from services.api.routing import RESOURCES, resources
from services.api.settings import Settings

OFFERED = resources(is_local=True)
ROUTES = routes_of(OFFERED)
OPEN = {"createToken"}
"""What nobody needs a token for."""
CHANGED_HERE = {
    *("createCustomer", "changeCustomer", "deleteCustomer"),
    *("createPaymentIntent", "confirmPaymentIntent", "capturePaymentIntent", "voidPaymentIntent"),
    *(
        "refundPaymentIntent",
        "createToken",
        "changePassword",
        "convertAmount",
        "putChaos",
        "setFeatureFlag",
        "clearFeatureFlag",
    ),
    *("createApiKey", "rotateApiKey", "revokeApiKey"),
    *("putTenant", "createUser", "changeUser", "putRole", "putPolicy"),
    *("putIdentityProvider", "deleteIdentityProvider"),
    "putImportPart",
}
"""Writes by which no other service is requested to change something."""


SHARED = {"PutImportSource": "adds a source under a new id, or replaces one"}
"""Requests that are the change of two routes, with the reason."""


def declaration_of(route: HTTPRouteHandler) -> Declaration:
    found: Declaration = route.opt["declaration"]
    return found


def test_every_served_route_of_the_api_is_declared() -> None:
    served = {
        (method, path)
        for route in build(Settings()).app.routes
        for handler in getattr(route, "route_handlers", ())
        for method in handler.http_methods - {"OPTIONS", "HEAD"}
        for path in handler.paths
        if path.startswith("/v1/")
    }
    assert served == {(method, path) for route in ROUTES for method in route.http_methods for path in route.paths}
    assert all(isinstance(declaration_of(route), Declaration) for route in ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.operation_id))
def test_declaration_is_complete(route: HTTPRouteHandler) -> None:
    declared, name = declaration_of(route), str(route.operation_id)
    assert route.summary
    assert bool(declared.permission or declared.bearer) is (name not in OPEN)
    assert declared.answer is not None or declared.status == 204
    is_write = "GET" not in route.http_methods
    if not is_write:
        assert not declared.idempotent
        assert declared.key == ""
        assert declared.change is None
        return
    assert declared.idempotent is not bool(declared.key)
    assert (declared.change is None) is (name in CHANGED_HERE)


@pytest.mark.parametrize("route", [r for r in ROUTES if declaration_of(r).change], ids=lambda r: str(r.operation_id))
def test_change_names_its_action_and_target(route: HTTPRouteHandler) -> None:
    change = declaration_of(route).change
    assert change is not None
    owner, _, verb = change.action.partition(".")
    assert owner == ("platform" if change.others else change.request.contract.owner)
    assert {kind.contract.name for kind in change.others} <= {change.request.contract.name}
    assert re.fullmatch("[a-z]+(_[a-z]+)*", verb)
    assert bool(change.target) is not bool(change.subject)
    assert not change.target or change.target in change.request.__struct_fields__


def test_every_request_that_changes_something_is_the_change_of_one_route() -> None:
    declared = [change for route in ROUTES if (change := declaration_of(route).change)]
    changes = [kind for change in declared for kind in (change.request, *change.others)]
    assert {name for change in changes if changes.count(change) > 1 for name in [change.__name__]} == {*SHARED}
    assert set(changes) <= set(REGISTRY.values())


def test_routes_are_addressable_by_name() -> None:
    for resource in OFFERED:
        for name, member in vars(resource).items():
            if isinstance(member, HTTPRouteHandler):
                assert member.fn.__qualname__ == f"{resource.__name__}.{name}"


def test_resource_is_not_served_without_its_parts() -> None:
    class Needy(Resource):
        something: int

    with pytest.raises(KeyError, match="something"):
        bound(Needy, {"access": None, "clock": None})


def test_chaos_is_offered_locally_alone() -> None:
    assert resources(is_local=False) == RESOURCES
