"""An AsyncAPI document as one HTML page that needs no script and no other file."""

import re
from collections.abc import Iterator
from html import escape
from typing import Any

import msgspec

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.1rem;margin:2rem 0 .2rem}code,pre{font:13px/1.45 ui-monospace,monospace}
pre{background:#f4f6f8;padding:.8rem;overflow:auto;border-radius:6px}.tag{font-size:.75rem;padding:.1rem .5rem;
border-radius:99px;background:#e7edf5;margin-left:.4rem}.receive{border-left:4px solid #2f7d4f;padding-left:1rem}
.send{border-left:4px solid #2b5fa8;padding-left:1rem}p{margin:.3rem 0}
h3{font-size:1rem;margin:.8rem 0 0}table{border-collapse:collapse;font-size:.9rem}td{border-bottom:1px solid #8884;padding:.15rem .6rem;
vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e8ea}pre{background:#1e2327}.tag{background:#2a323b}}
"""


def page(spec: dict[str, Any]) -> str:
    """Write the document as one HTML page that needs no script and no other file."""
    title = escape(spec["info"]["title"])
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}: messages</title>",
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style>",
        f"<h1>{title} {escape(spec['info']['version'])}: messages</h1><p>{_prose(spec['info']['description'])}</p>",
        "<p>As data: <a href='asyncapi.json'>asyncapi.json</a> (AsyncAPI 3.0)</p>",
    ]
    for name, server in spec["servers"].items():
        address = f"{server['protocol']}://{server['host']}{server.get('pathname', '')}"
        parts.append(f"<p>Server {escape(name)}: <code>{escape(address)}</code>. {_prose(server['description'])}</p>")
    operations = [(number, each) for number, each in enumerate(spec["operations"].values())]
    links = (f"<li><a href='#o{number}'>{escape(each['title'])}</a>" for number, each in operations)
    parts.append(f"<details><summary>{len(operations)} operations</summary><ul>{''.join(links)}</ul></details>")
    for number, operation in operations:
        parts += _operation(spec, operation, number)
    return "".join(parts)


def _operation(spec: dict[str, Any], operation: dict[str, Any], number: int) -> Iterator[str]:
    channel = _resolved(spec, operation["channel"])
    verb = "receives" if operation["action"] == "receive" else "publishes"
    tags = "".join(f"<span class=tag>{escape(tag['name'])}</span>" for tag in operation["tags"])
    address = escape(channel["address"])
    yield f"<section id=o{number} class={operation['action']}><h2>{verb} <code>{address}</code>{tags}</h2>"
    yield f"<p>{_prose(operation['summary'])}</p>"
    yield f"<p>{_prose(channel['description'])} {_prose(operation.get('description', ''))}</p>"
    for reference in channel["messages"].values():
        yield from _message(spec, _resolved(spec, reference))
    if reply := operation.get("reply"):
        yield f"<h3>Reply</h3><p>Sent to {_prose(reply['address']['description'])}</p>"
        for reference in _resolved(spec, reply["channel"])["messages"].values():
            yield from _message(spec, _resolved(spec, reference))
    yield "</section>"


def _message(spec: dict[str, Any], message: dict[str, Any]) -> Iterator[str]:
    headers = ", ".join(
        f"<code>{escape(name)}</code>" for name in _resolved(spec, message["headers"]).get("properties", ())
    )
    yield f"<p><b>{escape(message['title'])}</b>, {escape(message['contentType'])}. {_prose(message['summary'])}"
    yield f" Headers: {headers or 'none'}.</p>"
    body = _body(spec, _resolved(spec, message["payload"]))
    required = body.get("required", ())
    rows = [
        f"<tr><td><code>{escape(name)}</code><td>{escape(_type(spec, member))}<td>{'required' if name in required else ''}"
        f"<td>{_prose(member.get('description', ''))}"
        for name, member in body.get("properties", {}).items()
    ]
    if rows:
        yield f"<table>{''.join(rows)}</table>"
    for example in message["examples"]:
        text = msgspec.json.format(msgspec.json.encode(example["payload"]), indent=2).decode()
        yield f"<pre>{escape(text)}</pre>"


def _body(spec: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """What somebody reads of a message: of a pack the body of an event, of a reply the answer."""
    members = payload.get("properties", {})
    if "events" in members and "const" in members.get("type", {}):
        return _resolved(spec, members["events"]["items"]["properties"]["body"])
    return _resolved(spec, members["answer"]) if "answer" in members and "refusal" in members else payload


def _type(spec: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_type(spec, part) for part in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"array of {_type(spec, schema.get('items') or {})}"
    return f"{kind}, {schema['format']}" if "format" in schema else kind


def _resolved(spec: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        reference, node = node["$ref"], spec
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    return node


def _prose(text: str) -> str:
    """Write a sentence as HTML; what stands in backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


__all__ = ["page"]
