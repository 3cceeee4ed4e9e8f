"""Asking other services on a caller's behalf: what they are asked to change is written down before and after."""

import re
from typing import Any

from libs.common.contracts import Message
from libs.common.errors import PlatformError, Rejected
from services.api.access.admission import Access
from services.api.http.callers import Caller, acting
from services.api.http.requests import Ask, changes_something

_WORD = re.compile(r"(?<!^)(?=[A-Z])")
_TARGETS = (
    "account_id",
    "endpoint_id",
    "delivery_id",
    "replay_id",
    "hold_id",
    "entry_id",
    "ends_before",
    "role",
    "rate_id",
    "conversion_id",
    "config_id",
)


def audited(access: Access, ask: Ask) -> Ask:
    """Wrap `ask` so that every request that changes something leaves its intention and its outcome in the audit log."""

    async def asked(message: Message) -> Any:
        caller = acting.get()
        if caller is None or not changes_something(message):
            return await ask(message)
        name = type(message).__name__
        action = f"{message.contract.owner}.{_WORD.sub('_', name).lower()}"
        target = next((str(getattr(message, field)) for field in _TARGETS if hasattr(message, field)), name)
        answer = await intended(access, caller, ask, message, action=action, target=target)
        await access.remember(caller, action, target)
        return answer

    return asked


async def intended(access: Access, caller: Caller, ask: Ask, message: Message, *, action: str, target: str) -> Any:
    """Write down what is about to be requested, request it, and write down a refusal, or that the outcome is unknown.

    The outcome of what was done is for the caller to write down. Without a log of the intention nothing is requested.
    """
    await access.intend(caller, action, target)
    try:
        return await ask(message)
    except Rejected as no:
        await access.remember(caller, action, target, outcome="failed", detail={"reason": no.reason})
        raise
    except Exception as fault:
        # No reply in time, most of all: it may have been done.
        detail = {"reason": fault.reason if isinstance(fault, PlatformError) else "internal_error"}
        await access.remember(caller, action, target, outcome="unknown", detail=detail)
        raise
