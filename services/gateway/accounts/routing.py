"""Which processors this place has, and who is served by which: the platform's own, and the accounts of tenants.

One circuit and one bulkhead per kind of processor, whatever the account: it is Stripe that is down or slow, not one account
at it. What is one account's own trouble, a refused key or a rate limit, counts for the guard of that account alone.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import timedelta

import msgspec

from libs.common.clock import Clock
from libs.common.errors import Transient
from libs.common.observability.logging import get_logger
from services.gateway.accounts.domain import PAUSED, CircuitSeen, ProcessorKind, kind_of
from services.gateway.accounts.stripe_accounts import StripeAccounts
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
from services.gateway.resilience import (
    AccountGuard,
    Bulkhead,
    Circuit,
    CircuitOpenError,
    CircuitState,
    ResilientProcessor,
    Retries,
)
from services.gateway.settings import ProcessorSettings

log = get_logger("gateway.processors")

SEEN_MAX = 200
"""Processors and accounts that one process reports."""


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


class PlaceCircuits:
    """Which processors, and which accounts at them, this process calls at the moment."""

    def __init__(self, guards: Mapping[ProcessorKind, _Guard], accounts: StripeAccounts, clock: Clock) -> None:
        self._guards = guards
        self._accounts = accounts
        self._clock = clock

    @property
    def details(self) -> dict[str, Callable[[], str]]:
        """The states of the processors' circuits, for `/readyz`."""
        return {f"circuit_{kind}": guard.state for kind, guard in self._guards.items()}

    def seen(self) -> list[CircuitSeen]:
        """Report every processor, and the accounts that are held up."""
        now = self._clock.now()
        found = [_seen(kind, guard.circuit, waiting=guard.bulkhead.waiting) for kind, guard in self._guards.items()]
        for name, account in self._accounts.guards:
            seen = _seen(name, account.circuit, waiting=account.bucket.waiting, per_second=account.bucket.per_second)
            if seen.state == CircuitState.CLOSED and (seconds := account.bucket.paused_seconds):
                seen = msgspec.structs.replace(seen, state=PAUSED, until=now + timedelta(seconds=seconds))
            if seen.state != CircuitState.CLOSED or seen.waiting:
                found.append(seen)
        return found[:SEEN_MAX]


def _seen(name: str, circuit: Circuit, *, waiting: int, per_second: float | None = None) -> CircuitSeen:
    is_closed = circuit.state is CircuitState.CLOSED
    return CircuitSeen(
        name=name,
        is_account=per_second is not None,
        state=circuit.state,
        since=None if is_closed else circuit.opened_at,
        until=None if is_closed else circuit.probe_at,
        waiting=waiting,
        per_second=per_second,
    )


def place_processors(
    *, sandbox: Processor, accounts: StripeAccounts, settings: ProcessorSettings, default: str, clock: Clock
) -> tuple[PlaceProcessors, PlaceProcessors, PlaceCircuits]:
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

    circuits = PlaceCircuits(guards, accounts, clock)
    return calling(settings.max_retries, is_resolver=False), calling(0, is_resolver=True), circuits
