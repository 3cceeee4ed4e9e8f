"""Payments by careful clients at several processes of the api, with all that they see."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec

from libs.common.money import format_minor
from services.api.payments.domain.lifecycle import Status
from tests.proof.chaos.history import Act, Seen, State

CUSTOMER = "chaos"
"""Whose payments these are."""
IN_FLIGHT_MAX = 600
"""Payments that are made at a time; while so many wait for the platform, no more begin."""
TRY_SECONDS = 25.0
"""How long a client waits for an answer before it tries again."""
INSIST_SECONDS = 180.0
"""How long a client tries again with one key."""
PAUSE_SECONDS = 0.25
"""Between two tries."""
LOOK_SECONDS = (0.1, 0.3, 0.6, 1.0, 2.0)
"""Between two readings of a payment that has not ended; the last of them for ever."""
ENDED_SECONDS = 180.0
"""How long a client looks for the end of its payment."""
WATCHED_EVERY = 10
"""One payment in so many is read by a second client while it is confirmed."""
WATCH_READS = 6
WATCH_SECONDS = 0.02
REFUSED_CARD = "pm_card_chargeDeclined"


class Course(StrEnum):
    """What is to become of a payment."""

    PAY = "pay"
    REFUND = "refund"
    REFUND_PART = "refund-part"
    CAPTURE = "capture"
    VOID = "void"
    DECLINE = "decline"
    CANCEL = "cancel"
    """It is voided, and never confirmed."""


SHARES: Mapping[Course, int] = MappingProxyType(
    {
        Course.PAY: 12,
        Course.REFUND: 2,
        Course.REFUND_PART: 1,
        Course.CAPTURE: 2,
        Course.VOID: 1,
        Course.DECLINE: 1,
        Course.CANCEL: 1,
    }
)
ENDS: Mapping[Course, Status] = MappingProxyType(
    {
        Course.PAY: Status.SETTLED,
        Course.REFUND: Status.REFUNDED,
        Course.REFUND_PART: Status.PARTIALLY_REFUNDED,
        Course.CAPTURE: Status.SETTLED,
        Course.VOID: Status.VOIDED,
        Course.DECLINE: Status.FAILED,
        Course.CANCEL: Status.VOIDED,
    }
)
"""How each must end."""


class Payment(msgspec.Struct, kw_only=True):
    """One payment, and what its clients saw of it."""

    course: Course
    amount_minor: int
    id: str = ""
    history: list[Seen] = []
    accepted_at: float | None = None
    """When its confirmation, or what it has instead, was answered, by the monotonic clock."""

    @property
    def is_manual(self) -> bool:
        """Whether it is captured by request alone."""
        return self.course in {Course.CAPTURE, Course.VOID}

    @property
    def captured_minor(self) -> int:
        """What must have been captured in the end."""
        return self.amount_minor if ENDS[self.course] not in {Status.VOIDED, Status.FAILED} else 0

    @property
    def refunded_minor(self) -> int:
        """What must have been given back in the end."""
        return {Course.REFUND: self.amount_minor, Course.REFUND_PART: self.amount_minor // 3}.get(self.course, 0)


class Unexpected(Exception):
    """An answer that no outage explains."""


class Load:
    """Makes payments; each is an independent client that tries again with the same key after every lost answer."""

    def __init__(
        self, http: aiohttp.ClientSession, bases: Sequence[str], *, token: str, tenant: str, seed: int
    ) -> None:
        self._http = http
        self._bases = bases
        self._headers = {"Authorization": f"Bearer {token}", "X-Tenant-Id": tenant, "Content-Type": "application/json"}
        self._chance = random.Random(seed)
        self.payments: list[Payment] = []
        self.tries: Counter[str] = Counter()
        """Tries by what came of them: a status, or the kind of an error."""
        self.unexpected: list[str] = []
        """Answers that no outage explains, and payments that did not end for their clients."""

    async def run(self, per_second: float, stop: asyncio.Event) -> None:
        """Begin so many payments a second until `stop`; returns when all of them have ended for their clients."""
        courses = list(SHARES)
        weights = list(SHARES.values())
        places = asyncio.Semaphore(IN_FLIGHT_MAX)
        begun = time.monotonic()

        async def make(course: Course) -> None:
            try:
                await self.pay(course)
            finally:
                places.release()

        number = 0
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                await places.acquire()
                group.create_task(make(self._chance.choices(courses, weights)[0]))
                number += 1
                due = begun + number / per_second
                if (late := time.monotonic() - due) > 1:
                    # What an outage has held up is not made up for in a burst.
                    begun += late
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def pay(self, course: Course = Course.PAY, *, at: str = "") -> Payment:
        """Make one payment to its end, at one process of the api or at all of them in turn."""
        payment = Payment(course=course, amount_minor=self._chance.randrange(300, 50_000))
        self.payments.append(payment)
        try:
            await self._make(payment, (at,) if at else self._bases)
        except (Unexpected, TimeoutError) as fault:
            self.unexpected.append(f"{course} {payment.id or '(never created)'}: {fault!r}")
        return payment

    async def _make(self, payment: Payment, bases: Sequence[str]) -> None:
        client = _Client(self, payment, bases)
        body = {
            "amount": format_minor(payment.amount_minor, "BRL"),
            "currency": "BRL",
            "customer_ref": CUSTOMER,
            "capture_method": "manual" if payment.is_manual else "automatic",
            "payment_method": REFUSED_CARD if payment.course is Course.DECLINE else "pm_card_visa",
        }
        payment.id = (await client.request(Act.CREATE, "/v1/payment-intents", body))["id"]
        if payment.course is not Course.CANCEL:
            async with _watched(client, is_watched=len(self.payments) % WATCHED_EVERY == 0):
                await client.command(Act.CONFIRM)
        payment.accepted_at = time.monotonic()
        match payment.course:
            case Course.CAPTURE:
                await client.look_for(Status.AUTHORIZED)
                await client.command(Act.CAPTURE)
            case Course.VOID | Course.CANCEL:
                if payment.course is Course.VOID:
                    await client.look_for(Status.AUTHORIZED)
                await client.command(Act.VOID)
            case Course.REFUND | Course.REFUND_PART:
                await client.look_for(Status.SETTLED)
                amount = format_minor(payment.refunded_minor, "BRL")
                await client.command(Act.REFUND, {"amount": amount, "reason": "chaos"})
        await client.look_for(ENDS[payment.course])

    async def send(
        self, method: str, base: str, path: str, body: Mapping[str, Any] | None, key: str
    ) -> tuple[int, Any] | None:
        """Make one try; None where no answer came."""
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        sent = None if body is None else msgspec.json.encode(body)
        try:
            async with (
                asyncio.timeout(TRY_SECONDS),
                self._http.request(method, base + path, data=sent, headers=headers) as answer,
            ):
                raw = await answer.read()
        except (OSError, aiohttp.ClientError, TimeoutError) as fault:
            self.tries[type(fault).__name__] += 1
            return None
        self.tries[str(answer.status)] += 1
        return answer.status, msgspec.json.decode(raw) if raw else None

    def pick(self, bases: Sequence[str]) -> str:
        """Choose the process that gets the next try, as a balancer would."""
        return self._chance.choice(bases)


class _Client:
    """Who makes one payment."""

    def __init__(self, load: Load, payment: Payment, bases: Sequence[str]) -> None:
        self._load = load
        self._payment = payment
        self._bases = bases

    @property
    def _path(self) -> str:
        return f"/v1/payment-intents/{self._payment.id}"

    async def command(self, act: Act, body: Mapping[str, Any] | None = None) -> None:
        """Request something of the payment."""
        await self.request(act, f"{self._path}/{act}", body)

    async def request(self, act: Act, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Request something under one key until it is answered, and note what the answer shows.

        Raises:
            Unexpected: when the answer is one that no outage explains.
            TimeoutError: when nothing is answered for minutes.
        """
        began, key = time.monotonic(), uuid4().hex
        # Whoever reads meanwhile may see its effect, at any time from now on.
        place = len(self._payment.history)
        self._payment.history.append(Seen(act=act, began=began, client=act))
        async with asyncio.timeout(INSIST_SECONDS):
            while True:
                answer = await self._load.send("POST", self._load.pick(self._bases), path, body, key)
                if answer is not None:
                    status, shown = answer
                    if status in {200, 201, 202}:
                        break
                    if status not in {429, 503} and shown.get("code") != "idempotency_in_progress":
                        raise Unexpected(f"{act}: {status} {shown}")
                await asyncio.sleep(PAUSE_SECONDS)
        is_refund = act is Act.REFUND
        self._payment.history[place] = Seen(
            act=act,
            began=began,
            ended=time.monotonic(),
            shows=None if is_refund else _state(shown),
            at_least=self._given_back() if is_refund and shown["status"] == "COMPLETED" else None,
            client=act,
        )
        return shown

    def _given_back(self) -> State:
        payment = self._payment
        return State(ENDS[payment.course], payment.amount_minor, payment.refunded_minor)

    async def look(self, client: str = "payer") -> State | None:
        """Read the payment once; None where no answer came."""
        began = time.monotonic()
        answer = await self._load.send("GET", self._load.pick(self._bases), self._path, None, "")
        if answer is None or answer[0] in {429, 503}:
            return None
        status, shown = answer
        if status not in {200, 404}:
            raise Unexpected(f"read: {status} {shown}")
        shows = _state(shown) if status == 200 else State("ABSENT")
        self._payment.history.append(
            Seen(act=Act.READ, began=began, ended=time.monotonic(), shows=shows, client=client)
        )
        return shows

    async def look_for(self, status: Status) -> None:
        """Read the payment until it has a status.

        Raises:
            Unexpected: when it has ended otherwise, or has not got there in time.
        """
        until, number = time.monotonic() + ENDED_SECONDS, 0
        shown: State | None = None
        while time.monotonic() < until:
            shown = await self.look() or shown
            if shown is not None and shown.status == status:
                return
            if shown is not None and shown.status in {Status.VOIDED, Status.FAILED, Status.EXPIRED}:
                raise Unexpected(f"{shown} instead of {status}")
            await asyncio.sleep(LOOK_SECONDS[min(number, len(LOOK_SECONDS) - 1)])
            number += 1
        raise Unexpected(f"still {shown} instead of {status} after {ENDED_SECONDS:g} s")


@asynccontextmanager
async def _watched(client: _Client, *, is_watched: bool) -> AsyncIterator[None]:
    """Let a second client read the payment while the block goes on."""

    async def watch() -> None:
        for _ in range(WATCH_READS):
            await client.look("watcher")
            await asyncio.sleep(WATCH_SECONDS)

    task = asyncio.create_task(watch()) if is_watched else None
    yield
    if task is not None:
        await task


def _state(intent: Mapping[str, Any]) -> State:
    captured, refunded = (int(intent[name].replace(".", "")) for name in ("captured_amount", "refunded_amount"))
    return State(intent["status"], captured, refunded)
