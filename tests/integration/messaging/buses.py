"""Buses that handle all that their service must, so that a test adds its own handler alone."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from libs.common.contracts import Kind, Message, api, gateway, handled_by, ledger
from libs.common.db import Connection
from libs.common.messaging import Bus, Received


async def ignore(_: Connection, __: Sequence[Received[Message]]) -> None:
    return


async def no_accounts(_: Message) -> ledger.AccountList:
    return ledger.AccountList(accounts=[])


def complete_ledger(bus: Bus, *, answer: Callable[[Any], Awaitable[msgspec.Struct]] | None = None) -> None:
    """Handle all that the ledger receives apart from captures; `answer` opens accounts."""
    for kind in handled_by("ledger"):
        if kind.contract.kind is Kind.REQUEST:
            bus.answer(kind, answer if answer is not None and kind is ledger.OpenAccount else no_accounts)
        elif kind is not gateway.PaymentCaptured:
            bus.handle(kind, ignore)


def complete_gateway(bus: Bus) -> None:
    async def nothing(_: Received[Message]) -> None:
        return

    for kind in handled_by("gateway"):
        if kind.contract.kind is Kind.REQUEST:
            bus.answer(kind, no_accounts)
        else:
            bus.handle_each(kind, nothing)


def complete_api(bus: Bus, handler: Callable[[Received[api.AccessChanged]], None] | None = None) -> None:
    for kind in handled_by("api"):
        if kind.contract.kind is Kind.REQUEST:
            bus.answer(kind, no_accounts)
        elif not kind.contract.broadcast:
            bus.handle(kind, ignore)
    bus.handle_broadcast(api.AccessChanged, handler or (lambda _: None))
