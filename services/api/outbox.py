"""The closed list of what the api publishes."""

from datetime import datetime

import msgspec

from libs.common.contracts import Message, published_by
from libs.common.contracts.api import TenantProvisioned
from libs.common.messaging import Publication
from libs.common.observability.correlation import Correlation

MESSAGES: tuple[type[Message], ...] = tuple(published_by("api"))
"""Every message that this service may put on the broker."""


def tenant_provisioned(tenant_id: str, name: str, *, at: datetime, correlation: Correlation) -> Publication:
    """Announce that a tenant may use the platform from now on."""
    cause = msgspec.structs.replace(correlation, tenant_id=tenant_id)
    return Publication.of(TenantProvisioned(tenant_id=tenant_id, name=name), occurred_at=at, correlation=cause)
