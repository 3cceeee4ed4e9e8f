"""`docs/routes.md`: every route, what it does, what it needs, what it takes and what it answers."""

import json
from collections.abc import Iterator

from deploy.local.json_documents import Json, operations, resolved
from deploy.local.layout import ROOT

FILE = ROOT / "docs" / "routes.md"
_HEAD = """# Routes

Written by `just docs` from the [OpenAPI document](api/openapi.json), which a running platform serves at `/openapi.json` and
shows at `/docs`; what is written by hand here is lost. Log in as in [pay by hand](first-payment.md). Every answer is JSON unless
it says otherwise, refusals are [problems](errors.md), and [compatibility](compatibility.md) says what may change. The examples
show the form of what is sent and answered; members of an answer are described in the document.
"""


def text(openapi: Json) -> str:
    """Write the page."""
    parts = [_HEAD]
    for tag in openapi["tags"]:
        routes = [
            (method, path, operation)
            for method, path, operation in operations(openapi)
            if tag["name"] in operation["tags"]
        ]
        if routes:
            parts.append(f"\n## {tag['name'].capitalize()}\n\n{tag['description']}\n")
        for method, path, operation in routes:
            parts += _route(openapi, method, path, operation)
    parts.append("\n## What is sent to endpoints\n\nSee [webhooks](webhooks.md).\n\n")
    for name, methods in openapi["webhooks"].items():
        parts.append(f"- [`{name}`](events/{name}.md): {methods['post']['summary']}\n")
    return "".join(parts)


def _route(openapi: Json, method: str, path: str, operation: Json) -> Iterator[str]:
    words = operation.get("description", "").strip()
    yield f"\n### `{method.upper()} {path}`\n\n{operation['summary']}." + (f" {words}" if words else "") + "\n"
    parameters = [resolved(openapi, part) for part in operation.get("parameters", ())]
    rows = [
        f"- `{p['name']}` ({p['in']}{', required' if p.get('required') else ''}): {p.get('description', '')}".rstrip(
            ": "
        )
        for p in parameters
        if p["in"] == "query" or p["name"] in {"Idempotency-Key", "Prefer"}
    ]
    if rows:
        yield "\n" + "\n".join(rows) + "\n"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    for example in list(body.get("examples", {}).values())[:1]:
        yield f"\nSend:\n\n{_block(example['value'])}"
    for status, part in operation["responses"].items():
        if not status.startswith("2"):
            continue
        content = resolved(openapi, part).get("content", {})
        if "application/json" in content:
            others = sorted(f"`{kind}`" for kind in content if kind != "application/json")
            yield f"\nAnswer {status}{' (also as ' + ', '.join(others) + ')' if others else ''}:\n\n"
            yield _block(content["application/json"]["example"])
            break
        yield f"\nAnswer {status}, without a body.\n"


def _block(value: Json) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False)}\n```\n"


__all__ = ["FILE", "text"]
