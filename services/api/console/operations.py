"""What the console can do: the operations of the REST API, as their routes declare them, and the forms of their bodies."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote

import msgspec

from libs.common.web.errors import RouteNotFound
from services.api.http.controllers import Declaration, Resource, routes_of

_NAMED = re.compile(r"\{(\w+)(?::\w+)?\}")


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the API."""

    id: str
    method: str
    path: str
    """The path, with the names of its parameters in braces."""
    summary: str
    """What it is called, in English."""
    declaration: Declaration

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters of its path."""
        return tuple(_NAMED.findall(self.path))

    @property
    def is_reading(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET"

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the path with its parameters.

        Raises:
            KeyError: for a parameter that is not given.
            RouteNotFound: for one that is no segment of a path, by which another operation would be carried out.
        """
        return _NAMED.sub(lambda found: _segment(values[found[1]]), self.path)


_HEALTH = Operation(
    id="readyz", method="GET", path="/readyz", summary="Can the service do its work?", declaration=Declaration()
)
"""What the api answers about itself, which is no resource."""


class Operations:
    """Every operation of the API, by its id; the document about their bodies is made when it is needed first."""

    def __init__(self, resources: Sequence[type[Resource]], document: Callable[[], dict[str, Any]]) -> None:
        self._by_id = {
            str(handler.operation_id): Operation(
                id=str(handler.operation_id),
                method=next(iter(handler.http_methods - {"HEAD", "OPTIONS"})),
                path=_NAMED.sub(r"{\1}", next(iter(handler.paths))),
                summary=handler.summary or "",
                declaration=handler.opt["declaration"],
            )
            for handler in routes_of(resources)
        } | {_HEALTH.id: _HEALTH}
        self._write = document

    def __iter__(self) -> Any:
        return iter(self._by_id.values())

    def __contains__(self, operation_id: str) -> bool:
        return operation_id in self._by_id

    def __getitem__(self, operation_id: str) -> Operation:
        return self._by_id[operation_id]

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document; the first time takes a tenth of a second and more, so read it in a thread."""
        return self._write()

    def reading(self, path: str) -> Operation | None:
        """Return the operation that a GET of a path is, parameters in braces."""
        return next((one for one in self if one.is_reading and one.path == path), None)

    def above(self, operation: Operation) -> Operation | None:
        """Return the operation that reads the one thing that `operation` changes: the GET of the path above it."""
        path = operation.path.rpartition("/")[0] if not operation.path.endswith("}") else operation.path
        return self.reading(path)

    def body(self, operation: Operation) -> Mapping[str, Any] | None:
        """Return the JSON Schema of the body, references not followed; None where it has none."""
        described = self.document["paths"][operation.path][operation.method.lower()]
        content = self.followed(described.get("requestBody", {})).get("content", {})
        schema: Mapping[str, Any] | None = content.get("application/json", {}).get("schema")
        return schema

    def followed(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow the references of a part of the document."""
        while "$ref" in schema:
            found: Any = self.document
            for step in schema["$ref"].split("/")[1:]:
                found = found[step]
            schema = found
        return schema


def _segment(value: str) -> str:
    # The router reads the path with its escapes resolved, and what is empty as the path above.
    if value in {"", ".", ".."} or "/" in value:
        raise RouteNotFound
    return quote(value, safe="-_.~:@")
