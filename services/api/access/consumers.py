"""Changes to tenants, policies and flags, which every process follows."""

from libs.common.contracts.api import AccessChanged
from libs.common.messaging import Bus, Received
from services.api.access.directory import Directory


class AccessConsumers:
    """Handles changes to what the directory keeps."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def register(self, bus: Bus) -> None:
        """Let this process forget a tenant, a policy or a flag as soon as any process has changed it."""
        bus.handle_broadcast(AccessChanged, self.on_access_changed)

    def on_access_changed(self, event: Received[AccessChanged]) -> None:
        """Forget the tenant, or everything where none is named."""
        self._directory.forget(event.body.tenant_id)
