"""How things fail, by name. One tree; each service adds leaves in its own `errors.py`.

    PlatformError
    |-- Rejected            the caller must change something
    |   |-- Invalid         the request says something impossible          HTTP 422 (or 400)
    |   |-- Forbidden       the caller may not                             HTTP 403
    |   |-- NotFound        there is no such thing for this caller         HTTP 404
    |   |-- Conflict        it contradicts the present state               HTTP 409
    |   `-- Declined        the issuer refused it                          HTTP 402
    |-- Transient           the world must change; try again later
    |   |-- TooEarly        what this builds on has not arrived yet        HTTP 503
    |   `-- Unavailable     something that we need does not answer         HTTP 503
    |-- OutcomeUnknown      no answer came; request it again, same key     HTTP 202
    |-- Undecodable         a message broke its contract                   dead letter at once
    `-- BrokenInvariant     a bug of ours                                  HTTP 500, dead letter, alert

Errors know no HTTP and no AMQP: `web/problems.py` and `messaging/redelivery.py` are the only translators.
"""

from typing import ClassVar
from uuid import UUID


class PlatformError(Exception):
    """The root of every error that we raise on purpose.

    `code` is stable, snake_case and part of the contract with clients; `detail` is a sentence for a person.
    """

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal Server Error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = code or self.code


class Rejected(PlatformError):
    """The caller must change something before asking again."""

    code = "rejected"
    title = "Bad Request"


class Invalid(Rejected):
    """The request says something impossible; `errors` lists each violation as (JSON pointer, sentence)."""

    code = "invalid_request"
    title = "Unprocessable Entity"

    def __init__(self, detail: str, *, code: str | None = None, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail, code=code)
        self.errors = errors


class Forbidden(Rejected):
    """The caller is known, and may not do this."""

    code = "forbidden"
    title = "Forbidden"


class NotFound(Rejected):
    """There is no such thing, or it belongs to somebody else: the two must look the same."""

    code = "not_found"
    title = "Not Found"


class Conflict(Rejected):
    """The request contradicts the present state of the thing it names."""

    code = "conflict"
    title = "Conflict"


class Declined(Rejected):
    """The issuer or the processor refused."""

    code = "declined"
    title = "Payment Required"


class Transient(PlatformError):
    """Nothing is wrong with the request; the world must change first."""

    code = "unavailable"
    title = "Service Unavailable"


class TooEarly(Transient):
    """What this message builds on has not arrived yet."""

    code = "too_early"

    def __init__(self, detail: str, *, code: str | None = None, event_ids: frozenset[UUID] = frozenset()) -> None:
        super().__init__(detail, code=code)
        self.event_ids = event_ids
        """Which events of a set are early, where whoever handles the set knows it: the others need not wait."""


class Unavailable(Transient):
    """Something that we need does not answer."""

    code = "unavailable"


class OutcomeUnknown(PlatformError):
    """No answer came: it may or may not have happened, and only the same key may be used to request it again."""

    code = "outcome_unknown"
    title = "Accepted"


class Undecodable(PlatformError):
    """A message that its contract does not admit."""

    code = "undecodable_message"
    title = "Bad Message"


class BrokenInvariant(PlatformError):
    """Something that is always true was false: a bug of ours, never the caller's fault."""

    code = "internal_error"
    title = "Internal Server Error"
