"""What is passed through as it is: tables and printable pages of the API to the browser, parts of a file to the API."""

from collections.abc import Mapping
from typing import Any

from litestar import Response

from services.api.console.calling import Refused
from services.api.console.operations import Operation
from services.api.console.visits import Visit
from services.api.http.tables import file_answer

_FORMATS = frozenset({"csv", "html", "beancount", "hledger"})
_PRINTED = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""The policy for a page to print, which has a style sheet in it and no script."""
_LOCALES = {"en": "en-US", "pt": "pt-BR"}
_UPLOADS = frozenset({"startImport", "putImportPart", "completeImport", "getImport"})
"""What the script of the page of imports calls."""


def is_exported(operation: Operation) -> bool:
    """Whether an operation answers anything that is passed to the browser."""
    declared = operation.declaration
    return operation.is_reading and (declared.csv or declared.html or declared.plain_text)


async def exported(visit: Visit, operation: Operation) -> Any:
    """Answer with a table or a page of the API, as it comes.

    Raises:
        Refused: when the API refuses to make it.
    """
    takes = {parameter.name for parameter in operation.declaration.query}
    query = {name: value for name, value in visit.query.items() if name in takes}
    if query.get("format") not in _FORMATS:
        query["format"] = "csv"
    if "locale" in takes and query["format"] == "csv":
        query.setdefault("locale", _LOCALES[visit.preferences.language.code])
    path = {name: visit.query.get(name, "") for name in operation.parameters}
    answer = await visit.stream(operation.id, path=path, query=list(query.items()))
    kind = answer.headers.get("content-type", "text/plain")
    headers = {"Cache-Control": "no-store"}
    if kind.startswith("text/html"):
        headers |= {"Content-Security-Policy": _PRINTED, "Content-Disposition": "inline"}
    elif "content-disposition" in answer.headers:
        headers["Content-Disposition"] = answer.headers["content-disposition"]
    return file_answer(f"{operation.id}.{query['format']}", answer.parts, media_type=kind, headers=headers)


def is_uploaded(operation: Operation) -> bool:
    """Whether the script of a page may call an operation."""
    return operation.id in _UPLOADS


async def uploaded(visit: Visit, operation: Operation, body: bytes, *, key: str) -> Response[bytes]:
    """Pass what the script sends on to the API, and answer with what that answers, refusals too."""
    path: Mapping[str, str] = {name: visit.query.get(name, "") for name in operation.parameters}
    kind = "application/octet-stream" if operation.declaration.is_binary else "application/json"
    sent = None if operation.is_reading else body if operation.declaration.is_binary else body or b"{}"
    try:
        answer = await visit.call(
            operation.id,
            path=path,
            body=sent,
            headers={"content-type": kind, **({"idempotency-key": key} if key else {})},
        )
    except Refused as refused:
        waits = {"Retry-After": refused.retry_after} if refused.retry_after else {}
        return Response(refused.body, status_code=refused.status, media_type="application/problem+json", headers=waits)
    return Response(answer.body or b"{}", status_code=200, media_type="application/json")
