"""When to call the processor again about an attempt, and when to stop."""

from datetime import datetime, timedelta

import msgspec

from services.gateway.operations.domain.attempts import Attempt


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """When to call again about an attempt without an answer, and when to stop."""

    ages: tuple[timedelta, ...]
    """At which ages, counted from the first call, the processor is called again about an unknown outcome; rising."""
    key_lifetime: timedelta
    """How long the processor surely remembers a key: after that the same key could charge again."""
    lease: timedelta
    """How long whoever calls now has before somebody else may; renewed while it calls."""
    pause: timedelta
    """How soon to call again when the processor did not even take the request."""
    reading_ages: tuple[timedelta, ...]
    """At which ages an operation that the processor has taken on is read again, if no notice was quicker; rising."""

    def may_call(self, attempt: Attempt, *, now: datetime) -> bool:
        """Return whether a call is harmless: the key is surely known, certainly never received, or not needed any more."""
        return attempt.asked_at is None or bool(attempt.known_ref) or now < attempt.asked_at + self.key_lifetime

    def after_acceptance(self, *, asked_at: datetime, now: datetime) -> datetime | None:
        """The next age at which to read what the processor has taken on; None when it has ended: a person must look."""
        return next((asked_at + age for age in self.reading_ages if asked_at + age > now), None)

    def after_silence(self, *, asked_at: datetime, now: datetime, pause: timedelta = timedelta(0)) -> datetime | None:
        """The next age of the schedule after the `pause` that the processor requests; None when it has ended: a person
        must decide."""
        return next((asked_at + age for age in self.ages if asked_at + age > now + pause), None)

    def after_refusal(self, *, asked_at: datetime, now: datetime, pause: timedelta = timedelta(0)) -> datetime | None:
        """Shortly afterwards, since nothing happened, or after the pause that the processor requests; None when the key could be
        forgotten by then."""
        soon = now + max(self.pause, pause)
        return soon if soon < asked_at + self.key_lifetime else None
