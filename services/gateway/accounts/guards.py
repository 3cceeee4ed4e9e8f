"""What protects each account at Stripe: how many calls it may take from this process, and when it is left alone."""

from libs.common.clock import Clock
from services.gateway.errors import ProcessorUnavailable
from services.gateway.resilience import AccountGuard, AccountGuards, NotSentError
from services.gateway.settings import ProcessorSettings, StripeSettings

_STATEMENT = "statement"
"""The line in which the statement waits at each endpoint, beside those of tenants."""
_STATEMENT_WAIT_SECONDS = 20.0
"""How long a page of the statement waits for its turn; nobody waits for it."""

_SAVING_WAIT_SECONDS = 2.0
"""How long a call about a customer waits for its turn; somebody waits for it."""


def account_guards(processor: ProcessorSettings, stripe: StripeSettings, clock: Clock) -> AccountGuards:
    """Build what protects each account at Stripe, with this process's part of what the account may call."""

    def make(name: str, is_live: bool) -> AccountGuard:
        rate = stripe.stripe_calls_per_second_live if is_live else stripe.stripe_calls_per_second_test
        return AccountGuard(
            name,
            per_second=rate / stripe.stripe_calls_shared_by,
            per_second_of_endpoint=stripe.stripe_calls_per_second_endpoint / stripe.stripe_calls_shared_by,
            failures_max=processor.circuit_breaker_failure_threshold,
            open_seconds=processor.circuit_breaker_recovery_timeout,
            clock=clock,
        )

    return AccountGuards(make)


async def saving_turn(guard: AccountGuard, line: str, endpoint: str) -> None:
    """Wait for the turn of a call about a customer at an endpoint, in the line of its tenant.

    Raises:
        ProcessorUnavailable: when it does not come in time.
    """
    try:
        await guard.turn(endpoint, line, within_seconds=_SAVING_WAIT_SECONDS)
    except NotSentError as fault:
        raise ProcessorUnavailable(f"the account has made too many calls: {fault}") from fault


async def statement_turn(guard: AccountGuard, endpoint: str) -> None:
    """Wait for the turn of a page of the statement at an endpoint.

    Raises:
        ProcessorUnavailable: when it does not come in time.
    """
    try:
        await guard.turn(endpoint, _STATEMENT, within_seconds=_STATEMENT_WAIT_SECONDS)
    except NotSentError as fault:
        raise ProcessorUnavailable(f"the account has made too many calls: {fault}") from fault
