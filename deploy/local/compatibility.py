"""What others rely on: the schema of every message version in `docs/contracts/`, and a digest of the OpenAPI document.

One rule for both: a member may be added, and so may a value of a closed list; a member that is removed, renamed or retyped
breaks whoever reads it, and a new member that is required breaks whoever sends the body of before. `just docs` writes what
is new, and refuses to take out what stands there; docs/compatibility.md has the policy.
"""

import hashlib
import inspect
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from deploy.local.errors import LocalFailure
from deploy.local.json_documents import choices_written_out, laid_out, operations, resolved, schemas_in_requests
from deploy.local.layout import ROOT
from libs.common.contracts import REGISTRY, Message
from libs.common.contracts.base import Kind
from libs.common.contracts.shapes import sample, schemas

FOLDER = ROOT / "docs" / "contracts"
OPENAPI = "openapi.json"
"""The digest of the OpenAPI document, in that folder."""
_DIGITS = 8
"""Of the digest of one field: enough that two types of one field never have the same."""
_FREE = frozenset({"description", "default", "title", "example", "examples", "$id", "$schema"})
"""What may change freely."""

type Document = Mapping[str, Any]
type Fields = dict[str, str]
"""A type's members and values, by name: a digest of the type, with `!` where it is required."""
type Shape = dict[str, Fields]
"""The parts of one message or operation, by name."""


def files(openapi: Document) -> dict[Path, str]:
    """Return every file of the folder as it is now; `openapi` is the OpenAPI document.

    Raises:
        LocalFailure: naming what somebody relies on and would not be there any more.
    """
    now, before = messages(), known_messages()
    shapes = openapi_shapes(openapi)
    if broken := [*message_breaks(before, now), *breaks(known_openapi(), shapes, read=only_read(openapi))]:
        raise LocalFailure("\n".join([*broken, "See docs/compatibility.md, also for what is in no release yet."]))
    texts = {FOLDER / name: laid_out(document) for name, document in now.items()}
    return texts | {FOLDER / OPENAPI: laid_out(shapes)}


def known_files() -> set[Path]:
    """Return every file of the folder as it is committed."""
    return set(FOLDER.rglob("*.json"))


def messages() -> dict[str, Document]:
    """The schema of each message and reply as it is now, by the name of its file: `api/event.payment.settled.v1.json`."""
    found: dict[str, Document] = {}
    for message in REGISTRY.values():
        contract = message.contract
        name = f"{contract.owner}/{contract.kind}.{contract.name}"
        found[f"{name}.v{_version(message)}.json"] = _document(message, message, message.example)
        if contract.kind is Kind.REQUEST and contract.reply is not None:
            found[f"{name}.reply.v1.json"] = _document(contract.reply, message, None)
    return dict(sorted(found.items()))


def _version(message: type[Message]) -> int:
    """A public event says its version; what travels inside has the first for ever."""
    version = next((f.default for f in msgspec.structs.fields(message) if f.name == "version"), 1)
    return version if message.contract.public and isinstance(version, int) else 1


def _document(kind: type[Any], message: type[Message], example: Any) -> Document:
    (reference,), parts = schemas([kind])
    contract = message.contract
    root = reference["$ref"].rpartition("/")[2]
    whole = parts.pop(root) if not _refers_to(parts, root) else dict(reference)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "title": kind.__name__,
        "description": " ".join((inspect.getdoc(kind) or kind.__name__).split()),
        "x-name": contract.name,
        "x-kind": str(contract.kind),
        "x-public": contract.public,
        "x-published-by": sorted(contract.published_by),
        "x-handled-by": sorted(contract.handled_by),
        "examples": [sample(reference, {**parts, root: whole}) if example is None else example],
        **({"$defs": parts} if parts else {}),
    }
    # As it reads from the file: examples and defaults have tuples.
    read: Document = json.loads(json.dumps(document))
    return read


def _refers_to(parts: Mapping[str, Any], name: str) -> bool:
    return f'"#/$defs/{name}"' in json.dumps(parts)


def known_messages() -> dict[str, Document]:
    """The schemas as they are committed, those of earlier versions among them."""
    found = sorted(FOLDER.glob("*/*.json"))
    return {file.relative_to(FOLDER).as_posix(): json.loads(file.read_text()) for file in found}


def message_breaks(before: Mapping[str, Document], now: Mapping[str, Document]) -> list[str]:
    """Return how the schemas of now break those of before; one of an earlier version stays as it is."""
    found: list[str] = []
    for name, old in before.items():
        new = now.get(name)
        if new is None:
            if not any(_stem(other) == _stem(name) for other in now):
                found.append(f"{name} is gone")
            continue
        found += [f"{name} is no longer handled by {s}" for s in old["x-handled-by"] if s not in new["x-handled-by"]]
        if old["x-public"] and not new["x-public"]:
            found.append(f"{name} is no longer public")
    same = {name: message_shape(old) for name, old in before.items() if name in now}
    return found + breaks(same, {name: message_shape(now[name]) for name in same})


def _stem(name: str) -> str:
    return name.rpartition(".v")[0]


def message_shape(document: Document) -> Shape:
    """The parts of a message's schema: its own, and each that it refers to."""
    parts = {document["title"]: document, **document.get("$defs", {})}
    return {name: fields_of(part) for name, part in parts.items()}


def known_openapi() -> dict[str, Shape]:
    """The digest of the OpenAPI document as it is committed."""
    file = FOLDER / OPENAPI
    found: dict[str, Shape] = json.loads(file.read_text()) if file.exists() else {}
    return found


def openapi_shapes(openapi: Document) -> dict[str, Shape]:
    """The parts of each operation and webhook, and the fields of each schema that they refer to."""
    openapi = choices_written_out(openapi)
    found: dict[str, Shape] = {}
    for method, path, operation in operations(openapi):
        found[f"{method.upper()} {path}"] = _operation(openapi, operation)
    for name, methods in openapi.get("webhooks", {}).items():
        found[f"webhook {name}"] = _operation(openapi, methods["post"])
    schemas_of = openapi["components"]["schemas"]
    found |= {f"schema {name}": {"members": fields_of(part)} for name, part in schemas_of.items()}
    return dict(sorted(found.items()))


def _operation(openapi: Document, operation: Document) -> Shape:
    parameters = [resolved(openapi, part) for part in operation.get("parameters", ())]
    shape: Shape = {
        "parameters": dict(
            field
            for p in parameters
            for field in _field(f"{p['in']} {p['name']}", p["schema"], is_required=p.get("required", False))
        )
    }
    if "requestBody" in operation:
        body = operation["requestBody"]
        shape["body"] = dict(_contents(body["content"], is_required=body.get("required", False)))
    for status, response in operation["responses"].items():
        # Which problems there are is named by their codes, of which new ones come.
        if status.startswith("2"):
            shape[f"answer {status}"] = dict(_contents(resolved(openapi, response).get("content", {})))
    return shape


def _contents(content: Mapping[str, Any], *, is_required: bool = False) -> Iterator[tuple[str, str]]:
    for media_type, part in content.items():
        yield from _field(media_type, part.get("schema", {}), is_required=is_required)


def fields_of(schema: Document) -> Fields:
    """The members of an object, or the type itself of anything else."""
    if "properties" not in schema:
        return dict(_field("value", {k: v for k, v in schema.items() if k != "$defs"}, is_required=False))
    required = schema.get("required", ())
    members = sorted(schema["properties"].items())
    return dict(field for name, part in members for field in _field(name, part, is_required=name in required))


def _field(name: str, schema: Any, *, is_required: bool) -> Iterator[tuple[str, str]]:
    """One member, and each value of the closed lists in it: one more value changes no type."""
    values: list[str] = []
    text = json.dumps(_bare(schema, values), sort_keys=True)
    yield name, hashlib.sha256(text.encode()).hexdigest()[:_DIGITS] + ("!" if is_required else "")
    for value in sorted(values):
        yield f"{name}={value}", ""


def _bare(schema: Any, values: list[str]) -> Any:
    if isinstance(schema, list):
        return [_bare(part, values) for part in schema]
    if not isinstance(schema, dict):
        return schema
    values += [str(value) for value in schema.get("enum", ())]
    free = {name for name in schema if name in _FREE or name.startswith("x-") or name == "enum"}
    return {name: _bare(part, values) for name, part in schema.items() if name not in free}


def only_read(openapi: Document) -> frozenset[str]:
    """Name the shapes of schemas that clients read and never send: they may have more, and must not have less."""
    only = openapi["components"]["schemas"].keys() - schemas_in_requests(openapi)
    return frozenset(f"schema {name}" for name in only)


def breaks(before: Mapping[str, Shape], now: Mapping[str, Shape], *, read: Collection[str] = ()) -> list[str]:
    """Return how `now` breaks what `before` promised, each with the name of the field; empty when it does not.

    Of what is in `read`, of answers and of webhooks, a member that was always there must not be missing sometimes; of
    everything else no member may be required that was not.
    """
    found: list[str] = []
    for name, parts in before.items():
        if name not in now:
            found.append(f"{name} is gone")
            continue
        for part in parts.keys() | now[name].keys() & {"body"}:
            if part not in now[name]:
                found.append(f"{name}: {part} is gone")
                continue
            is_read = name in read or name.startswith("webhook ") or part.startswith("answer ")
            found += [
                f"{name}: {part}.{f}" for f in _differences(parts.get(part, {}), now[name][part], is_read=is_read)
            ]
    return sorted(found)


def _differences(old: Fields, new: Fields, *, is_read: bool) -> Iterator[str]:
    for field, digest in old.items():
        if field not in new:
            yield f"{field} is gone"
        elif new[field].rstrip("!") != digest.rstrip("!"):
            yield f"{field} has another type"
        elif is_read and digest.endswith("!") and not new[field].endswith("!"):
            yield f"{field} may be missing now"
    if not is_read:
        for field, digest in new.items():
            if digest.endswith("!") and not old.get(field, "").endswith("!"):
                yield f"{field} is required now"


__all__ = [
    "FOLDER",
    "OPENAPI",
    "Document",
    "Shape",
    "breaks",
    "files",
    "known_files",
    "known_messages",
    "known_openapi",
    "message_breaks",
    "message_shape",
    "messages",
    "only_read",
    "openapi_shapes",
]
