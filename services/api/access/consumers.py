"""What the api hears of changes to tenants, policies and flags."""

from libs.common.contracts.api import AccessChanged
from libs.common.messaging import Bus
from services.api.access.directory import Directory


def follow_access(bus: Bus, directory: Directory) -> None:
    """Let this process forget what it remembers of a tenant, a policy or a flag as soon as any process has changed it."""
    bus.handle_broadcast(AccessChanged, lambda received: directory.forget(received.body.tenant_id))
