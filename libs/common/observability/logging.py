"""Log lines: an event name in the past tense, ids as fields, the correlation id on every line.

JSON, one object a line; where standard output is a terminal, the same in colours for a person. What belongs to no request, message or
round of a worker (a start, a lost connection) has the correlation id of the process.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog

from libs.common.cards import mask_card_numbers
from libs.common.observability import correlation

_PROCESS_ID = correlation.new_correlation_id()
HIDDEN = ("secret", "token", "password", "authorization", "idempotency_key", "card")
"""Words in the names of what is secret."""


def _add_correlation(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    found = correlation._current.get()
    if found is not None:
        event.setdefault("correlation_id", found.correlation_id)
        if found.tenant_id:
            event.setdefault("tenant_id", found.tenant_id)
        if found.traceparent:
            event.setdefault("trace_id", found.trace_id)
    else:
        event.setdefault("correlation_id", _PROCESS_ID)
    return event


def _hide_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if any(word in key.lower() for word in HIDDEN):
            event[key] = "[hidden]"
    return event


def _hide_card_numbers(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = mask_card_numbers(value)
    return event


def _to_json(value: object, **_: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


def _renderer() -> Any:
    if sys.stdout.isatty():
        # Tracebacks are text already, in which card numbers are hidden.
        return structlog.dev.ConsoleRenderer(timestamp_key="ts", exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer(serializer=_to_json)


def configure(*, service: str, level: str) -> None:
    """Send all logs of this process to standard output; the libraries' own logs from WARNING up."""

    def add_service(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    shared: list[Any] = [
        add_service,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", key="ts"),
        _add_correlation,
        _hide_secrets,
        structlog.processors.format_exc_info,
        _hide_card_numbers,
    ]
    renderer = _renderer()
    structlog.configure(
        processors=[*shared, structlog.processors.EventRenamer("event"), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=renderer,
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def get_logger(room: str) -> Any:
    """Return the logger of one room, for example `ledger.posting`; use it as `log.info("entry.posted", entry_id=...)`."""
    return structlog.get_logger(room=room)
