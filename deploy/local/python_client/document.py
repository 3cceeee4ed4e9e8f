"""An OpenAPI document, as Python: its schemas as types, its operations as what methods need."""

import keyword
import re
from collections.abc import Iterator, Mapping

import msgspec

from deploy.local.json_documents import Json, choices_written_out, operations, resolved, schemas_in_requests

_LEFT_OUT = {"Prefer", "Idempotency-Key", "X-Tenant-Id", "X-Correlation-Id", "format"}
"""Parameters that the client sets itself; `format` asks for another answer than one in JSON."""
_LISTED = ("data", "lines", "items")
"""Members that hold the items of a page."""
SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_FORMATS = {"uuid": "UUID | str", "date-time": "datetime | str", "date": "date | str"}
"""What parameters may be given as; answers have ids and instants as text, all alike."""


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter in the path or the query."""

    name: str
    place: str
    python: str
    type: str
    is_required: bool


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation, as it becomes a method."""

    id: str
    method: str
    path: str
    about: str
    parameters: tuple[Parameter, ...]
    body: str
    """The type of the body; empty: there is none."""
    needs_body: bool
    """Whether it says anything that must be about; `{}` is sent otherwise."""
    content_type: str
    has_key: bool
    has_prefer: bool
    reads: str
    item: str
    """The type of an item, of what comes in pages; empty otherwise."""
    items: str
    """The member that holds the items; empty: the answer is their list."""

    @property
    def name(self) -> str:
        """The name of its method."""
        return snake(self.id)

    @property
    def constant(self) -> str:
        """The name of what describes it."""
        return f"_{self.name.upper()}"


class Document:
    """An OpenAPI document."""

    def __init__(self, document: Json) -> None:
        self._document = document = choices_written_out(document)
        schemas = document["components"]["schemas"]
        self.schemas: Mapping[str, Json] = {name: schema for name, schema in schemas.items() if "oneOf" not in schema}
        self.sent = schemas_in_requests(document)
        """The schemas that requests are made of."""

    def webhooks(self) -> Iterator[tuple[str, Json]]:
        """Yield each event that endpoints receive, with an example of its body, by name."""
        for name, methods in sorted(self._document["webhooks"].items()):
            content = methods["post"]["requestBody"]["content"]["application/json"]
            yield name, content["examples"]["one"]["value"]

    def type_of(self, schema: Json, prefix: str = "") -> str:
        """Return the type of a schema; classes of the document with a prefix."""
        if "$ref" in schema:
            name = class_name(schema["$ref"].rpartition("/")[2])
            return f"{prefix}{name}"
        if "allOf" in schema:
            return self.type_of(schema["allOf"][0], prefix)
        if "anyOf" in schema or "oneOf" in schema:
            kinds = [each for each in schema.get("anyOf") or schema["oneOf"] if each.get("const") != ""]
            names = [self.type_of(each, prefix) for each in kinds]
            if {"float", "str"} <= {*names}:
                names = ["Amount", *(name for name in names if name not in ("float", "str"))]
            return " | ".join(dict.fromkeys(names))
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(self.type_of({**schema, "type": each}, prefix) for each in kind)
        if kind == "array":
            return f"list[{self.type_of(schema.get('items', {}), prefix)}]"
        if kind == "object":
            more = schema.get("additionalProperties")
            return f"dict[str, {self.type_of(more, prefix)}]" if isinstance(more, dict) and more else "dict[str, Any]"
        if kind is None:
            return "str" if "enum" in schema or "const" in schema else "Any"
        return "bytes" if schema.get("format") == "binary" else SCALARS[kind]

    def _parameter_type(self, schema: Json) -> str:
        one = next((each for each in schema.get("anyOf", ()) if each.get("const") != ""), schema)
        return _FORMATS.get(one.get("format", "")) or self.type_of(schema, "models.")

    def operations(self) -> Iterator[Operation]:
        """Yield every operation of `/v1`."""
        for method, path, described in operations(self._document):
            if path.startswith("/v1/"):
                yield self._operation(path, method, described)

    def _operation(self, path: str, method: str, described: Json) -> Operation:
        given = [self._resolved(each) for each in described.get("parameters", ())]
        names = {each["name"] for each in given}
        # Some answer without a body.
        successes = [self._resolved(each) for code, each in sorted(described["responses"].items()) if code[0] == "2"]
        contents = [each.get("content", {}) for each in successes]
        schema = next((each["application/json"]["schema"] for each in contents if "application/json" in each), None)
        reads = self.type_of(schema, "models.") if schema else ("bytes" if any(contents) else "None")
        content: Json = self._resolved(described.get("requestBody", {})).get("content", {})
        content_type = next(iter(content), "application/json")
        body = self.type_of(content[content_type].get("schema", {}), "models.") if content else ""
        if body == "models.NoMembers":
            body = ""
        is_listed = "cursor" in names and schema is not None
        items, item = self._listed(schema) if is_listed else ("", "")
        return Operation(
            id=described["operationId"],
            method=method.upper(),
            path=path,
            about=f"{described.get('summary', '')}.\n\n{described.get('description', '')}".replace("..", "."),
            parameters=tuple(
                Parameter(
                    name=each["name"],
                    place=each["in"],
                    python=python_name(each["name"]),
                    type=self._parameter_type(each["schema"]),
                    is_required=bool(each.get("required")),
                )
                for each in given
                if each["name"] not in _LEFT_OUT and each["in"] in ("path", "query")
            ),
            body=body,
            needs_body=bool(body) and (body == "bytes" or self._has_required(content[content_type]["schema"])),
            content_type=content_type,
            has_key="Idempotency-Key" in names,
            has_prefer="Prefer" in names,
            reads=reads,
            item=item,
            items=items,
        )

    def _has_required(self, schema: Json) -> bool:
        return bool(self._resolved(schema).get("required"))

    def _listed(self, schema: Json) -> tuple[str, str]:
        if schema.get("type") == "array":
            return "", self.type_of(schema["items"], "models.")
        members = self._resolved(schema)["properties"]
        name = next(each for each in _LISTED if each in members)
        return name, self.type_of(members[name]["items"], "models.")

    def _resolved(self, described: Json) -> Json:
        return resolved(self._document, described)

    def refusals(self) -> Iterator[tuple[int, Json]]:
        """Yield every answer that is not a success, with its status."""
        for _, _, described in operations(self._document):
            for status, answer in described["responses"].items():
                if status[0] in "45":
                    yield int(status), self._resolved(answer)


def class_name(name: str) -> str:
    """Return the class of a schema; one that has its module in its name has it in its class."""
    parts = name.split(".")
    return name if len(parts) == 1 else "".join(pascal(part) for part in parts[-3:-1]) + parts[-1]


def pascal(name: str) -> str:
    """Return a name in snake case as that of a class."""
    return "".join(part.capitalize() for part in name.split("_"))


def snake(name: str) -> str:
    """Return a name in camel case as that of a method."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def python_name(name: str) -> str:
    """Return the name of an argument."""
    made = snake(name).replace("-", "_")
    return f"{made}_" if keyword.iskeyword(made) else made


def constant_name(value: str) -> str:
    """Return the name of a member of an enum."""
    made = re.sub(r"\W", "_", value).upper()
    return f"{made}_" if keyword.iskeyword(made) or made[:1].isdigit() else made
