"""The same request twice takes effect once: keys, fingerprints and replays.

    no key yet, or expired      the request runs, and claims the key in the transaction of its effect
    key answered                the stored answer again, byte for byte
    key in progress             409, try again; once its holder's lease has ended, the key is taken over and resumed
    key of another request      422, whatever its state

The key's row is the truth. It is written by the command itself, in the statement that writes the business rows, so a
crash at any moment leaves either nothing or the complete effect together with its answer. What another service does is
claimed first, in progress, and answered when it is done (`routes/keyed.py`).
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.observability.logging import get_logger
from services.api import metrics
from services.api.errors import IdempotencyKeyReused
from services.api.http.problems import refusal
from services.api.idempotency import sql as keys
from services.api.idempotency.sql import Answer, Claim

log = get_logger("api.idempotency")

_KEY = re.compile(r"[!-~]{1,255}\Z")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"\Z')
_LEASE_MARGIN_SECONDS = 30
"""How much longer than the longest request a key is believed to be in good hands."""
_DECIMAL = re.compile(r"(0|[1-9]\d{0,400})(\.\d{1,400})?\Z", re.ASCII)
_VERSION = b"\x02"
"""How a fingerprint is made; the first version had no such byte, so that the two never meet."""
_INTEGER_DIGITS_MAX = 30
"""The greatest power of ten with which a number is written out as a whole one."""
_TRIES_MAX = 3
"""How often a request is run anew because the key it met had vanished when it was looked at."""


class Given(msgspec.Struct, frozen=True):
    """An answer, and whether it is a repetition."""

    answer: Answer
    replayed: bool


def normalise_key(header: str | None) -> str | None:
    """Read an `Idempotency-Key`: bare, or quoted as the IETF draft writes it; both name the same key.

    None when it is missing or not 1 to 255 visible ASCII characters.
    """
    if header is None:
        return None
    text = header.strip()
    quoted = _QUOTED.match(text)
    if quoted:
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    return text if _KEY.match(text) else None


def fingerprint(operation: str, body: bytes) -> bytes:
    """Digest what the client sent: a version and the SHA-256 of the operation with its path, and of the canonical body.

    Made of the members that were sent, not of what we read them into: a member that a later version of ours reads too
    does not change the fingerprint of a request that is repeated. An absent body is as an empty object.
    """
    return _VERSION + hashlib.sha256(operation.encode() + b"\n" + canonical(body)).digest()


def canonical(body: bytes) -> bytes:
    """Write a JSON body in one form: members sorted, strings unescaped, numbers exact; what is not JSON stays as it is.

    An `amount` may be sent as a number or as a numeric string; both are the same.
    """
    text = body.strip()
    if not text:
        return b"{}"
    try:
        read = _decoder.decode(text)
        if isinstance(read, dict) and isinstance(amount := read.get("amount"), str) and _DECIMAL.match(amount):
            read["amount"] = _exact(amount)
        return _encoder.encode(read)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ArithmeticError, ValueError):
        # Where the body is read, this was refused before; elsewhere nobody reads it.
        return text


def _exact(text: str) -> int | Decimal:
    # 1e2, 100.0 and 100 are one number. Never by arithmetic, which would round what is long.
    if _DECIMAL.match(text):
        number = text.rstrip("0") if "." in text else text
        number = number.removesuffix(".")
        return Decimal(number) if "." in number or len(number) > _INTEGER_DIGITS_MAX else int(number)
    sign, digits, power = Decimal(text).as_tuple()
    assert isinstance(power, int), "JSON has no infinity"
    while len(digits) > 1 and digits[-1] == 0:
        digits, power = digits[:-1], power + 1
    exact = Decimal((sign, digits, power))
    return int(exact) if 0 <= power <= _INTEGER_DIGITS_MAX else exact


_decoder = msgspec.json.Decoder(float_hook=_exact)
_encoder = msgspec.json.Encoder(order="sorted", decimal_format="number")


def earlier_fingerprint(operation: str, meaning: Mapping[str, object] | msgspec.Struct | None) -> bytes:
    """Digest what is asked as version 0.1 did: for keys that it has stored, until they expire."""
    return hashlib.sha256(operation.encode() + b"\n" + msgspec.json.encode(meaning, order="sorted")).digest()


class Idempotency:
    """Runs each request once per key and replays its answer."""

    def __init__(self, database: Database, *, clock: Clock, ttl_seconds: int, request_timeout_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._ttl = timedelta(seconds=ttl_seconds)
        self._lease = timedelta(seconds=request_timeout_seconds + _LEASE_MARGIN_SECONDS)

    def claim(
        self,
        *,
        tenant_id: str,
        operation: str,
        key: str,
        body: bytes,
        meaning: Mapping[str, object] | msgspec.Struct | None = None,
    ) -> Claim:
        """State what is requested under which key; nothing is written yet.

        `meaning` is what version 0.1 made its fingerprint of, for the operations that it had.
        """
        now = self._clock.now()
        return Claim(
            tenant_id=tenant_id,
            operation=operation,
            key=key,
            fingerprint=fingerprint(operation, body),
            fingerprint_earlier=earlier_fingerprint(operation, meaning),
            claimed_at=now,
            lease_until=now + self._lease,
            expires_at=now + self._ttl,
        )

    async def run(
        self,
        claim: Claim,
        first: Callable[[], Awaitable[Answer | None]],
        *,
        resume: Callable[[], Awaitable[Answer]] | None = None,
    ) -> Given:
        """Run `first`, which answers None when the key is held by another request; then replay, refuse or resume.

        Raises:
            IdempotencyKeyReused: when the key belongs to a different request.
            HttpProblem: 409 while the first request under this key is at work.
        """
        for _ in range(_TRIES_MAX):
            answer = await first()
            if answer is not None:
                metrics.IDEMPOTENCY.labels("new").inc()
                return Given(answer, replayed=False)
            record = await keys.find(self._database, claim)
            if record is None or record.expires_at <= claim.claimed_at:
                continue
            if record.fingerprint not in (claim.fingerprint, claim.fingerprint_earlier):
                metrics.IDEMPOTENCY.labels("mismatch").inc()
                raise IdempotencyKeyReused
            if record.answer is not None:
                metrics.IDEMPOTENCY.labels("replay").inc()
                return Given(record.answer, replayed=True)
            if resume is not None and record.lease_until <= claim.claimed_at:
                if await keys.take_over(self._database, claim):
                    metrics.IDEMPOTENCY.labels("takeover").inc()
                    return Given(await resume(), replayed=True)
                continue
            break
        metrics.IDEMPOTENCY.labels("in_flight").inc()
        raise refusal(
            "idempotency_in_progress",
            "the first request with this Idempotency-Key is still being answered; try again",
            headers={"Retry-After": "1"},
        )

    async def begin(self, claim: Claim, *, subject_id: UUID) -> bool:
        """Claim a key, committed, before somebody else is asked to do the work; False when another request holds it."""
        return await keys.begin(self._database, claim, subject_id=subject_id)

    async def subject_of(self, claim: Claim) -> UUID | None:
        """Look up what the request that came first under a key is about."""
        return await keys.subject_of(self._database, claim)

    async def complete(self, claim: Claim, answer: Answer) -> None:
        """Keep the answer of work that was done. Where it cannot be kept, a repetition asks for the same work again."""
        try:
            await keys.complete(self._database, claim, answer, at=self._clock.now())
        except Exception:
            log.warning("idempotency_key.not_completed", operation=claim.operation, exc_info=True)

    async def let_go(self, claim: Claim, *, subject_id: UUID, is_free: bool) -> None:
        """Free a key under which nothing was done, or let a repetition take over at once; else its lease ends by itself."""
        try:
            if is_free:
                await keys.free(self._database, claim, subject_id=subject_id)
            else:
                await keys.end_lease(self._database, claim, subject_id=subject_id)
        except Exception:
            log.warning("idempotency_key.not_let_go", operation=claim.operation, exc_info=True)
