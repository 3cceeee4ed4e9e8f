"""What we decide about webhook endpoints."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts import heard_by
from libs.common.contracts.notifier import Deleted, DeleteEndpoint, RegisterEndpoint, WebhookEndpoint
from libs.common.db import Database
from services.notifier.domain import EndReason, check_events, check_url, host_of, literal_of
from services.notifier.errors import EndpointConflict, EndpointNotFound, InvalidEndpoint, TooManyEndpoints
from services.notifier.outbox import endpoint_shown
from services.notifier.store import deliveries, endpoints

EVENT_NAMES: tuple[str, ...] = tuple(
    sorted(kind.contract.name for kind in heard_by("notifier") if kind.contract.public)
)
"""Every event that an endpoint can be told about."""


class EndpointRules(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint may be, here."""

    is_local: bool
    """Whether http, any port and single-label hosts are allowed."""
    allowed_ports: tuple[int, ...]
    """Ports that a url may name elsewhere."""
    endpoints_max: int
    """How many endpoints one tenant may have."""
    admits: Callable[[IPv4Address | IPv6Address], bool]
    """Whether webhooks may be sent to an address; only for urls that name one instead of a host."""


class SecretMint(Protocol):
    """Something that mints signing secrets and seals them."""

    def mint(self, *, tenant_id: str, endpoint_id: UUID) -> tuple[str, bytes]:
        """Mint the secret of one endpoint; returns it as it is shown, and sealed as it is kept."""
        ...


async def register_endpoint(
    database: Database,
    request: RegisterEndpoint,
    *,
    rules: EndpointRules,
    secrets: SecretMint,
    clock: Clock,
) -> WebhookEndpoint:
    """Register an endpoint and show its secret, this once; the same request again is success without the secret.

    Raises:
        InvalidEndpoint: when the url or the events cannot be used.
        EndpointConflict: when the id is taken by an endpoint with something else in it.
        TooManyEndpoints: when the tenant has all it may have.
    """
    _check(request, rules=rules)
    events = tuple(dict.fromkeys(request.events))
    secret, sealed = secrets.mint(tenant_id=request.tenant_id, endpoint_id=request.endpoint_id)
    async with database.transaction() as tx:
        await endpoints.lock_tenant(tx, tenant_id=request.tenant_id)
        found = await endpoints.find(tx, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id)
        if found is not None:
            endpoint, is_deleted = found
            if is_deleted or endpoint.url != request.url or endpoint.events != events:
                raise EndpointConflict("this id belongs to an endpoint that was registered differently")
            return endpoint_shown(endpoint)
        if len(await endpoints.list_of(tx, tenant_id=request.tenant_id)) >= rules.endpoints_max:
            raise TooManyEndpoints(f"a tenant may have {rules.endpoints_max} webhook endpoints; delete one first")
        added = await endpoints.insert(
            tx,
            tenant_id=request.tenant_id,
            endpoint_id=request.endpoint_id,
            url=request.url,
            events=events,
            secret_sealed=sealed,
            created_at=clock.now(),
        )
    return endpoint_shown(added, secret=secret)


async def delete_endpoint(database: Database, request: DeleteEndpoint, *, clock: Clock) -> Deleted:
    """Delete an endpoint and end what waits for it; its history stays. Deleting it again is success.

    Raises:
        EndpointNotFound: when the tenant never had it.
    """
    now = clock.now()
    async with database.transaction() as tx:
        if await endpoints.find(tx, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id) is None:
            raise EndpointNotFound("webhook endpoint not found")
        await endpoints.delete(tx, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id, deleted_at=now)
        await deliveries.abandon_waiting(
            tx,
            tenant_id=request.tenant_id,
            endpoint_id=request.endpoint_id,
            reason=EndReason.ENDPOINT_DELETED,
            at=now,
        )
    return Deleted(id=request.endpoint_id)


def _check(request: RegisterEndpoint, *, rules: EndpointRules) -> None:
    faults = check_events(request.events, known=EVENT_NAMES)
    fault = check_url(request.url, is_local=rules.is_local, allowed_ports=rules.allowed_ports)
    if fault is None:
        address = literal_of(host_of(request.url))
        if address is not None and not rules.admits(address):
            # A kindness only: what really protects us is the guard at dial time.
            fault = "the url's address is not one that webhooks may reach"
    if fault is not None:
        faults.insert(0, ("/url", fault))
    if faults:
        raise InvalidEndpoint(faults[0][1], errors=tuple(faults))
