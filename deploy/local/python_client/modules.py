"""The generated part of the Python client: models, errors by code and one method for each operation, from the OpenAPI document.

What is written by hand, `clients/python/payments_client/*.py`, sends the requests; here are only their names and types.
"""

import json
import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from deploy.local.json_documents import Json
from deploy.local.layout import ROOT
from deploy.local.python_client.document import (
    SCALARS,
    Document,
    Operation,
    Parameter,
    class_name,
    constant_name,
    pascal,
)

FOLDER = ROOT / "clients" / "python" / "payments_client" / "generated"
FILES = tuple(FOLDER / f"{name}.py" for name in ("__init__", "codes", "examples", "models", "operations"))
_WIDTH = 116
_BY_HAND = {"Problem", "Violation"}
"""Schemas that `problems.py` has."""
_BASES = {
    400: "BadRequest",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    422: "Unprocessable",
    429: "TooManyRequests",
}


def texts(document: str) -> dict[Path, str]:
    """Return the files of the generated part, by the document."""
    api = Document(json.loads(document))
    made = {"models": _models(api), "codes": _codes(api), "operations": _operations(api), "examples": _examples(api)}
    files = {FOLDER / f"{name}.py": _formatted(text) for name, text in made.items()}
    return {FOLDER / "__init__.py": '"""Made from the OpenAPI document by `just docs`."""\n', **files}


def _formatted(text: str) -> str:
    ruff = Path(sys.executable).parent / "ruff"
    command = [str(ruff), "format", "--stdin-filename", "made.py", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=60, cwd=ROOT).stdout


def _models(api: Document) -> str:
    """A class for each schema."""
    named = {name: class_name(name) for name in api.schemas if name not in _BY_HAND}
    classes = [_model(api, name, api.schemas[name]) for name in named]
    listed = "".join(f'    "{name}",\n' for name in sorted(named.values()))
    body = "\n\n".join(classes)
    return _module(
        "The schemas of the document.",
        body,
        {
            "typing": ("Any",),
            "msgspec": ("UNSET", "Struct", "UnsetType", "field"),
            "payments_client.values": ("Amount", "OpenEnum"),
        },
        f"__all__ = [\n{listed}]\n",
        is_late=True,
    )


def _codes(api: Document) -> str:
    """A class for each code of a problem."""
    found: dict[str, tuple[set[int], str]] = {}
    for status, answer in api.refusals():
        meanings = dict(re.findall(r"^(?:- )?`([a-z_]+)`: (.*)$", answer.get("description", ""), re.MULTILINE))
        for code in _codes_of(answer):
            statuses, meaning = found.get(code, (set(), ""))
            found[code] = (statuses | {status}, meaning or meanings.get(code, ""))
    classes = []
    for code, (statuses, meaning) in sorted(found.items()):
        status = min(statuses) if len(statuses) == 1 else 0
        base = _BASES.get(status, "ServerFault" if status >= 500 else "ApiError")
        about = _docstring(meaning or f"`{code}`.", "    ")
        classes.append(f'class {pascal(code)}({base}):\n{about}\n\n    code = "{code}"\n')
    listed = "".join(f'    "{code}": {pascal(code)},\n' for code in sorted(found))
    by_code = f"BY_CODE: dict[str, type[ApiError]] = {{\n{listed}}}\n"
    names = ("ApiError", *_BASES.values(), "ServerFault")
    body = "\n\n".join([*classes, by_code]).replace("}\n\n\nBY", "}\n\nBY")
    return _module("A class for each code of a problem.", body, {"payments_client.problems": names})


def _examples(api: Document) -> str:
    """What an endpoint receives of each event."""
    body = f"EVENTS: dict[str, dict[str, Any]] = {dict(api.webhooks())!r}\n"
    return _module("An example of each event, as an endpoint receives it.", body, {"typing": ("Any",)})


def _operations(api: Document) -> str:
    """What each operation is, and a method for each, twice: one that waits and one that is awaited."""
    found = sorted(api.operations(), key=lambda each: each.name)
    constants = "\n".join(map(_constant, found))
    waiting = "".join(_method(each, is_async=False) for each in found)
    awaited = "".join(_method(each, is_async=True) for each in found)
    body = (
        f"{constants}\n\n"
        f"{_interface('Operations', 'Each operation, waiting for its answer.', is_async=False)}{waiting}\n\n"
        f"{_interface('AsyncOperations', 'Each operation, awaited.', is_async=True)}{awaited}"
    )
    imported = {
        "abc": ("ABC", "abstractmethod"),
        "collections.abc": ("AsyncIterator", "Iterator", "Sequence"),
        "datetime": ("date", "datetime"),
        "typing": ("Any",),
        "uuid": ("UUID",),
        "payments_client.exchange": ("Call", "Operation"),
        "payments_client.generated": ("models",),
        "payments_client.values": ("Amount",),
    }
    return _module("One method for each operation of the document.", body, imported)


def _interface(name: str, about: str, *, is_async: bool) -> str:
    """Return the head of a class of operations: what sends them is in `clients.py`."""
    async_, iterator = ("async ", "AsyncIterator") if is_async else ("", "Iterator")
    return (
        f'class {name}(ABC):\n    """{about}"""\n\n'
        f"    @abstractmethod\n    {async_}def _call[T](self, operation: Operation[T], call: Call) -> T:\n"
        '        """Send an operation and return what is answered."""\n\n'
        f"    @abstractmethod\n    def _items(self, operation: Operation[Any], call: Call) -> {iterator}[Any]:\n"
        '        """Yield the items of all pages."""\n'
    )


def _model(api: Document, name: str, schema: Json) -> str:
    about = _docstring(schema.get("description", name), "    ")
    if "enum" in schema:
        members = "".join(f'    {constant_name(value)} = "{value}"\n' for value in schema["enum"])
        return f"class {class_name(name)}(OpenEnum):\n{about}\n\n{members}"
    required = set(schema.get("required", ()))
    lines = []
    for member, described in schema.get("properties", {}).items():
        kind = api.type_of(described)
        lines.append(_field(member, kind, described, member in required, name in api.sent))
    fields = "".join(lines)
    return f"class {class_name(name)}(Struct, frozen=True, kw_only=True):\n{about}\n" + (
        f"\n{fields}" if fields else ""
    )


def _field(name: str, kind: str, schema: Json, is_required: bool, is_sent: bool) -> str:
    python = f"{name}_" if keyword.iskeyword(name) else name
    default = ""
    if not is_required and (is_sent or "default" not in schema):
        kind, default = f"{kind} | UnsetType", "UNSET"
    elif not is_required:
        default = _literal(schema["default"], kind)
        kind = kind if default != "None" or "None" in kind else f"{kind} | None"
    if python != name:
        default = f'field(name="{name}", default={default})' if default else f'field(name="{name}")'
    line = f"    {python}: {kind}{f' = {default}' if default else ''}\n"
    about = schema.get("description") or next(
        (each["description"] for each in schema.get("anyOf", ()) if "description" in each), ""
    )
    return line + (f"{_docstring(about, '    ')}\n" if about else "")


def _codes_of(answer: Json) -> list[str]:
    schema = answer.get("content", {}).get("application/problem+json", {}).get("schema", {})
    code = schema.get("properties", {}).get("code", {})
    return list(code.get("enum", [code["const"]] if "const" in code else []))


def _constant(each: Operation) -> str:
    more = f', content_type="{each.content_type}"' if each.content_type != "application/json" else ""
    more += ", has_key=True" if each.has_key else ""
    more += f', items="{each.items}"' if each.items else ""
    return (
        f"{each.constant} = Operation[{each.reads}](\n"
        f'    name="{each.id}", method="{each.method}", path="{each.path}", reads={each.reads}{more}\n)'
    )


def _method(each: Operation, *, is_async: bool) -> str:
    async_, await_ = ("async ", "await ") if is_async else ("", "")
    text = (
        f"\n    {async_}def {each.name}({_signature(each, each.parameters)}) -> {each.reads}:\n"
        f"{_docstring(each.about, '        ')}\n        return {await_}self._call({each.constant}, {_call(each, each.parameters)})\n"
    )
    if not each.item:
        return text
    kept = tuple(parameter for parameter in each.parameters if parameter.name not in ("cursor", "page", "offset"))
    name = "iterate_" + each.name.removeprefix("list_").removeprefix("report_")
    kind = "AsyncIterator" if is_async else "Iterator"
    about = f"Yield what `{each.name}` lists, page after page."
    return text + (
        f"\n    def {name}({_signature(each, kept)}) -> {kind}[{each.item}]:\n"
        f"{_docstring(about, '        ')}\n        return self._items({each.constant}, {_call(each, kept)})\n"
    )


def _signature(each: Operation, parameters: tuple[Parameter, ...]) -> str:
    given = ["self"]
    given += [f"{one.python}: {_given(one)}" for one in parameters if one.place == "path"]
    if each.body:
        given.append(f"body: {each.body}" + ("" if each.needs_body else " | None = None"))
    named = [f"{one.python}: {_given(one)}" for one in parameters if one.place == "query" and one.is_required]
    named += [
        f"{one.python}: {_given(one)} | None = None"
        for one in parameters
        if one.place == "query" and not one.is_required
    ]
    named += ["idempotency_key: str | None = None"] if each.has_key else []
    named += ["prefer: str | None = None"] if each.has_prefer else []
    if named:
        given += ["*", *named]
    line = ", ".join(given)
    return line if len(line) < 60 else "\n        " + ",\n        ".join(given) + ",\n    "


def _given(parameter: Parameter) -> str:
    """Return what may be given: of a list, any sequence; of a name, its text too."""
    kind = parameter.type.replace("list[", "Sequence[")
    return f"{kind} | str" if kind.startswith("models.") else kind


def _call(each: Operation, parameters: tuple[Parameter, ...]) -> str:
    path = ", ".join(f'"{one.name}": {one.python}' for one in parameters if one.place == "path")
    query = ", ".join(f'"{one.name}": {one.python}' for one in parameters if one.place == "query")
    more = "" if not each.body else ", body=body" if each.needs_body else ", body={} if body is None else body"
    more += ", idempotency_key=idempotency_key" if each.has_key else ""
    more += ", prefer=prefer" if each.has_prefer else ""
    return f"Call(path={{{path}}}, query={{{query}}}{more})"


def _module(
    about: str, body: str, imported: Mapping[str, tuple[str, ...]], head: str = "", *, is_late: bool = False
) -> str:
    """Return a module with those imports alone that its body uses.

    Args:
        about: its docstring.
        body: what it has.
        imported: names by module, in the order of their lines.
        head: what stands between both.
        is_late: whether classes name one another before they are there.
    """
    lines = []
    for module, names in imported.items():
        used = [name for name in names if re.search(rf"\b{name}\b", body)]
        if used:
            lines.append(f"from {module} import {', '.join(used)}")
    late = "from __future__ import annotations\n\n" if is_late else ""
    return f'"""{about}\n\nGenerated: do not edit.\n"""\n\n{late}' + "\n".join(lines) + f"\n\n{head}\n\n{body}"


def _docstring(about: str, indent: str) -> str:
    paragraphs = [
        "\n".join(textwrap.wrap(part, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False))
        for part in about.replace("\\", "\\\\").replace('"""', "'''").strip().split("\n\n")
    ]
    text = "\n\n".join(part for part in paragraphs if part)
    text = f'"""{text} """' if text.endswith('"') else f'"""{text}"""'
    if "\n" in text:
        text = text.removesuffix('"""') + '\n"""'
    return textwrap.indent(text, indent)


def _literal(value: Json, kind: str) -> str:
    if isinstance(value, dict | list):
        return "field(default_factory=dict)" if isinstance(value, dict) else "field(default_factory=list)"
    if isinstance(value, str) and kind.isidentifier() and kind not in SCALARS.values():
        return f"{kind}.{constant_name(value)}"
    return repr(value) if not isinstance(value, str) else json.dumps(value)
