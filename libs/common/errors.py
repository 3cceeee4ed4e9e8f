"""How things fail, by name. One tree; each code is declared by one class, and nowhere else.

    PlatformError
    |-- Rejected            the caller must change something               HTTP 400
    |   |-- Invalid         the request says something impossible          HTTP 422
    |   |-- Forbidden       the caller may not                             HTTP 403
    |   |-- NotFound        there is no such thing for this caller         HTTP 404
    |   |-- Conflict        it contradicts the present state               HTTP 409
    |   `-- Declined        the issuer refused it                          HTTP 402
    |-- Transient           the world must change; try again later
    |   |-- TooEarly        what this builds on has not arrived yet        HTTP 503
    |   `-- Unavailable     something that we need does not answer         HTTP 503
    |-- HttpProblem         what only HTTP can refuse (`web/errors.py`)    a status of its own
    |-- OutcomeUnknown      no answer came; request it again, same key     HTTP 503
    |-- Undecodable         a message broke its contract                   dead letter at once
    `-- BrokenInvariant     a bug of ours                                  HTTP 500, dead letter, alert

What one service refuses and the api passes on is in the contract between them: `contracts/ledger_errors.py` and its
like. A service's own `errors.py` has what never leaves it; that of the api has what the api itself refuses.

Errors know their status, and nothing else of HTTP or AMQP: `web/problems.py` and `messaging/redelivery.py` are the only
translators.
"""

from inspect import cleandoc
from typing import ClassVar
from uuid import UUID

RETRY = "Retry after `Retry-After`, with the same `Idempotency-Key`."
FIX = "Correct the request; `errors` names each violation."
CHECK_ID = "Check the id and the tenant."


class PlatformError(Exception):
    """The root of every error that we raise on purpose; the first paragraph of a docstring is what a client may read."""

    code: ClassVar[str]
    """Stable snake_case word, part of the contract with clients; a class without one of its own has its base's."""
    status: ClassVar[int] = 500
    """The HTTP status that it always has."""
    remedy: ClassVar[str] = ""
    """What the caller can do about it, as a sentence; a class that has one beside its code is what the api may answer."""

    def __init__(self, detail: str = "", *, code: str | None = None) -> None:
        """Say what happened this time; without a `detail`, what the class means.

        `code` is for what has come over the wire, as the class that it was there is not known here.
        """
        self.detail = detail or self.meaning()
        self.reason = code or self.code
        super().__init__(self.detail)

    @classmethod
    def meaning(cls) -> str:
        """What has happened, as a sentence."""
        return " ".join(cleandoc(cls.__doc__ or "").partition("\n\n")[0].split())


class Rejected(PlatformError):
    """The caller must change something before asking again.

    `errors` lists each violation as (JSON pointer, sentence).
    """

    code = "rejected"
    status = 400

    def __init__(self, detail: str = "", *, code: str | None = None, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail, code=code)
        self.errors = errors


class Invalid(Rejected):
    """The body or a parameter is invalid.

    The request says something impossible.
    """

    code = "invalid_request"
    status = 422
    remedy = FIX


class IdempotencyKeyReused(Invalid):
    """The key was used with a different request."""

    code = "idempotency_key_reused"
    remedy = "Use a new key for a new request."


class InvalidCursor(Invalid):
    """The cursor is not of this list and its filters."""

    code = "invalid_cursor"
    remedy = "Begin the list anew."


class Forbidden(Rejected):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = 403

    def __init__(self, detail: str = "", *, code: str | None = None, permission: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.permission = permission
        """The permission that is missing, where the answer names it."""


class NotFound(Rejected):
    """There is no such thing, or it belongs to somebody else: the two must look the same."""

    code = "not_found"
    status = 404


class Conflict(Rejected):
    """The request contradicts the present state of the thing it names."""

    code = "conflict"
    status = 409


class Declined(Rejected):
    """The issuer or the processor refused."""

    code = "declined"
    status = 402


class Transient(PlatformError):
    """Nothing is wrong with the request; the world must change first."""

    status = 503


class TooEarly(Transient):
    """What this message builds on has not arrived yet."""

    code = "too_early"

    def __init__(self, detail: str = "", *, code: str | None = None, event_ids: frozenset[UUID] = frozenset()) -> None:
        super().__init__(detail, code=code)
        self.event_ids = event_ids
        """Which events of a set are early, where whoever handles the set knows it: the others need not wait."""


class Unavailable(Transient):
    """Something that is needed does not answer."""

    code = "unavailable"
    remedy = RETRY


class Overloaded(Unavailable):
    """Too many requests wait already."""

    code = "overloaded"
    remedy = RETRY


class OutcomeUnknown(PlatformError):
    """No answer came: it may or may not have happened, and only the same key may be used to request it again."""

    code = "outcome_unknown"
    status = 503


class Undecodable(PlatformError):
    """A message that its contract does not admit."""

    code = "undecodable_message"
    status = 400


class BrokenInvariant(PlatformError):
    """A bug of ours.

    Something that is always true was false, which is never the caller's fault.
    """

    code = "internal_error"
    remedy = "Quote the correlation id to support."
