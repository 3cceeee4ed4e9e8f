"""Events of tenants: each is applied where nothing later has stated the same, so that any order leads to the same tenant."""

from collections.abc import Sequence
from datetime import UTC, datetime

from libs.common.clock import Clock
from libs.common.contracts import foreign
from libs.common.contracts.foreign import ForeignMessage, Subscription
from libs.common.db import Connection
from libs.common.ids import new_id
from libs.common.messaging import Bus, Received, publish
from services.api.access import TenantStatus
from services.api.audit import AuditRecord, write_sealed_line
from services.api.outbox import tenant_provisioned
from services.api.settings import TenantSyncSettings
from services.api.tenants import sql
from services.api.tenants.domain import TenantEventKind, TenantStatement
from services.api.tenants.reports import read_tenant, reader

_ACTOR = "tenant sync"
_UNDATED = datetime.fromtimestamp(0, UTC)
"""When a creation was that names no time: before everything else, since it may be a late copy."""


def subscription(settings: TenantSyncSettings) -> Subscription:
    """Return which tenants are received, and where."""
    keys = [(settings.saas_exchange, key) for key in settings.saas_routing_keys]
    return Subscription(
        name=foreign.TENANTS.name,
        service=foreign.TENANTS.service,
        queue=settings.saas_queue,
        bindings=(*dict.fromkeys([*keys, (foreign.SUITE_EXCHANGE, foreign.SUITE_TENANTS)]),),
        setting=foreign.TENANTS.setting,
    )


class TenantConsumers:
    """Handles events of tenants."""

    def __init__(self, settings: TenantSyncSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def register(self, bus: Bus) -> None:
        """Subscribe to the suite's tenants, unless that is switched off."""
        if self._settings.saas_integration_enabled:
            bus.handle_foreign(subscription(self._settings), self.on_tenants, read=reader(self._clock))

    async def on_tenants(self, tx: Connection, events: Sequence[Received[ForeignMessage]]) -> None:
        """Make tenants known, change them, or refuse them from now on."""
        now = self._clock.now()
        read = [(read_tenant(event.body, at=now), event) for event in events]
        # In the order of their ids, so that two batches never wait for each other in a circle.
        for stated, event in sorted(read, key=lambda pair: (pair[0].tenant_id, pair[1].occurred_at)):
            await self._apply(tx, stated, event, at=now)

    async def _apply(
        self, tx: Connection, stated: TenantStatement, event: Received[ForeignMessage], *, at: datetime
    ) -> None:
        is_undated = stated.occurred_at is None and stated.kind is TenantEventKind.CREATED
        occurred_at = _UNDATED if is_undated else event.occurred_at
        is_new = await sql.state(tx, stated, occurred_at=occurred_at, at=at)
        if is_new is None:
            return
        if is_new and stated.status is not TenantStatus.DELETED:
            name = stated.name or stated.tenant_id
            await publish(tx, [tenant_provisioned(stated.tenant_id, name, at=at, correlation=event.correlation)])
        await write_sealed_line(
            tx,
            AuditRecord(
                tenant_id=stated.tenant_id,
                id=new_id(at),
                actor=_ACTOR,
                action=stated.kind.value,
                target=stated.tenant_id,
                outcome="success",
                detail={
                    name: value for name in ("name", "plan", "region", "status") if (value := getattr(stated, name))
                },
                correlation_id=event.correlation.correlation_id,
                at=at,
            ),
        )
