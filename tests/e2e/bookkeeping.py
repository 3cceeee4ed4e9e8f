"""People who keep the books of a tenant of their own, over real HTTP."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt

from tests.support.platform import Answer, Client, Platform

CLERK = ("ledger:read", "ledger:write")
CHIEF = ("ledger:read", "ledger:write", "ledger:approve", "admin:write")


def person(platform: Platform, tenant: str, name: str, permissions: tuple[str, ...]) -> Client:
    """Somebody of a tenant, by a token of the identity provider."""
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": "local-auth",
        "sub": name,
        "tid": tenant,
        "roles": ["ops"],
        "perms": list(permissions),
        "plan": "enterprise",
        "region": "region-a",
        "iat": now,
        "exp": now + 600,
    }
    token = jwt.encode(claims, platform.environ["JWT_SECRET"], algorithm="HS256")
    return Client(platform.http, platform.base(), token=token, tenant=tenant)


def moved(debit: str, credit: str, amount: Any = "10.00", currency: str = "BRL", **more: Any) -> dict[str, Any]:
    """An entry that debits one account and credits another."""
    return {
        "description": "By hand",
        "lines": [
            {"account": debit, "side": "DEBIT", "amount": amount, "currency": currency},
            {"account": credit, "side": "CREDIT", "amount": amount, "currency": currency},
        ],
        **more,
    }


async def enter(who: Client, *entries: dict[str, Any], key: str | None = None, **more: Any) -> Answer:
    """Post entries by hand."""
    return await who.call("POST", "/v1/ledger/entries", {"entries": list(entries), **more}, key=key or uuid4().hex)


def new_tenant() -> str:
    """A tenant that nobody else uses."""
    return f"tenant-{uuid4().hex[:12]}"
