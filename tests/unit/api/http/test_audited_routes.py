"""What the audit log calls a change is declared by its route, and stands nowhere else."""

import ast
from pathlib import Path

from services.api.http.controllers import routes_of
from services.api.routing import resources
from tests.support.sources import files, nodes

ROOT = Path(__file__).parents[4]
RESOURCES = resources(is_local=True)
NOT_AUDITED = {
    "convertAmount": "computes, and changes nothing",
    "putImportPart": "sends a part of a file, of which nothing counts before it is complete, which is audited",
}
"""Routes that change nothing although they are no GET, with the reason."""


def test_every_route_that_changes_something_declares_its_action() -> None:
    silent = {
        str(handler.operation_id)
        for handler in routes_of(RESOURCES)
        if handler.http_methods - {"GET", "HEAD", "OPTIONS"}
        and not handler.opt["declaration"].audit
        and handler.opt["declaration"].change is None
    }
    assert silent == set(NOT_AUDITED)


def test_action_of_a_route_stands_in_its_declaration_alone() -> None:
    declarations = [handler.opt["declaration"] for handler in routes_of(RESOURCES)]
    actions = {each.audit for each in declarations if each.audit}
    actions |= {each.change.action for each in declarations if each.change is not None}
    assert len(actions) > 20
    repeated = []
    for file in files("services/api"):
        declared = {
            id(node)
            for call in nodes(file)
            if isinstance(call, ast.Call)
            for argument in (
                *call.args,
                *(keyword.value for keyword in call.keywords if keyword.arg in ("audit", "action")),
            )
            if isinstance(call.func, ast.Name) and call.func.id in ("operation", "Change")
            for node in ast.walk(argument)
        }
        repeated += [
            f"{file.name}: {node.value}"
            for node in nodes(file)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and any(node.value == action or node.value.startswith(f"{action}.") for action in actions)
            and id(node) not in declared
        ]
    # A login by an identity provider is a login without a route of the API; the other is an example of the documentation.
    assert sorted(repeated) == ["login.py: auth.login", "routes.py: payment_intent.create"]
