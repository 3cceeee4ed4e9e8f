"""An OpenAPI document without repetition: what is so by default is left out, and what is common stands in its components."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from http import HTTPStatus
from typing import Any

from libs.common.web.problems import MEDIA_TYPE

_SHORT_CODES = 2
"""With so many codes of its own at most, a response is named after them; else after the operation that comes first."""

type Place = tuple[Any, Any]
"""A mapping or list of the document, and the key or index of what stands there."""


def share(spec: dict[str, Any], *, common: frozenset[str]) -> None:
    """Move the responses and parameters that occur more than once into the components of a document.

    Args:
        spec: the document, which is changed.
        common: codes of problems that many operations answer with, which name no response.
    """

    def response_name(status: str, response: dict[str, Any], operation_id: str) -> str:
        phrase = HTTPStatus(int(status)).phrase.title().replace(" ", "").replace("-", "")
        problem = response.get("content", {}).get(MEDIA_TYPE)
        if problem is None:
            return phrase + _pascal(operation_id)
        own = [code for code in problem["schema"]["properties"]["code"]["enum"] if code not in common]
        return phrase + ("".join(map(_pascal, own)) if len(own) <= _SHORT_CODES else _pascal(operation_id))

    def parameter_name(_: Any, parameter: dict[str, Any], __: str) -> str:
        return _pascal(parameter["name"])

    responses = spec["components"]["responses"]
    parameters = spec["components"].setdefault("parameters", {})
    _move(_responses(spec), "responses", responses, response_name)
    _move(_parameters(spec), "parameters", parameters, parameter_name)


def name_choice(spec: dict[str, Any], name: str, description: str, choice: list[dict[str, Any]]) -> None:
    """Move a choice of types into the schemas of a document under a name, wherever it is the type of a member.

    Generators make a type of their own for it, which they would name after the first member that has it.
    """
    schemas, named = spec["components"]["schemas"], {"description": description, "oneOf": choice}
    for schema in schemas.values():
        members = schema.get("properties", {})
        for member in [member for member, described in members.items() if described == named]:
            members[member] = {"$ref": f"#/components/schemas/{name}"}
    schemas[name] = named


def name_tagged(spec: dict[str, Any]) -> None:
    """Move each choice of structs that a tag tells apart into the schemas of a document, under the name of its member.

    Exactly one of them applies: `oneOf`, of which generators make a union, as they do not of `anyOf`.
    """
    schemas = spec["components"]["schemas"]
    for schema in list(schemas.values()):
        for member, described in schema.get("properties", {}).items():
            for index, part in enumerate(described.get("anyOf", ())):
                if "discriminator" in part:
                    name = _pascal(member)
                    part["oneOf"] = part.pop("anyOf")
                    if schemas.setdefault(name, part) != part:
                        raise ValueError(f"{name} names two things")
                    described["anyOf"][index] = {"$ref": f"#/components/schemas/{name}"}


def leave_out_defaults(spec: dict[str, Any]) -> None:
    """Remove what OpenAPI takes to be so where it is left out, and titles of schemas that repeat their names.

    A member that may be null has no `default: null` either: its type says so, and generators would require the member.
    """
    for _, operation in _operations(spec):
        for described in (operation, *operation.get("parameters", ())):
            for name in ("deprecated", "required"):
                if described.get(name) is False:
                    del described[name]
    for name, schema in spec["components"]["schemas"].items():
        if schema.get("title") == name:
            del schema["title"]
        for member in schema.get("properties", {}).values():
            if member.get("default", ...) is None:
                del member["default"]


def _operations(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for group in ("paths", "webhooks"):
        # In an order of its own, after which shared parts are named.
        for _, methods in sorted(spec.get(group, {}).items()):
            for _, operation in sorted(methods.items()):
                yield operation["operationId"], operation


def _responses(spec: dict[str, Any]) -> list[tuple[str, Place]]:
    return [
        (named, (one["responses"], status))
        for named, one in _operations(spec)
        for status in one["responses"]
        if status.isdigit()
    ]


def _parameters(spec: dict[str, Any]) -> list[tuple[str, Place]]:
    return [
        (named, (one["parameters"], index))
        for named, one in _operations(spec)
        for index in range(len(one.get("parameters", ())))
    ]


def _move(
    places: list[tuple[str, Place]],
    group: str,
    shared: MutableMapping[str, Any],
    name_of: Callable[[Any, dict[str, Any], str], str],
) -> None:
    texts = [json.dumps(holder[key], sort_keys=True) for _, (holder, key) in places]
    times = Counter(texts)
    names = {json.dumps(part, sort_keys=True): name for name, part in shared.items()}
    for (operation_id, (holder, key)), text in zip(places, texts, strict=True):
        part = holder[key]
        if "$ref" in part or (times[text] == 1 and text not in names):
            continue
        if text not in names:
            name = name_of(key, part, operation_id)
            # Two that differ have the same name of their own only where one of them is a variant of this operation.
            names[text] = name if name not in shared else name + _pascal(operation_id)
            if names[text] in shared:
                raise ValueError(f"{names[text]} names two things")
            shared[names[text]] = part
        holder[key] = {"$ref": f"#/components/{group}/{names[text]}"}


def _pascal(text: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in text.replace("-", "_").split("_"))


__all__ = ["leave_out_defaults", "name_choice", "name_tagged", "share"]
