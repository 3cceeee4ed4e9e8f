"""Who a request is from: a verified token, the tenant it acts for, and what that tenant may use."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import msgspec

from libs.common.errors import PlatformError
from libs.common.observability.correlation import Correlation

ANY_TENANT = "*"
"""The `tid` of a token that belongs to no tenant."""
PLATFORM_TENANT = "00000000-0000-0000-0000-000000000001"
"""The tenant of the platform's own operators."""


class Feature(StrEnum):
    """Everything that can be switched on and off."""

    STRICT_BODIES = "strict_bodies"
    WEBHOOK_REPLAYS = "webhook_replays"
    AUDIT_EXPORT = "audit_export"


class Headers(Protocol):
    """The request's headers, by name in any case."""

    def get(self, key: str, /) -> str | None:
        """Return a header's value, or None."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a verified token identifies."""

    sub: str
    """The subject: a login name, or a peer's user id."""
    tid: str
    """The tenant that the token proves, or `*`."""
    roles: tuple[str, ...]
    """Names of the roles."""
    perms: frozenset[str]
    """Permissions that the issuer granted."""
    plan: str
    """The tenant's plan as the issuer wrote it."""
    region: str
    """The tenant's region as the issuer wrote it."""
    jti: str
    """Identifies the token; empty when the issuer gave none."""
    issued_at: float = 0.0
    """When the token was issued, in seconds since 1970; 0 when the issuer did not say."""
    key_id: UUID | None = None
    """The API key that was sent in place of a token."""
    responsible: str = ""
    """Of an API key, the person who made it, through keys that made keys; empty: a token of the subject's own."""

    @property
    def person(self) -> str:
        """Who answers for what is done: the subject, or the person who is responsible for the key."""
        return self.responsible or self.sub

    @property
    def is_global_admin(self) -> bool:
        """Whether this is an operator of the platform, who may act for every tenant."""
        return "admin" in self.roles and self.tid in {ANY_TENANT, PLATFORM_TENANT}


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may do what they request, and the tenant they do it for."""

    principal: Principal
    """Whom the token identifies."""
    tenant_id: str
    """For whom."""
    correlation: Correlation
    """The request, which from now on knows its tenant."""
    features: frozenset[Feature]
    """What the tenant may use beyond its plan and permissions."""

    @property
    def actor(self) -> str:
        """How the audit log names the caller."""
        return self.principal.sub


class Admission(Protocol):
    """What decides who may do what."""

    async def identify(self, headers: Headers) -> Principal:
        """Verify the bearer token, and nothing else."""

    async def admit(self, headers: Headers, permission: str) -> Caller:
        """Let a request in that needs `permission`."""

    async def require(self, caller: Caller, feature: Feature) -> None:
        """Let a caller use a feature of their tenant."""

    async def require_operator(self, caller: Caller, what: str) -> None:
        """Let only an operator of the platform do `what`."""

    async def intend(self, caller: Caller, action: str, target: str) -> None:
        """Write down what a caller is about to have done elsewhere."""

    async def remember(
        self,
        caller: Caller,
        action: str,
        target: str,
        *,
        outcome: str = "success",
        detail: dict[str, str] | None = None,
    ) -> None:
        """Write down what became of it."""


type BeforeLooking = Callable[[], Awaitable[None]]
"""What is done before the database is read for a bearer that this process has not let in before: it may refuse it."""


class Verifier(Protocol):
    """What verifies bearer tokens."""

    async def verify(self, authorization: str | None) -> Principal:
        """Return whom a token stands for."""


class BearerVerifier(Protocol):
    """What verifies bearers of any kind, also those for which the database is read."""

    async def verify(self, authorization: str | None, before_looking: BeforeLooking | None = None) -> Principal:
        """Return whom a bearer stands for."""


acting: ContextVar["Caller | None"] = ContextVar("acting", default=None)
"""Who was admitted in the current request, for what is recorded about it deeper inside."""


verified: ContextVar[tuple[str, Principal | PlatformError] | None] = ContextVar("verified", default=None)
"""The `Authorization` of the current request and whom it stands for, or why it is refused: it is verified once a request."""


objection: ContextVar[Exception | None] = ContextVar("objection", default=None)
"""What is wrong with the current request as it was sent: answered once its caller is admitted, and to nobody before."""


def object_if_wrong() -> None:
    """Refuse the current request where something is wrong with it."""
    if (wrong := objection.get()) is not None:
        raise wrong
