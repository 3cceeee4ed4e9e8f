"""Payment methods are saved and detached: each decision is written down before a processor is called, and bears to be repeated.

A customer is made at an account once: under one key, and once the processor may have forgotten the key, after a search for
it. A setup is made under its own id. What is detached here is charged no more from that commit on, whether or not the
processor can be called; it is called until it has answered.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from libs.common.clock import Clock
from libs.common.contracts.gateway_customers import (
    DetachSavedMethod,
    ForgetCustomer,
    GetSetup,
    MethodDetached,
    ReadSetupSecret,
    Setup,
    SetupSecret,
    StartSetup,
)
from libs.common.contracts.gateway_errors import SavedMethodNotFound, SetupNotFound
from libs.common.db import Connection, Database
from libs.common.errors import PlatformError
from libs.common.ids import parse_id
from libs.common.messaging import Received
from libs.common.observability.logging import get_logger
from services.gateway.customers import sql
from services.gateway.customers.domain import (
    AGAIN_AFTER,
    KEY_LIFETIME,
    KnownCustomer,
    KnownMethod,
    KnownSetup,
    learnt,
    method_of,
    shown_setup,
)
from services.gateway.processors.port.saving import NewCustomer, SetupRequest, SetupState, SetupStatus, Vault

log = get_logger("gateway.customers")

_FORGET_MAX = 50
"""Customers and payment methods that one round lets processors forget."""

type VaultOf = Callable[[str], Awaitable[Vault]]
"""Finds what an account keeps of customers, by the account's name. Raises `Transient` when its key cannot be had."""


class Choosing(Protocol):
    """Which account serves a tenant."""

    async def choose(self, *, tenant_id: str, currency: str) -> str:
        """Name the account that serves a currency; of none, the tenant's newest."""
        ...


class Saving:
    """The decisions about what processors keep of customers."""

    def __init__(self, database: Database, *, accounts: Choosing, vault_of: VaultOf, clock: Clock) -> None:
        self._database = database
        self._accounts = accounts
        self._vault_of = vault_of
        self._clock = clock

    async def start(self, request: StartSetup) -> Setup:
        """Begin a setup, or go on with it as it stands.

        Raises:
            SetupNotFound: when the customer was deleted, or the setup is another customer's.
            SetupRefused: when the processor refuses what is to be saved.
            ProcessorUnavailable: when the processor has not answered; the same request again goes on.
        """
        opened = await sql.open_setup(
            self._database,
            KnownSetup(
                tenant_id=request.tenant_id,
                id=request.setup_id,
                customer_id=request.customer_id,
                processor=await self._accounts.choose(tenant_id=request.tenant_id, currency=request.currency),
                setup_ref="",
                status=SetupStatus.PROCESSING,
                method_id=None,
                failure_code="",
                failure_message="",
                created_at=self._clock.now(),
            ),
        )
        if opened is None:
            raise SetupNotFound
        setup, customer = opened
        if setup.setup_ref:
            return shown_setup(setup)
        vault = await self._vault_of(setup.processor)
        state = await vault.start_setup(
            SetupRequest(
                tenant_id=setup.tenant_id,
                customer_id=setup.customer_id,
                setup_id=setup.id,
                customer_ref=await self._known(vault, customer, name=request.name, email=request.email),
                payment_method=request.payment_method,
                return_url=request.return_url,
            )
        )
        return shown_setup(await self._learn(setup, state))

    async def get(self, request: GetSetup) -> Setup:
        """Read how far a setup is; from the processor while it is not over.

        Raises:
            SetupNotFound: when the customer has no such setup.
            ProcessorUnavailable: when it cannot be read at the moment.
        """
        setup = await self._setup(request)
        if setup.setup_ref and not setup.status.is_over:
            vault = await self._vault_of(setup.processor)
            setup = await self._learn(setup, await vault.read_setup(setup.setup_ref))
        return shown_setup(setup)

    async def secret(self, request: ReadSetupSecret) -> SetupSecret:
        """Read with what the customer goes on, from the processor: we have it nowhere.

        Raises:
            SetupNotFound: when the customer has no such setup.
            ProcessorUnavailable: when it cannot be read at the moment.
        """
        setup = await self._setup(request)
        if not setup.setup_ref or setup.status.is_over:
            return SetupSecret(client_secret="")
        state = await (await self._vault_of(setup.processor)).read_setup(setup.setup_ref)
        await self._learn(setup, state)
        return SetupSecret(client_secret=state.client_secret, action_url=state.action_url)

    async def detach(self, request: DetachSavedMethod) -> MethodDetached:
        """Charge a saved payment method no more; its processor forgets it at once, or later.

        Raises:
            SavedMethodNotFound: when the customer has none of this id.
        """
        now = self._clock.now()
        # This process calls now; another one would from then on.
        found = await sql.detach(
            self._database,
            request.tenant_id,
            request.customer_id,
            request.payment_method_id,
            at=now,
            release_at=now + AGAIN_AFTER,
        )
        if found is None:
            raise SavedMethodNotFound
        method, is_kept = found
        if is_kept:
            await self._release(method)
        return MethodDetached(id=method.id)

    async def forget_due(self) -> None:
        """Let processors forget what is detached and who was deleted, where they have not yet."""
        now = self._clock.now()
        again_at = now + AGAIN_AFTER
        for customer in await sql.claim_customers(self._database, now=now, again_at=again_at, limit=_FORGET_MAX):
            await self._forget(customer)
        for method in await sql.claim_methods(self._database, now=now, again_at=again_at, limit=_FORGET_MAX):
            await self._release(method)

    async def notice(self, *, tenant_id: str, processor: str, kind: str, found: dict[str, Any]) -> bool:
        """Learn from an event of a processor; False where it is about nothing of ours.

        What the event shows is read anew: it may come late, and has no payment method in full.

        Raises:
            ProcessorUnavailable: when it cannot be read at the moment.
        """
        if kind == "payment_method.detached":
            return await sql.gone(self._database, processor, str(found["id"]), at=self._clock.now())
        setup_id = parse_id(str((found.get("metadata") or {}).get("setup_id") or ""))
        setup = None if setup_id is None else await sql.setup(self._database, tenant_id, setup_id)
        if setup is None or setup.processor != processor or setup.setup_ref not in ("", found["id"]):
            return False
        if not setup.status.is_over:
            await self._learn(setup, await (await self._vault_of(processor)).read_setup(str(found["id"])))
        return True

    async def _known(self, vault: Vault, customer: KnownCustomer, *, name: str, email: str) -> str:
        """Return the processor's reference of a customer, who is made there first where need be."""
        if customer.customer_ref:
            return customer.customer_ref
        ref = ""
        if self._clock.now() - customer.created_at > KEY_LIFETIME:
            ref = await vault.find_customer(customer_id=customer.customer_id)
        ref = ref or await vault.create_customer(
            NewCustomer(
                tenant_id=customer.tenant_id,
                customer_id=customer.customer_id,
                name=name,
                email=email,
                idempotency_key=customer.idempotency_key,
            )
        )
        await sql.name_customer(self._database, customer, ref)
        return ref

    async def _setup(self, request: GetSetup | ReadSetupSecret) -> KnownSetup:
        found = await sql.setup(self._database, request.tenant_id, request.setup_id, customer_id=request.customer_id)
        if found is None:
            raise SetupNotFound
        return found

    async def _learn(self, setup: KnownSetup, state: SetupState) -> KnownSetup:
        now = self._clock.now()
        method = None if state.method is None else method_of(setup, state.method, at=now)
        return await sql.record(self._database, learnt(setup, state, method), method, at=now)

    async def _release(self, method: KnownMethod) -> None:
        try:
            await (await self._vault_of(method.processor)).detach(method.method_ref)
        except PlatformError as fault:
            # It is charged no more whatever the processor has; it is called again.
            log.warning("saved_method.not_released", processor=method.processor, reason=fault.detail)
            return
        await sql.released(self._database, method)

    async def _forget(self, customer: KnownCustomer) -> None:
        try:
            vault = await self._vault_of(customer.processor)
            # Where its making was never answered, it may be there all the same.
            ref = customer.customer_ref or await vault.find_customer(customer_id=customer.customer_id)
            if ref:
                await vault.delete_customer(ref)
            elif customer.deleted_at is None or self._clock.now() < customer.deleted_at + AGAIN_AFTER:
                # A search may miss who was just made, and a setup may be making them yet: once more, when it is due again.
                return
        except PlatformError as fault:
            log.warning("customer.not_forgotten", processor=customer.processor, reason=fault.detail)
            return
        await sql.forgotten(self._database, customer)


async def forget_customers(tx: Connection, received: Sequence[Received[ForgetCustomer]], *, at: datetime) -> None:
    """Note that customers were deleted by their merchants."""
    who: list[tuple[str, UUID]] = [(each.tenant_id, each.body.customer_id) for each in received]
    await sql.delete(tx, who, at=at)
