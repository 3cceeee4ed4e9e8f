"""When to call the processor again about an attempt, and when to stop."""

from datetime import datetime, timedelta

import msgspec

from services.gateway.operations.domain.attempts import Attempt


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """When to ask again about an attempt without an answer, and when to stop."""

    ages: tuple[timedelta, ...]
    """At which ages, counted from the first ask, an unknown outcome is asked about again; rising."""
    key_lifetime: timedelta
    """How long the processor surely remembers a key: after that the same key could charge again."""
    lease: timedelta
    """How long whoever asks now has before somebody else may; renewed while it asks."""
    pause: timedelta
    """How soon to ask again when the processor did not even take the request."""
    reading_ages: tuple[timedelta, ...]
    """At which ages an operation that the processor has taken on is read again, if no notice was quicker; rising."""

    def may_ask(self, attempt: Attempt, *, now: datetime) -> bool:
        """Tell whether asking is harmless: the key is surely known, certainly never heard, or not needed any more."""
        return attempt.asked_at is None or bool(attempt.known_ref) or now < attempt.asked_at + self.key_lifetime

    def after_acceptance(self, *, asked_at: datetime, now: datetime) -> datetime | None:
        """The next age at which to read what the processor has taken on; None when it has ended: a person must look."""
        return next((asked_at + age for age in self.reading_ages if asked_at + age > now), None)

    def after_silence(self, *, asked_at: datetime, now: datetime, wanted: timedelta = timedelta(0)) -> datetime | None:
        """The next age of the schedule that lies in the future, `wanted` by the processor; None when it has ended: a person
        must decide."""
        return next((asked_at + age for age in self.ages if asked_at + age > now + wanted), None)

    def after_refusal_to_listen(
        self, *, asked_at: datetime, now: datetime, wanted: timedelta = timedelta(0)
    ) -> datetime | None:
        """Shortly afterwards, since nothing happened, or when the processor `wanted` to be asked; None when the key could be
        forgotten by then."""
        soon = now + max(self.pause, wanted)
        return soon if soon < asked_at + self.key_lifetime else None
