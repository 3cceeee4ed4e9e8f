"""Every problem that the api answers with, by code, as the classes declare it; `docs/errors.md` is written from it."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType

from libs.common import errors as common
from libs.common import money
from libs.common.contracts import dead_letters, gateway_errors, ledger_errors
from libs.common.contracts.notifier import errors as notifier_errors
from libs.common.db import connections
from libs.common.errors import PlatformError
from libs.common.web import errors as web
from services.api import errors, identity_errors
from services.api.http import errors as edge

_MODULES = (
    web,
    edge,
    errors,
    identity_errors,
    ledger_errors,
    notifier_errors,
    gateway_errors,
    dead_letters,
    money,
    common,
    connections,
)
"""Where the classes are declared."""


def _declared(module: ModuleType) -> Iterator[type[PlatformError]]:
    for kind in vars(module).values():
        is_own = isinstance(kind, type) and issubclass(kind, PlatformError) and kind.__module__ == module.__name__
        if is_own and {"code", "remedy"} <= vars(kind).keys():
            yield kind


PROBLEMS: Mapping[str, type[PlatformError]] = MappingProxyType(
    {
        kind.code: kind
        for kind in sorted(
            (kind for module in _MODULES for kind in _declared(module)), key=lambda kind: (kind.status, kind.code)
        )
    }
)
"""Every kind of problem, by code: those that tell the caller a remedy, in the order of their statuses."""


def reference() -> str:
    """Write `docs/errors.md`."""
    lines = [
        "# Problems",
        "",
        "Every answer that is not a success is an `application/problem+json` document (RFC 9457). `code` is stable and for",
        "programs; `detail` is a sentence for people. `type` is `/problems/<code>`, which the api explains. This page is",
        "generated from the classes that the code raises: `just docs`.",
        "",
        "| Status | Code | Means | What to do |",
        "|---|---|---|---|",
        *(f"| {kind.status} | `{kind.code}` | {kind.meaning()} | {kind.remedy} |" for kind in PROBLEMS.values()),
    ]
    return "\n".join(lines) + "\n"
