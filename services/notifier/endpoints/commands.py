"""Decisions about webhook endpoints."""

from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts import handled_by
from libs.common.contracts.notifier import (
    TEST_EVENT,
    ChangeEndpoint,
    Deleted,
    DeleteEndpoint,
    Gap,
    RegisterEndpoint,
    RotateSecret,
    SendTestEvent,
    TestSent,
    WebhookEndpoint,
)
from libs.common.contracts.notifier.errors import (
    EndpointConflict,
    EndpointInactive,
    EndpointNotFound,
    InvalidEndpoint,
    TooManyEndpoints,
    TooManySecrets,
)
from libs.common.db import Connection, Database
from libs.common.ids import first_id, new_id
from services.notifier import deliveries, metrics
from services.notifier.deliveries import EndReason, Gate, Selection, gates, types_of, webhook_test_body
from services.notifier.endpoints import sql
from services.notifier.endpoints.domain import (
    DESCRIPTION_CHARACTERS_MAX,
    RATE_LIMIT_MAX,
    Endpoint,
    check_events,
    check_headers,
    check_url,
    host_of,
    literal_of,
)
from services.notifier.endpoints.schemas import endpoint_view
from services.notifier.endpoints.sql import Sealed, SealedEndpoint
from services.notifier.errors import SecretUnreadable
from services.notifier.sending import EndpointSecrets

EVENT_NAMES: tuple[str, ...] = tuple(
    sorted(kind.contract.name for kind in handled_by("notifier") if kind.contract.public)
)
"""Every event that an endpoint may list."""
OVERLAP_SECONDS_MAX = 604_800
"""How long an earlier secret may go on signing: seven days."""
_SECRETS_RETIRED_MAX = 5
_SWITCHED_OFF = "switched_off"
RESEAL_BATCH = 100
"""Endpoints that one transaction seals again."""


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


async def register_endpoint(
    database: Database,
    request: RegisterEndpoint,
    *,
    rules: EndpointRules,
    secrets: EndpointSecrets,
    clock: Clock,
) -> WebhookEndpoint:
    """Register an endpoint and show its secret, this once; the same request again is success without the secret.

    Raises:
        InvalidEndpoint: when the url, the events or the headers cannot be used.
        EndpointConflict: when the id is taken by an endpoint with something else in it.
        TooManyEndpoints: when the tenant has all it may have.
    """
    tenant_id, endpoint_id = request.tenant_id, request.endpoint_id
    _check(request, rules=rules)
    minted = secrets.mint(tenant_id=tenant_id, endpoint_id=endpoint_id, has_public_key=request.has_public_key)
    endpoint = Endpoint(
        tenant_id=tenant_id,
        id=endpoint_id,
        url=request.url,
        events=tuple(dict.fromkeys(request.events)),
        is_active=True,
        created_at=clock.now(),
        description=request.description,
        rate_limit_per_second=request.rate_limit_per_second or None,
        is_ordered=request.is_ordered,
        header_names=tuple(request.headers),
        public_key=minted.public_key,
    )
    async with database.transaction() as tx:
        await sql.lock_tenant(tx, tenant_id=tenant_id)
        existing = await sql.find(tx, tenant_id=tenant_id, endpoint_id=endpoint_id)
        if existing is not None:
            known, is_deleted = existing
            if is_deleted or not known.is_same_registration_as(endpoint):
                raise EndpointConflict("this id belongs to an endpoint that was registered differently")
            return endpoint_view(known)
        if len(await sql.list_of(tx, tenant_id=tenant_id)) >= rules.endpoints_max:
            raise TooManyEndpoints(f"a tenant may have {rules.endpoints_max} webhook endpoints; delete one first")
        sealed = _sealed(request.headers, tenant_id=tenant_id, endpoint_id=endpoint_id, secrets=secrets)
        added = await sql.insert(
            tx, SealedEndpoint(endpoint=endpoint, secret_sealed=minted.sealed, headers_sealed=sealed)
        )
        if added.rate_limit_per_second:
            await gates.limit(tx, tenant_id=tenant_id, endpoint_id=endpoint_id, per_second=added.rate_limit_per_second)
    return endpoint_view(added, secret=minted.secret)


async def change_endpoint(
    database: Database, request: ChangeEndpoint, *, rules: EndpointRules, secrets: EndpointSecrets, clock: Clock
) -> WebhookEndpoint:
    """Change what the request names; the same request again changes nothing more.

    Switched on again, an endpoint begins with a clean record, and the answer says what it missed: an offer to replay it.

    Raises:
        InvalidEndpoint: when the url, the events or the headers cannot be used.
        EndpointNotFound: when the tenant has no such endpoint.
    """
    _check(request, rules=rules)
    now, tenant_id, endpoint_id = clock.now(), request.tenant_id, request.endpoint_id
    gap = None
    async with database.transaction() as tx:
        # Gate before endpoint, as whoever records attempts does it.
        await gates.hold(tx, tenant_id=tenant_id, endpoint_id=endpoint_id)
        sealed = await _locked(tx, tenant_id=tenant_id, endpoint_id=endpoint_id)
        was = sealed.endpoint
        changed = await sql.change(tx, _changed(sealed, request, secrets=secrets, now=now))
        if changed.rate_limit_per_second != was.rate_limit_per_second:
            await gates.limit(
                tx, tenant_id=tenant_id, endpoint_id=endpoint_id, per_second=changed.rate_limit_per_second
            )
        if was.is_active and not changed.is_active:
            await deliveries.abandon_pending(
                tx, tenant_id=tenant_id, endpoint_id=endpoint_id, reason=EndReason.ENDPOINT_DISABLED, at=now
            )
        if changed.is_active and not was.is_active:
            # What failed before the end counts too: it failed when the endpoint was switched off.
            gate = await gates.find(tx, tenant_id=tenant_id, endpoint_id=endpoint_id)
            await gates.save(tx, [((tenant_id, endpoint_id), Gate())])
            off_since = was.disabled_at or was.created_at
            gap = await _gap(tx, changed, since=min(gate.failing_since or off_since, off_since), now=now)
    return endpoint_view(changed, gap=gap)


async def rotate_secret(
    database: Database, request: RotateSecret, *, secrets: EndpointSecrets, clock: Clock
) -> WebhookEndpoint:
    """Mint a new secret, and show it; the present one goes on signing beside it until the overlap ends.

    Raises:
        InvalidEndpoint: when the overlap is out of bounds.
        EndpointNotFound: when the tenant has no such endpoint.
        TooManySecrets: when too many earlier ones still sign.
    """
    if not 0 <= request.overlap_seconds <= OVERLAP_SECONDS_MAX:
        sentence = f"must be from 0 to {OVERLAP_SECONDS_MAX}, seven days"
        raise InvalidEndpoint(f"overlap_seconds {sentence}", errors=(("/overlap_seconds", sentence),))
    now = clock.now()
    async with database.transaction() as tx:
        sealed = await _locked(tx, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id)
        minted = secrets.mint(
            tenant_id=request.tenant_id,
            endpoint_id=request.endpoint_id,
            has_public_key=sealed.endpoint.public_key is not None,
        )
        retired: tuple[tuple[bytes, datetime], ...] = ()
        if request.overlap_seconds:
            until = now + timedelta(seconds=request.overlap_seconds)
            retired = ((sealed.secret_sealed, until), *(old for old in sealed.retired if old[1] > now))
        if len(retired) > _SECRETS_RETIRED_MAX:
            raise TooManySecrets(
                f"{_SECRETS_RETIRED_MAX} earlier secrets still sign; wait for their end, or rotate without overlap"
            )
        changed = await sql.change(
            tx,
            msgspec.structs.replace(
                sealed,
                endpoint=msgspec.structs.replace(sealed.endpoint, public_key=minted.public_key),
                secret_sealed=minted.sealed,
                retired=retired,
            ),
        )
    return endpoint_view(changed, secret=minted.secret)


async def send_test_event(database: Database, request: SendTestEvent, *, clock: Clock) -> TestSent:
    """Send a `webhook.test` event to one endpoint, by the same way as every other; the same event again is sent once.

    Raises:
        EndpointNotFound: when the tenant has no such endpoint.
        EndpointInactive: when it is switched off.
    """
    now = clock.now()
    event_id = request.event_id or new_id(now)
    async with database.transaction() as tx:
        sealed = await _locked(tx, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id)
        if not sealed.endpoint.is_active:
            raise EndpointInactive("the endpoint is switched off; switch it on first")
        body = webhook_test_body(
            tenant_id=request.tenant_id, endpoint_id=request.endpoint_id, event_id=event_id, now=now
        )
        delivery_id = await deliveries.schedule_one(
            tx,
            tenant_id=request.tenant_id,
            endpoint_id=request.endpoint_id,
            event_id=event_id,
            event_type=TEST_EVENT,
            body=body,
            now=now,
        )
    return TestSent(event_id=event_id, delivery_id=delivery_id)


async def delete_endpoint(database: Database, request: DeleteEndpoint, *, clock: Clock) -> Deleted:
    """Delete an endpoint and end what waits for it; its history stays. Deleting it again is success.

    Raises:
        EndpointNotFound: when the tenant never had it.
    """
    now = clock.now()
    async with database.transaction() as tx:
        if await sql.find(tx, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id) is None:
            raise EndpointNotFound("webhook endpoint not found")
        await sql.delete(tx, tenant_id=request.tenant_id, endpoint_id=request.endpoint_id, at=now)
        await deliveries.abandon_pending(
            tx,
            tenant_id=request.tenant_id,
            endpoint_id=request.endpoint_id,
            reason=EndReason.ENDPOINT_DELETED,
            at=now,
        )
    return Deleted(id=request.endpoint_id)


async def _locked(tx: Connection, *, tenant_id: str, endpoint_id: UUID) -> SealedEndpoint:
    sealed = await sql.lock(tx, tenant_id=tenant_id, endpoint_id=endpoint_id)
    if sealed is None:
        raise EndpointNotFound("webhook endpoint not found")
    return sealed


def _changed(
    sealed: SealedEndpoint, request: ChangeEndpoint, *, secrets: EndpointSecrets, now: datetime
) -> SealedEndpoint:
    """The endpoint as it will be; what the request leaves out stays."""
    was = sealed.endpoint
    endpoint = msgspec.structs.replace(
        was,
        url=was.url if request.url is None else request.url,
        events=was.events if request.events is None else tuple(dict.fromkeys(request.events)),
        description=was.description if request.description is None else request.description,
        is_ordered=was.is_ordered if request.is_ordered is None else request.is_ordered,
        rate_limit_per_second=was.rate_limit_per_second
        if request.rate_limit_per_second is None
        else request.rate_limit_per_second or None,
    )
    if request.is_active is not None and request.is_active is not was.is_active:
        endpoint = msgspec.structs.replace(
            endpoint,
            is_active=request.is_active,
            disabled_reason=None if request.is_active else _SWITCHED_OFF,
            disabled_at=None if request.is_active else now,
        )
    if request.headers is not None:
        headers = _sealed(request.headers, tenant_id=was.tenant_id, endpoint_id=was.id, secrets=secrets)
        endpoint = msgspec.structs.replace(endpoint, header_names=tuple(request.headers))
        sealed = msgspec.structs.replace(sealed, headers_sealed=headers)
    if request.has_public_key is not None and request.has_public_key is not (was.public_key is not None):
        minted = secrets.rekey(
            sealed.secret_sealed, tenant_id=was.tenant_id, endpoint_id=was.id, has_public_key=request.has_public_key
        )
        endpoint = msgspec.structs.replace(endpoint, public_key=minted.public_key)
        sealed = msgspec.structs.replace(sealed, secret_sealed=minted.sealed)
    return msgspec.structs.replace(sealed, endpoint=endpoint)


def _sealed(headers: dict[str, str], *, tenant_id: str, endpoint_id: UUID, secrets: EndpointSecrets) -> bytes | None:
    # They often carry the receiver's own credentials.
    if not headers:
        return None
    return secrets.seal(msgspec.json.encode(headers).decode(), tenant_id=tenant_id, owner_id=endpoint_id)


async def _gap(tx: Connection, endpoint: Endpoint, *, since: datetime, now: datetime) -> Gap:
    selection = Selection(outcomes=("failed", "missing"), listed_types=types_of(endpoint.events, known=EVENT_NAMES))
    count = await deliveries.count_selected(
        tx,
        selection,
        tenant_id=endpoint.tenant_id,
        endpoint_id=endpoint.id,
        after=first_id(since),
        until=first_id(now),
    )
    return Gap(since=since, until=now, count=count)


def _check(request: RegisterEndpoint | ChangeEndpoint, *, rules: EndpointRules) -> None:
    faults: list[tuple[str, str]] = []
    if request.url is not None:
        fault = check_url(request.url, is_local=rules.is_local, allowed_ports=rules.allowed_ports)
        if fault is None:
            address = literal_of(host_of(request.url))
            if address is not None and not rules.admits(address):
                # A kindness only: what really protects us is the guard at dial time.
                fault = "the url's address is not one that webhooks may reach"
        if fault is not None:
            faults.append(("/url", fault))
    if request.events is not None:
        faults += check_events(request.events, known=EVENT_NAMES)
    if len(request.description or "") > DESCRIPTION_CHARACTERS_MAX or "\0" in (request.description or ""):
        faults.append(("/description", f"at most {DESCRIPTION_CHARACTERS_MAX} characters, and no U+0000"))
    if not 0 <= (request.rate_limit_per_second or 0) <= RATE_LIMIT_MAX:
        faults.append(("/rate_limit_per_second", f"from 1 to {RATE_LIMIT_MAX}, or none"))
    faults += check_headers(request.headers or {})
    if faults:
        raise InvalidEndpoint(faults[0][1], errors=tuple(faults))


class Resealed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the secrets that an earlier key had sealed."""

    done: int
    """Endpoints sealed again."""
    unreadable: tuple[UUID, ...]
    """Endpoints whose key is not in the ring; they stay as they are."""
    left: int
    """Endpoints that still need an earlier key; at 0 it can be removed."""


async def reseal_secrets(database: Database, *, secrets: EndpointSecrets, batch: int = RESEAL_BATCH) -> Resealed:
    """Seal with the current key everything that another one sealed: secrets, retired ones, and tenants' headers.

    Batch by batch along the primary key, each in a transaction of its own. What is left to do is written in the rows
    themselves, so that an interrupted run goes on wherever it is started again, and any number of processes may run it.
    """
    after, done, unreadable = ("", UUID(int=0)), 0, []
    while True:
        async with database.transaction() as tx:
            rows = await sql.outdated(tx, key_id=secrets.current_id, after=after, limit=batch)
            resealed = []
            for sealed in rows:
                try:
                    resealed.append(_resealed(sealed, secrets))
                except SecretUnreadable:
                    unreadable.append(sealed.endpoint_id)
            await sql.reseal(tx, resealed)
        done += len(resealed)
        metrics.SECRETS_RESEALED.inc(len(resealed))
        if len(rows) < batch:
            break
        after = (rows[-1].tenant_id, rows[-1].endpoint_id)
    async with database.connection() as connection:
        left = await sql.count_outdated(connection, key_id=secrets.current_id)
    metrics.SECRETS_OUTDATED.set(left)
    return Resealed(done=done, unreadable=tuple(unreadable), left=left)


def _resealed(sealed: Sealed, secrets: EndpointSecrets) -> Sealed:
    def reseal(part: bytes) -> bytes:
        return secrets.reseal(part, tenant_id=sealed.tenant_id, owner_id=sealed.endpoint_id)

    return msgspec.structs.replace(
        sealed,
        secret=reseal(sealed.secret),
        retired=tuple(reseal(part) for part in sealed.retired),
        headers=None if sealed.headers is None else reseal(sealed.headers),
    )
