"""Which processors this place has, and who is served by which: the platform's own, and the accounts of tenants.

One circuit and one bulkhead per kind of processor, whatever the account: it is Stripe that is down or slow, not one account
at it. What is one account's own trouble, a refused key or a rate limit, counts for the guard of that account alone.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.errors import Transient
from libs.common.observability.logging import get_logger
from services.gateway.accounts.domain import Config, ProcessorKind, config_of, kind_of, route
from services.gateway.accounts.guards import statement_turn
from services.gateway.accounts.remembered import Remembered
from services.gateway.accounts.secrets import KeyRing
from services.gateway.accounts.sql.configs import ConfigStore
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port import (
    Answer,
    Authorize,
    Capture,
    Finding,
    GuardedProcessor,
    NotTaken,
    NotTakenReason,
    Processor,
    ProcessorRequest,
    Refund,
    Void,
)
from services.gateway.processors.stripe import StripeAccount, StripeConnections, StripeProcessor, StripeReader
from services.gateway.resilience import (
    AccountGuard,
    AccountGuards,
    Bulkhead,
    Circuit,
    CircuitOpenError,
    ResilientProcessor,
    Retries,
)
from services.gateway.settings import ProcessorSettings

log = get_logger("gateway.processors")

PLATFORM_TENANT = "00000000-0000-0000-0000-000000000001"
"""Whom the platform's own Stripe account belongs to."""
_ACCOUNTS_MAX = 1_000
"""Accounts whose adapters are kept ready; the one that was used longest ago makes room."""
_TENANTS_MAX = 10_000
"""Tenants whose ways are remembered."""


class WebhookAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends webhooks to one address, and how they are verified."""

    tenant_id: str
    """Whose account it is."""
    name: str
    """The account's name in our books."""
    secrets: tuple[str, ...]
    """The secrets in force."""


class StripeAccounts:
    """The Stripe accounts of this place: the platform's own from the settings, those of tenants from their configurations."""

    def __init__(
        self,
        *,
        connections: StripeConnections,
        platform: StripeAccount | None,
        platform_webhook_secrets: Sequence[str],
        store: ConfigStore,
        keyring: KeyRing,
        cache_seconds: float,
        guards: AccountGuards,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._platform = platform
        self._platform_webhook_secrets = tuple(platform_webhook_secrets)
        self._store = store
        self._keyring = keyring
        self._guards = guards
        self._adapters: Remembered[str, StripeProcessor] = Remembered(
            size_max=_ACCOUNTS_MAX, seconds=cache_seconds, monotonic=monotonic
        )
        self._ways: Remembered[str, tuple[Config, ...]] = Remembered(
            size_max=_TENANTS_MAX, seconds=cache_seconds, monotonic=monotonic
        )

    async def choose(self, *, tenant_id: str, currency: str, default: str) -> str:
        """Name the processor that serves a tenant's payments in a currency."""
        configs = self._ways.get(tenant_id)
        if configs is None:
            configs = tuple(await self._store.of_tenant(tenant_id))
            self._ways.put(tenant_id, configs)
        return route(configs, currency=currency, default=default)

    async def adapter(self, name: str) -> StripeProcessor:
        """The adapter of an account, with its key as it stands now, give or take the cache.

        Raises:
            ProcessorUnavailable: when this place does not have the account.
            KeyUnreadable: when its key cannot be opened.
        """
        found = self._adapters.get(name)
        if found is None:
            account = await self._account(name)
            found = StripeProcessor(
                account,
                self._connections.client(account),
                partial(self._count, account),
            )
            self._adapters.put(name, found)
        return found

    async def webhooks(self, config_id: UUID | None) -> WebhookAccount | None:
        """Who sends webhooks to an address: the platform's, or the one of a configuration; None when nobody does."""
        if config_id is None:
            return WebhookAccount(
                tenant_id=PLATFORM_TENANT, name=ProcessorKind.STRIPE, secrets=self._platform_webhook_secrets
            )
        config = await self._store.find(config_id)
        if config is None:
            return None
        secrets = tuple(self._unseal(config, sealed) for sealed in config.sealed_webhook_secrets)
        return WebhookAccount(tenant_id=config.tenant_id, name=config.name, secrets=secrets)

    async def movement(self, name: str, transaction_id: str) -> dict[str, Any]:
        """Fetch a balance transaction of an account.

        Raises:
            ProcessorUnavailable: when it cannot be had at the moment.
        """
        return await (await self.reader(name)).movement(transaction_id)

    async def client_secret(self, name: str, payment_ref: str) -> str:
        """Fetch the client secret of a payment that waits for its customer; empty where there is none.

        Raises:
            ProcessorUnavailable: when it cannot be had at the moment.
        """
        if kind_of(name) is not ProcessorKind.STRIPE:
            return ""
        return await (await self.reader(name)).client_secret(payment_ref)

    async def object(self, name: str, kind: str, reference: str) -> dict[str, Any] | None:
        """Read an object of an account in the pinned version; None where the account has none of it.

        Raises:
            ProcessorUnavailable: when it cannot be had at the moment.
        """
        return await (await self.reader(name)).object(kind, reference)

    async def is_live(self, name: str) -> bool | None:
        """Return the mode of an account's key; None where this place has none.

        Raises:
            KeyUnreadable: when its key cannot be opened.
        """
        try:
            return (await self.adapter(name)).is_live
        except ProcessorUnavailable:
            return None

    async def reader(self, name: str) -> StripeReader:
        """Who reads the statement of an account.

        Raises:
            ProcessorUnavailable: when this place does not have the account.
            KeyUnreadable: when its key cannot be opened.
        """
        account = await self._account(name)

        guard = self.guard(name, is_live=account.is_live)
        return StripeReader(self._connections.client(account), partial(statement_turn, guard))

    def guard(self, name: str, *, is_live: bool) -> AccountGuard:
        """What protects one account: its pace and its own circuit."""
        return self._guards.of(name, is_live=is_live)

    async def identify(self, secret_key: str) -> str:
        """Call Stripe for the account of a key; returns the id of the account.

        Raises:
            Invalid: when Stripe refuses the key.
            ProcessorAccountUnreadable: when the key may not read its account.
            ProcessorUnavailable: when Stripe does not.
        """
        account = StripeAccount(name=ProcessorKind.STRIPE, secret_key=secret_key)
        return await StripeProcessor(account, self._connections.client(account)).account_id()

    async def knows(self, secret_key: str, payment_ref: str) -> bool:
        """Call Stripe for whether the account and mode of a key have a payment.

        Raises:
            ProcessorAccountUnreadable: when the key may not read payments.
            ProcessorUnavailable: when Stripe does not answer at the moment.
        """
        account = StripeAccount(name=ProcessorKind.STRIPE, secret_key=secret_key)
        return await StripeProcessor(account, self._connections.client(account)).knows(payment_ref)

    def forget(self) -> None:
        """Read everything anew: a configuration has changed in this process."""
        self._adapters.forget()
        self._ways.forget()
        self._guards.forget()

    def _count(self, account: StripeAccount) -> None:
        self.guard(account.name, is_live=account.is_live).bucket.count()

    async def _account(self, name: str) -> StripeAccount:
        config_id = config_of(name)
        if config_id is None:
            if self._platform is None or name != self._platform.name:
                raise ProcessorUnavailable(f"there is no processor {name} in this place")
            return self._platform
        config = await self._store.find(config_id)
        if config is None:
            raise ProcessorUnavailable(f"there is no processor {name} in this place")
        return StripeAccount(
            name=name,
            secret_key=self._unseal(config, config.sealed_key),
            payment_method=config.payment_method,
            return_url=config.return_url,
        )

    def _unseal(self, config: Config, sealed: bytes) -> str:
        return self._keyring.unseal(sealed, tenant_id=config.tenant_id, owner_id=config.id)


class _Guard:
    """What protects us from one kind of processor, and its accounts from our insistence."""

    def __init__(self, kind: ProcessorKind, settings: ProcessorSettings, clock: Clock) -> None:
        self.kind = kind
        self.circuit = Circuit(
            name=kind,
            failures_max=settings.circuit_breaker_failure_threshold,
            open_seconds=settings.circuit_breaker_recovery_timeout,
            clock=clock,
        )
        self.bulkhead = Bulkhead(
            places=settings.processor_concurrency_max,
            waiting_max=settings.processor_waiting_max,
            wait_seconds=settings.processor_wait_seconds,
        )

    def state(self) -> str:
        """Return the circuit's state."""
        return str(self.circuit.state)

    def around(self, processor: Processor, retries: Retries, account: AccountGuard | None = None) -> ResilientProcessor:
        return ResilientProcessor(processor, label=self.kind, circuit=self.circuit, retries=retries, account=account)


_NO_ACCOUNT = NotTaken(reason=NotTakenReason.UNREACHABLE, calls=0)
"""The answer where the account's key cannot be had."""


class _Account:
    """One Stripe account behind the guard of all of them; its key is looked up when it is needed."""

    def __init__(self, name: str, accounts: StripeAccounts, guard: _Guard, retries: Retries) -> None:
        self._name = name
        self._accounts = accounts
        self._guard = guard
        self._retries = retries

    @property
    def name(self) -> str:
        """The account's name in our books."""
        return self._name

    def ensure_available(self) -> None:
        """Return when calls go out to Stripe.

        Raises:
            ProcessorUnavailable: while they do not.
        """
        try:
            self._guard.circuit.ensure_closed()
        except CircuitOpenError as fault:
            raise ProcessorUnavailable("Stripe does not answer; calls are paused") from fault

    async def authorize(self, request: Authorize) -> Answer:
        """Hold the funds."""
        guarded = await self._guarded()
        return _NO_ACCOUNT if guarded is None else await guarded.authorize(request)

    async def capture(self, request: Capture) -> Answer:
        """Take held funds."""
        guarded = await self._guarded()
        return _NO_ACCOUNT if guarded is None else await guarded.capture(request)

    async def void(self, request: Void) -> Answer:
        """Release held funds."""
        guarded = await self._guarded()
        return _NO_ACCOUNT if guarded is None else await guarded.void(request)

    async def refund(self, request: Refund) -> Answer:
        """Give captured funds back."""
        guarded = await self._guarded()
        return _NO_ACCOUNT if guarded is None else await guarded.refund(request)

    async def look_up(self, request: ProcessorRequest) -> Finding:
        """Read what became of a request."""
        guarded = await self._guarded()
        return _NO_ACCOUNT if guarded is None else await guarded.look_up(request)

    async def _guarded(self) -> ResilientProcessor | None:
        try:
            adapter = await self._accounts.adapter(self._name)
        except Transient as fault:
            # This account's own trouble, before any call: it waits in the attempts table, and nobody with it.
            log.error("stripe.account_unusable", processor=self._name, reason=fault.detail)
            return None
        account = self._accounts.guard(self._name, is_live=adapter.is_live)
        return self._guard.around(adapter, self._retries, account)


class PlaceProcessors:
    """The processors of this place, as the commands or the resolver call them."""

    def __init__(
        self,
        *,
        default: str,
        sandbox: ResilientProcessor,
        accounts: StripeAccounts,
        guards: Mapping[ProcessorKind, _Guard],
        retries: Retries,
        is_resolver: bool,
    ) -> None:
        self._default = default
        self._sandbox = sandbox
        self._accounts = accounts
        self._guards = guards
        self._is_resolver = is_resolver
        self._retries = retries

    async def choose(self, *, tenant_id: str, currency: str) -> str:
        """Name the processor for a new payment: the tenant's own for the currency, else the platform's."""
        return await self._accounts.choose(tenant_id=tenant_id, currency=currency, default=self._default)

    def named(self, name: str) -> GuardedProcessor:
        """Return the processor of this name.

        Raises:
            ProcessorUnavailable: when there is no adapter for it.
        """
        match kind_of(name):
            case ProcessorKind.SANDBOX:
                return self._sandbox
            case ProcessorKind.STRIPE:
                return _Account(name, self._accounts, self._guards[ProcessorKind.STRIPE], self._retries)
            case None:
                raise ProcessorUnavailable(f"there is no processor {name} in this place")

    def place(self, name: str) -> AbstractAsyncContextManager[None]:
        """Wait in line for a place at the processor of this name, and hold it for the length of the block.

        Raises:
            BulkheadFullError: when too many wait already, or none becomes free in time.
        """
        kind = kind_of(name)
        if kind is None:
            return nullcontext()
        # The resolver has a line of its own, as long as what it claims at a time: it takes turns with new commands.
        account = f"resolver {name}" if self._is_resolver else name
        return self._guards[kind].bulkhead.place(account, is_bounded=self._is_resolver)

    def available(self) -> list[str]:
        """Name the kinds of processors that take calls now."""
        found = []
        for kind in ProcessorKind:
            try:
                self.named(kind).ensure_available()
            except ProcessorUnavailable:
                continue
            found.append(str(kind))
        return found


def place_processors(
    *, sandbox: Processor, accounts: StripeAccounts, settings: ProcessorSettings, default: str, clock: Clock
) -> tuple[PlaceProcessors, PlaceProcessors, dict[str, Callable[[], str]]]:
    """Build the processors as commands and as the resolver call them, and what reports the states of their circuits.

    The two share circuits and bulkheads; the resolver calls once, since its schedule repeats anyway.
    """
    guards = {kind: _Guard(kind, settings, clock) for kind in ProcessorKind}

    def calling(max_retries: int, *, is_resolver: bool) -> PlaceProcessors:
        retries = Retries(
            max_retries=max_retries,
            base_delay_seconds=settings.retry_base_delay,
            max_delay_seconds=settings.retry_max_delay,
            call_timeout_seconds=settings.processor_timeout_seconds,
        )
        return PlaceProcessors(
            default=default,
            sandbox=guards[ProcessorKind.SANDBOX].around(sandbox, retries),
            accounts=accounts,
            guards=guards,
            retries=retries,
            is_resolver=is_resolver,
        )

    details = {f"circuit_{kind}": guard.state for kind, guard in guards.items()}
    return calling(settings.max_retries, is_resolver=False), calling(0, is_resolver=True), details
