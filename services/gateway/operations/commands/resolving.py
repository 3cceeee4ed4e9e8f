"""An outcome that even reading cannot decide is decided by an operator's word: who and why stays written down."""

import argparse
import getpass
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec

from libs.common.clock import Clock, iso
from libs.common.db import Database
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.ids import parse_id
from libs.common.observability.logging import get_logger
from services.gateway.errors import ProcessorUnavailable
from services.gateway.operations import schemas
from services.gateway.operations.commands.calling import find_out
from services.gateway.operations.domain.attempts import Attempt
from services.gateway.operations.domain.changes import approved, close, declined, taken_instead
from services.gateway.operations.domain.patience import Patience
from services.gateway.operations.domain.resolution import (
    Resolution,
    Word,
    check_beside,
    check_given,
    check_open,
    check_taken,
    check_word,
    decide,
    known_word,
)
from services.gateway.operations.sql import resolving as resolving_sql
from services.gateway.operations.sql.recording import Recording
from services.gateway.processors.port import (
    Absent,
    Applied,
    Approved,
    Declined,
    Finding,
    Notice,
    NotTaken,
    NotTakenReason,
    Processors,
    Unknown,
)

log = get_logger("gateway.resolving")

_TEXT_MAX = 500
"""Characters of a reason."""
_NAME_MAX = 100
"""Characters of an operator's name, and of a reference of a processor."""


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    attempt: str
    resolution: Resolution
    reason: str
    operator: str
    user: str
    """Who is logged in."""


class Resolving:
    """Decides about attempts by an operator's word."""

    def __init__(
        self,
        *,
        database: Database,
        processors: Processors,
        patience: Patience,
        deadline_seconds: float,
        adopt: Callable[[Notice], Awaitable[Applied]],
        clock: Clock,
    ) -> None:
        """`processors` call once: an operator repeats the command. `adopt` lets a notice take effect."""
        self._database = database
        self._processors = processors
        self._patience = patience
        self._deadline_seconds = deadline_seconds
        self._adopt = adopt
        self._clock = clock

    async def resolve(self, arguments: Sequence[str]) -> str:
        """Run the command line; returns what to print. The processor is read first, with no transaction open.

        Raises:
            Invalid: when an argument is malformed, or the word is not of the operation.
            NotFound: when there is no such attempt.
            Conflict: when its outcome is known and another, when the processor shows something else or that it is pending,
                when it cannot be read and that is not confirmed, and when the attempt has changed meanwhile.
        """
        given = _parse(arguments)
        attempt_id = parse_id(given.attempt)
        if attempt_id is None:
            raise Invalid("ATTEMPT must be the id of an attempt, a UUID: just stuck shows it")
        attempt = await resolving_sql.find(self._database, attempt_id)
        if attempt is None:
            raise NotFound(f"there is no attempt {attempt_id}")
        word = given.resolution.word
        check_word(attempt, word)
        check_given(attempt, given.resolution, now=self._clock.now())
        if _is_known(attempt, word):
            return _sentence(attempt, "is known to be so already; nothing is done")
        check_open(attempt)
        finding = await self._read(attempt)
        await self._adopt_what_was_taken(attempt, word, finding)

        def recording(locked: Attempt, others: list[Attempt]) -> Recording | None:
            return self._recording(attempt, locked, others, given.resolution, finding)

        recorded = await resolving_sql.resolve(
            self._database, attempt, recording, actor=given.operator, detail=_detail(given, attempt, finding)
        )
        if not recorded:
            return _sentence(attempt, f"has become known to be {word} meanwhile; nothing is done")
        log.warning(
            "attempt.resolved_by_operator",
            attempt_id=attempt.id,
            payment_intent_id=attempt.payment_intent_id,
            tenant_id=attempt.tenant_id,
            operation=attempt.operation,
            word=word,
            finding=_word_of(finding),
            actor=given.operator,
            reason=given.reason,
        )
        return _sentence(attempt, f"is {word} now ({_word_of(finding)}); it stands in operator_actions")

    async def _read(self, attempt: Attempt) -> Finding:
        try:
            processor = self._processors.named(attempt.processor)
        except ProcessorUnavailable:
            return NotTaken(reason=NotTakenReason.UNREACHABLE, calls=0)
        return await find_out(processor, attempt, may_call=False, timeout_seconds=self._deadline_seconds)

    async def _adopt_what_was_taken(self, attempt: Attempt, word: Word, finding: Finding) -> None:
        """Book funds that were taken before they were released, as the answer to a call would: their event may be lost.

        Raises:
            Conflict: when another authorization of the payment holds or has taken funds.
        """
        notice = taken_instead(attempt, finding) if word is Word.DECLINED else None
        if notice is not None and await self._adopt(notice) is Applied.CONTRADICTS:
            raise Conflict(
                "the processor shows that it was captured, beside another authorization of the payment: refund it there"
            )

    def _recording(
        self, attempt: Attempt, locked: Attempt, others: list[Attempt], resolution: Resolution, finding: Finding
    ) -> Recording | None:
        """Make what is recorded of an attempt as it stands under lock; None where it is known to be so meanwhile."""
        if _is_known(locked, resolution.word):
            return None
        if locked != attempt:
            raise Conflict("the attempt has changed meanwhile; look again")
        now = self._clock.now()
        outcome = decide(locked, resolution, finding, is_certain=self._patience.is_certain(locked, now=now), now=now)
        check_beside(locked, resolution.word, others)
        check_taken(locked, outcome, others)
        if isinstance(outcome, Approved):
            made, following = approved(locked, outcome), None
        else:
            made = declined(locked, outcome, now=now)
            following = close(made, gateway_ref=outcome.gateway_ref, now=now)
        publication = schemas.outcome(made, decided_at=made.decided_at or now)
        return Recording(attempt=made, publication=publication, recorded_at=now, following=following)


def _is_known(attempt: Attempt, word: Word) -> bool:
    if not attempt.is_decided:
        return False
    if known_word(attempt) is not word:
        raise Conflict(f"the outcome of the attempt is known: {known_word(attempt) or attempt.status}")
    return True


def _parse(arguments: Sequence[str]) -> _Given:
    parser = argparse.ArgumentParser(prog="python -m services.gateway resolve", allow_abbrev=False)
    parser.add_argument("attempt", help="the attempt's id, as just stuck shows it")
    parser.add_argument("--as", dest="word", required=True, choices=[*Word], help="what became of it")
    parser.add_argument("--reason", required=True, help="how that is known")
    parser.add_argument("--ref", default="", help="the processor's reference of what came of it: pi_..., re_...")
    parser.add_argument(
        "--at", default="", help="when it happened there, where that cannot be read: 2026-11-29T17:30:00Z"
    )
    parser.add_argument(
        "--unread", action="store_true", help="the processor cannot be read, or decides nothing: my word counts"
    )
    parser.add_argument("--operator", default="", help="who decides; default: who is logged in")
    found = parser.parse_args(arguments)
    user = getpass.getuser()
    _check(found.reason, "--reason", _TEXT_MAX)
    _check(found.operator or user, "--operator", _NAME_MAX)
    if found.ref:
        _check(found.ref, "--ref", _NAME_MAX)
        if not found.ref.isascii() or " " in found.ref:
            raise Invalid("--ref must be a reference of the processor, without spaces")
    return _Given(
        attempt=found.attempt,
        resolution=Resolution(
            word=Word(found.word), reference=found.ref, happened_at=_instant(found.at), is_unread=found.unread
        ),
        reason=found.reason,
        operator=found.operator or user,
        user=user,
    )


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid("--at must be an instant with its zone, such as 2026-11-29T17:30:00Z")
    return at.astimezone(UTC)


def _check(text: str, name: str, length_max: int) -> None:
    if not text.strip() or len(text) > length_max or not text.isprintable():
        raise Invalid(f"{name} must have 1 to {length_max} visible characters")


def _detail(given: _Given, attempt: Attempt, finding: Finding) -> str:
    detail = {
        "reason": given.reason,
        "user": given.user,
        "as": given.resolution.word,
        "is_unread": given.resolution.is_unread,
        "reference": given.resolution.reference,
        "at": None if given.resolution.happened_at is None else iso(given.resolution.happened_at),
        "processor_shows": _word_of(finding),
        "tenant_id": attempt.tenant_id,
        "payment_intent_id": attempt.payment_intent_id,
        "operation": attempt.operation,
        "processor": attempt.processor,
        "was": attempt.status,
        "was_reason": attempt.reason,
    }
    return msgspec.json.encode(detail).decode()


def _word_of(finding: Finding) -> str:
    match finding:
        case Unknown() | NotTaken():
            return f"nothing that decides: {finding.reason}"
        case Approved():
            return f"done: {finding.gateway_ref}"
        case Declined() | Absent():
            return "not done"
        case _:
            return "pending"


def _sentence(attempt: Attempt, end: str) -> str:
    money = f"{attempt.amount_minor} minor units of {attempt.currency}"
    return (
        f"{attempt.operation} of {money}, payment {attempt.payment_intent_id} of tenant {attempt.tenant_id}, "
        f"attempt {attempt.id}: {end}"
    )
