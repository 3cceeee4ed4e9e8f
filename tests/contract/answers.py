"""What each service answers to requests, by the code that answers: a handler's own return type, written as the wire has it."""

import asyncio
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast, get_type_hints

import msgspec

from libs.common.contracts import Message
from libs.common.contracts.base import key
from libs.common.db import Database
from libs.common.errors import PlatformError
from libs.common.messaging.broker import Broker
from libs.common.messaging.health import HealthAnswers
from libs.common.messaging.letter_box import LetterBox
from libs.common.messaging.requests import Answerer, Reply
from tests.contract.forms import sample
from tests.contract.refusals import raised

ROOT = Path(__file__).resolve().parents[2]


class Registrations:
    """Takes what a service's consumers register, as a bus does, and runs nothing."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[..., Any]] = {}

    def answer(self, kind: type[Message], handler: Callable[..., Any]) -> None:
        """A request of `kind` is answered by `handler`."""
        self.answers[key(kind.contract)] = handler

    def handle(self, kind: type[Message], handler: Callable[..., Any], **_: object) -> None:
        """Events and commands answer nothing."""

    handle_each = handle_broadcast = handle


def handlers(service: str) -> dict[str, Callable[..., Any]]:
    """Return the handler of each request that a service answers, by the key of its contract."""
    bus = Registrations()
    for kind in _consumers(service):
        # Registering names methods, and needs nothing of what they work with.
        unmade = type(kind.__name__, (kind,), {"__init__": lambda _: None, "__getattr__": lambda _, name: None})
        kind.register(unmade(), bus)
    # Every bus answers for the dead letters of its service, and for its outbox and queues.
    own: dict[str, Any] = {"service": service, "url": "", "database": cast("Database", None)}
    answers = (*LetterBox(**own).answers, *HealthAnswers(**own).answers)
    return bus.answers | {key(kind.contract): handler for kind, handler in answers}


def answered(handler: Callable[..., Any]) -> bytes:
    """Return a reply with what a handler returns, to which mypy holds it."""
    returns = get_type_hints(handler)["return"]
    answer = msgspec.json.decode(msgspec.json.encode(sample(returns)), type=returns)
    return msgspec.json.encode(Reply(answer=msgspec.Raw(msgspec.json.encode(answer))))


def refused(service: str, kind: type[Message], error: type[PlatformError]) -> bytes:
    """Return the reply of a service's answering code where the handler of a request raises an error."""

    async def refuses(_: object) -> msgspec.Struct:
        raise raised(error)

    answerer = Answerer(cast("Broker", None), service=service)
    answerer.add(kind, refuses)
    return msgspec.json.encode(asyncio.run(answerer._reply(kind.contract.name, msgspec.json.encode(kind.example))))


def _consumers(service: str) -> Iterator[Any]:
    for path in sorted((ROOT / "services" / service).rglob("consumers.py")):
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__ and "bus.answer(" in inspect.getsource(kind):
                yield kind
