"""When is a delivery tried again, and when is it over? The retry policy as data, and pure functions over it."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec

from services.notifier.deliveries.domain.delivery import EndReason
from services.notifier.sending import Answer, AttemptError
from services.notifier.settings import WebhookSettings, parse_schedule

SLOW_PAUSE_MIN = timedelta(minutes=30)
"""Where the slow part of a schedule begins. An endpoint that understood us and refused (404, 401) is not hammered, but a
wrong deployment is fixed within hours, so the delivery does not fail at once either."""
_RETRY_AFTER_BASES = 2
"""A `Retry-After` may stretch a pause to twice its own length, or to the policy's limit if that is longer."""
_RETRY_AFTER_DIGITS_MAX = 9

_RETRIED_SOON = frozenset({408, 425, 429})
"""Client errors that say *later* (RFC 9110, RFC 8470, RFC 6585)."""
_GONE = 410
"""The endpoint asks for no more, as Standard Webhooks reads it."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how patiently a delivery is tried."""

    pauses: tuple[timedelta, ...]
    """The pause before each attempt, the first included; their number is the number of attempts."""
    jitter: float
    """Each pause is stretched or shortened by up to this share."""
    retry_after_max: timedelta
    """The longest `Retry-After` that is honoured, unless twice the pause is longer."""

    @classmethod
    def of(cls, settings: WebhookSettings) -> "RetryPolicy":
        """Take the policy from settings that have been checked."""
        return cls(
            pauses=parse_schedule(settings.webhook_retry_schedule),
            jitter=settings.webhook_retry_jitter,
            retry_after_max=timedelta(seconds=settings.webhook_retry_after_max_seconds),
        )

    @property
    def attempts_max(self) -> int:
        """How often a delivery is tried at most."""
        return len(self.pauses)

    @property
    def slow_pause(self) -> timedelta:
        """The first pause of the slow part; the longest one where nothing is slow."""
        return next((pause for pause in self.pauses if pause >= SLOW_PAUSE_MIN), max(self.pauses))


class Delivered(msgspec.Struct, frozen=True, tag=True):
    """The endpoint took it."""


class RetryAt(msgspec.Struct, frozen=True, tag=True):
    """It will be tried again."""

    at: datetime
    """Not before this instant."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """It will not be tried again."""

    reason: EndReason
    """Why."""
    disables: bool = False
    """Whether the endpoint refuses all further attempts."""


type Decision = Delivered | RetryAt | Failed


def first_attempt_at(policy: RetryPolicy, *, now: datetime) -> datetime:
    """When a new delivery is tried for the first time; without jitter, since nothing has failed."""
    return now + policy.pauses[0]


def decide(policy: RetryPolicy, answer: Answer, *, attempts: int, now: datetime, chance: float) -> Decision:
    """Decide what follows attempt number `attempts` (from 1).

    2xx is success, 410 the end of the endpoint. 408, 425, 429, 5xx and network errors retry at the schedule's pace;
    everything else (3xx, other 4xx, a blocked address) waits at least for the slow part of it. `chance` is a random
    number from 0 to 1 that places the retry within its jitter.
    """
    if answer.error is None and answer.status_code is not None:
        if 200 <= answer.status_code < 300:
            return Delivered()
        if answer.status_code == _GONE:
            return Failed(EndReason.ENDPOINT_GONE, disables=True)
    if attempts >= policy.attempts_max:
        return Failed(EndReason.EXHAUSTED)
    pause = policy.pauses[attempts]
    if not _is_worth_trying_soon(answer):
        pause = max(pause, policy.slow_pause)
    wait = pause * (1 + policy.jitter * (2 * chance - 1))
    requested = retry_after(answer.retry_after, now=now)
    if requested is not None:
        wait = max(wait, min(requested, max(pause * _RETRY_AFTER_BASES, policy.retry_after_max)))
    return RetryAt(now + wait)


def _is_worth_trying_soon(answer: Answer) -> bool:
    if answer.error is not None:
        return answer.error is not AttemptError.EGRESS_BLOCKED
    return answer.status_code is not None and (answer.status_code >= 500 or answer.status_code in _RETRIED_SOON)


def retry_after(text: str | None, *, now: datetime) -> timedelta | None:
    """Read `Retry-After`, in seconds or as an HTTP date (RFC 9110, section 10.2.3); None when it says nothing usable."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= _RETRY_AFTER_DIGITS_MAX:
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # The obsolete date forms have no zone; HTTP dates are always GMT.
    return max(timedelta(), (until if until.tzinfo else until.replace(tzinfo=UTC)) - now)
