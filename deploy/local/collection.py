"""The OpenAPI document in two other forms: a Postman collection, and a text for programs that read documents (`llms.txt`)."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from deploy.local.json_documents import Json, operations, resolved
from deploy.local.layout import ROOT

POSTMAN = ROOT / "docs" / "api" / "postman.json"
LLMS = ROOT / "docs" / "llms.txt"
FILES = (POSTMAN, LLMS)
_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_TABLE = re.compile(r"^\| (?P<who>[a-z ]+) \| (?P<pages>.*) \|$", re.MULTILINE)
_LINK = re.compile(r"\[(?P<name>[^\]]+)\]\((?P<file>[^)#]+)\)")


def texts(api: Json) -> dict[Path, str]:
    """Return both, by the document."""
    return {POSTMAN: json.dumps(_collection(api), indent=1, ensure_ascii=False) + "\n", LLMS: _llms(api)}


def _collection(api: Json) -> Json:
    """Return a folder for each tag; `base_url`, `token` and `tenant` are variables, a key is new for each request."""
    folders: dict[str, list[Json]] = defaultdict(list)
    for method, path, operation in operations(api):
        folders[operation["tags"][0]].append(_request(api, method, path, operation))
    variables = {"base_url": "http://localhost:8000", "token": "", "tenant": ""}
    return {
        "info": {"name": api["info"]["title"], "description": api["info"].get("summary", ""), "schema": _SCHEMA},
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [{"key": name, "value": value} for name, value in variables.items()],
        "item": [{"name": tag, "item": items} for tag, items in sorted(folders.items())],
    }


def _request(api: Json, method: str, path: str, operation: Json) -> Json:
    parameters = [resolved(api, each) for each in operation.get("parameters", ())]
    named = {"X-Tenant-Id": "{{tenant}}", "Idempotency-Key": "{{$guid}}"}
    headers = [
        {"key": each["name"], "value": named.get(each["name"], ""), "disabled": each["name"] not in named}
        for each in parameters
        if each["in"] == "header"
    ]
    query = [
        {"key": each["name"], "value": "", "description": each.get("description", ""), "disabled": True}
        for each in parameters
        if each["in"] == "query"
    ]
    parts = [f":{part[1:-1]}" if part.startswith("{") else part for part in path.strip("/").split("/")]
    request = {
        "method": method.upper(),
        "header": headers,
        "description": operation.get("description", ""),
        "url": {
            "raw": "{{base_url}}/" + "/".join(parts),
            "host": ["{{base_url}}"],
            "path": parts,
            "query": query,
            "variable": [{"key": part[1:], "value": ""} for part in parts if part.startswith(":")],
        },
    }
    if operation.get("security") == []:
        request["auth"] = {"type": "noauth"}
    content = resolved(api, operation.get("requestBody", {})).get("content", {})
    if "application/json" in content:
        text = json.dumps(_example(content["application/json"]), indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": text, "options": {"raw": {"language": "json"}}}
    elif content:
        request["body"] = {"mode": "file"}
    return {"name": operation.get("summary", operation["operationId"]), "request": request, "response": []}


def _example(content: Mapping[str, Json]) -> Json:
    return next((each["value"] for each in content.get("examples", {}).values()), content.get("example", {}))


def _llms(api: Json) -> str:
    """Return what there is to read and each operation in a line, as llmstxt.org has it."""
    lines = [f"# {api['info']['title']}", "", f"> {api['info'].get('summary', '')}", ""]
    lines.append(
        "Amounts are decimal strings with the currency's decimals. Every write takes an `Idempotency-Key`: the same request "
        "with the same key takes effect once. What is refused is a problem of RFC 9457 whose `code` says why."
    )
    folder = LLMS.parent
    for row in _TABLE.finditer((folder / "README.md").read_text()):
        lines += ["", f"## To {row['who']}", ""]
        lines += [f"- [{link['name']}]({link['file']})" for link in _LINK.finditer(row["pages"])]
    lines += ["", "## Operations", ""]
    lines += [
        f"- `{method.upper()} {path}`: {operation.get('summary', '')}" for method, path, operation in operations(api)
    ]
    lines += ["", "## Events (webhooks)", ""]
    lines += [f"- `{name}`: {item['post'].get('summary', '')}" for name, item in api.get("webhooks", {}).items()]
    return "\n".join(lines) + "\n"
