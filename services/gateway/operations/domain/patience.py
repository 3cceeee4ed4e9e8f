"""When to call the processor again about an attempt, and when to stop."""

from datetime import datetime, timedelta

import msgspec

from services.gateway.operations.domain.attempts import Attempt
from services.gateway.processors.port import NotTaken, NotTakenReason, Operation

_UNREAD_PART = 10
"""A reading that failed is repeated once this part of the operation's age has passed."""


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
    authorization_wait: timedelta
    """How long an authorization waits for an account whose key the processor refuses, or for an earlier one of its payment to
    be cancelled, before it is declined."""
    look_up_ages: tuple[timedelta, ...]
    """How long after a key's lifetime the processor's records are read about an unknown outcome; rising."""
    reading_ages: tuple[timedelta, ...]
    """At which ages an operation that the processor has taken on is read again, if no notice was quicker; rising."""

    def may_call(self, attempt: Attempt, *, now: datetime) -> bool:
        """Return whether a call is harmless: the key is surely known, certainly never received, or not needed any more."""
        return attempt.asked_at is None or bool(attempt.known_ref) or now < attempt.asked_at + self.key_lifetime

    def after_acceptance(self, *, asked_at: datetime, now: datetime) -> datetime | None:
        """The next age at which to read what the processor has taken on; None when it has ended: a person must look."""
        return next((asked_at + age for age in self.reading_ages if asked_at + age > now), None)

    def after_unread(self, *, asked_at: datetime, now: datetime, pause: timedelta = timedelta(0)) -> datetime | None:
        """When to read again after a reading that failed: once a tenth of its age has passed, since the ages of the schedule are
        those of readings; None when that has ended: a person must look."""
        following = self.after_acceptance(asked_at=asked_at, now=now)
        soon = now + max(self.pause, pause, (now - asked_at) / _UNREAD_PART)
        return following if following is None else min(following, soon)

    def after_silence(self, *, asked_at: datetime, now: datetime, pause: timedelta = timedelta(0)) -> datetime | None:
        """The next age of the schedule after the `pause` that the processor requests, or the next one at which to look up;
        None when both have ended: a person must decide."""
        ages = (*self.ages, *(self.key_lifetime + age for age in self.look_up_ages))
        return next((asked_at + age for age in ages if asked_at + age > now + pause), None)

    def after_refusal(
        self, *, asked_at: datetime, now: datetime, is_in_doubt: bool, pause: timedelta = timedelta(0)
    ) -> datetime | None:
        """Shortly afterwards, since nothing happened, or after the pause that the processor requests. Where an earlier call
        is in doubt and its key could be forgotten by then, the next age at which to look up."""
        soon = now + max(self.pause, pause)
        if not is_in_doubt or soon < asked_at + self.key_lifetime:
            return soon
        return self.after_silence(asked_at=asked_at, now=now, pause=pause)

    def is_certain(self, attempt: Attempt, *, now: datetime) -> bool:
        """Return whether no call can arrive any more, and what arrived last stands in the processor's records and indexes."""
        return attempt.asked_at is None or now >= attempt.asked_at + self.key_lifetime + self.look_up_ages[0]

    def is_hopeless(self, attempt: Attempt, answer: NotTaken, *, now: datetime) -> bool:
        """Return whether an authorization is to be declined that its account cannot make: nothing of it was ever taken, and
        nobody waits for it any more."""
        return (
            attempt.operation is Operation.AUTHORIZE
            and answer.reason is NotTakenReason.CREDENTIALS_REFUSED
            and now >= attempt.created_at + self.authorization_wait
        )
