"""Changes to tenants, policies and flags, which every process follows."""

from collections.abc import Callable

from libs.common.contracts.api import AccessChanged
from libs.common.messaging import Bus, Received


class AccessConsumers:
    """Handles changes to what processes remember of tenants: the directory, and whoever verifies keys."""

    def __init__(self, *forget: Callable[[str], None]) -> None:
        self._forget = forget

    def register(self, bus: Bus) -> None:
        """Let this process forget a tenant, a policy, a flag or a key as soon as any process has changed it."""
        bus.handle_broadcast(AccessChanged, self.on_access_changed)

    def on_access_changed(self, event: Received[AccessChanged]) -> None:
        """Forget the tenant, or everything where none is named."""
        for forget in self._forget:
            forget(event.body.tenant_id)
