"""What other services are requested to change on a caller's behalf is written down before and after."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from libs.common.contracts import Message
from libs.common.errors import BrokenInvariant, PlatformError, Rejected
from libs.common.web.errors import HttpProblem
from services.api import metrics
from services.api.http.callers import Admission, Caller
from services.api.http.controllers import Change, at_hand
from services.api.http.requests import Ask
from services.api.identity_errors import ScopeExceedsCaller


@asynccontextmanager
async def attempts(access: Admission, caller: Caller, target: str) -> AsyncIterator[None]:
    """Write down where a caller is refused to give, or take over, more than they have."""
    try:
        yield
    except ScopeExceedsCaller as no:
        metrics.DENIALS.labels(no.reason).inc()
        detail = {"reason": no.reason, "detail": no.detail}
        await access.remember(caller, "authz.denied", target, outcome="denied", detail=detail)
        raise


def audited(access: Admission, ask: Ask) -> Ask:
    """Wrap `ask` so that the change that a route declares leaves its intention and its outcome in the audit log."""

    async def sent(message: Message) -> Any:
        call = at_hand.get()
        if call is None or not isinstance(call.caller, Caller) or not call.changes(message):
            return await ask(message)
        change = call.declaration.change
        assert change is not None, "the route declares what it changes"
        answer = await intended(access, call.caller, ask, message, change=change)
        await access.remember(call.caller, change.action, change.target_of(message, answer))
        return answer

    return sent


async def intended(access: Admission, caller: Caller, ask: Ask, message: Message, *, change: Change) -> Any:
    """Write down what is about to be requested, request it, and write down a refusal, or that the outcome is unknown.

    The outcome of what was done is for the caller to write down. Without a log of the intention nothing is requested.
    """
    action, target = change.action, change.target_of(message)
    await access.intend(caller, action, target)
    try:
        return await ask(message)
    except Rejected as no:
        await access.remember(caller, action, target, outcome="failed", detail={"reason": no.reason})
        raise
    except Exception as fault:
        # No reply in time, most of all: it may have been done. What only HTTP refuses is not the other service's word.
        detail = {"reason": BrokenInvariant.code}
        if isinstance(fault, PlatformError) and not isinstance(fault, HttpProblem):
            detail = {"reason": fault.reason}
        await access.remember(caller, action, target, outcome="unknown", detail=detail)
        raise
