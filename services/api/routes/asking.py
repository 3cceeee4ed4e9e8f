"""Asking other services on a caller's behalf: what they are asked to change is written down, success or refusal."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from libs.common.contracts import Message
from libs.common.errors import Rejected
from services.api.auth import Access
from services.api.auth.access import acting

type Ask = Callable[[Message], Awaitable[Any]]
"""Asks whoever owns the answer."""

_READING = ("List", "Get", "Find", "Count", "Report")
"""How requests that change nothing begin."""
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
    """Wrap `ask` so that every request that changes something leaves a line in the audit log."""

    async def asked(message: Message) -> Any:
        caller = acting.get()
        name = type(message).__name__
        if caller is None or name.startswith(_READING):
            return await ask(message)
        action = f"{message.contract.owner}.{_WORD.sub('_', name).lower()}"
        target = next((str(getattr(message, field)) for field in _TARGETS if hasattr(message, field)), name)
        try:
            answer = await ask(message)
        except Rejected as no:
            await access.remember(caller, action, target, outcome="failed", detail={"reason": no.reason})
            raise
        await access.remember(caller, action, target)
        return answer

    return asked
