"""When does a failing endpoint rest, when is its tenant warned, and when is it switched off?

After so many failures in a row the breaker opens: nothing is attempted until the pause ends, so nothing that waits spends
an attempt; then one delivery at a time is tried, and each failure doubles the pause. One success of whatever delivery
forgets everything, so a single bad event type, or an outage of some hours, never switches an endpoint off. No endpoint is
switched off sooner than `WARNING_LEAD` of that time after its tenant was warned, however seldom it is tried.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from services.notifier.settings import WebhookSettings

WARNING_SHARES = (0.5, 0.8)
"""Shares of the time until an endpoint is switched off, at which its tenant is warned."""
WARNING_LEAD = 0.2
"""Share of that time that lies at least between the latest warning and the end."""
_DOUBLINGS_MAX = 20


class HealthPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How much failure an endpoint is allowed."""

    failures_to_pause: int
    """Failures in a row that open the breaker."""
    pause: timedelta
    """The first pause; each further one is twice as long."""
    pause_max: timedelta
    """The longest pause."""
    disable_after: timedelta
    """How long it must have failed without one success to be switched off."""
    failures_to_disable: int
    """How many attempts must have failed in that time."""

    @classmethod
    def of(cls, settings: WebhookSettings) -> "HealthPolicy":
        """Take the policy from settings that have been checked."""
        return cls(
            failures_to_pause=settings.webhook_breaker_failures,
            pause=timedelta(seconds=settings.webhook_breaker_pause_seconds),
            pause_max=timedelta(seconds=settings.webhook_breaker_pause_max_seconds),
            disable_after=timedelta(seconds=settings.webhook_disable_after_seconds),
            failures_to_disable=settings.webhook_disable_failures_min,
        )


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one endpoint's failures since its last success."""

    failures: int = 0
    """Failed attempts."""
    failing_since: datetime | None = None
    """The first of them."""
    last_error: str | None = None
    """What the latest met."""
    warnings: int = 0
    """Warnings given."""
    warned_at: datetime | None = None
    """When the latest of them was given."""
    pauses: int = 0
    """Pauses so far."""
    paused_until: datetime | None = None
    """No attempt before; from then on one at a time. None while the breaker is closed."""
    pause_began_at: datetime | None = None
    """When the present pause began; attempts that began before it do not lengthen it."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, as far as the endpoint's health is concerned."""

    attempted_at: datetime
    """When it began."""
    error: str | None
    """What it met; None when it succeeded."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What follows for an endpoint."""

    gate: Gate
    """What is known from now on."""
    warns: bool = False
    """Whether its tenant is warned now."""
    disables: bool = False
    """Whether it is switched off now."""


def judge(policy: HealthPolicy, gate: Gate, outcomes: Sequence[Outcome], *, now: datetime) -> Verdict:
    """Decide what a few attempts that ended together mean for their endpoint; one success among them settles it."""
    if any(outcome.error is None for outcome in outcomes):
        return Verdict(gate=Gate())
    since = min(gate.failing_since or outcomes[0].attempted_at, *(outcome.attempted_at for outcome in outcomes))
    failing = msgspec.structs.replace(
        gate, failures=gate.failures + len(outcomes), failing_since=since, last_error=outcomes[-1].error
    )
    if failing.failures >= policy.failures_to_pause and not _rests(gate, outcomes):
        failing = msgspec.structs.replace(
            failing,
            pauses=gate.pauses + 1,
            paused_until=now + _pause(policy, pauses=gate.pauses),
            pause_began_at=now,
        )
    if failing.failures < policy.failures_to_disable:
        return Verdict(gate=failing)
    due = sum(now - since >= policy.disable_after * share for share in WARNING_SHARES)
    if due > failing.warnings:
        return Verdict(gate=msgspec.structs.replace(failing, warnings=due, warned_at=now), warns=True)
    return Verdict(gate=failing, disables=now >= disables_at(policy, failing, now=now))


def disables_at(policy: HealthPolicy, gate: Gate, *, now: datetime) -> datetime:
    """When an endpoint that fails is switched off at the earliest, should it go on failing."""
    return max(
        (gate.failing_since or now) + policy.disable_after,
        (gate.warned_at or now) + policy.disable_after * WARNING_LEAD,
    )


def _rests(gate: Gate, outcomes: Sequence[Outcome]) -> bool:
    """Whether all these are stragglers: attempts from before the present pause, which lengthen it no further."""
    began = gate.pause_began_at
    return began is not None and all(outcome.attempted_at <= began for outcome in outcomes)


def _pause(policy: HealthPolicy, *, pauses: int) -> timedelta:
    return min(policy.pause * (1 << min(pauses, _DOUBLINGS_MAX)), policy.pause_max)
