"""What happens to the payments of one account at Stripe: by the merchant, the customer, banks, other systems and time."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg

from deploy.fake_stripe import balance, disputes, payments, payouts, refunds
from deploy.fake_stripe.books import Books, Object
from deploy.fake_stripe.refusals import Refusal
from tests.proof.courses import Course, drawn
from tests.support.platform import Answer, Client

TOGETHER_MAX = 64
"""Requests that the merchant makes at a time."""
REPEATS_MAX = 60
"""How often a request is repeated that was not answered for good, with its key."""
FOLLOW_SECONDS = 0.3
COMMITTED_LATE = timedelta(minutes=1)
"""How much later than the instant that it bears a change may be committed."""
OPEN_MAX = 64
"""Payments of the merchant that are worked on at a time: as many new ones are made as have ended."""
STALLED_SECONDS = 300
"""For how long no payment may end while others wait to be made."""
_AGAIN = frozenset({409, 429, 500, 502, 503, 504})
_OPEN_REFUNDS = frozenset({"pending", "requires_action"})
_ELSEWHERE = ("charge", "hold", "adjustment", "stripe_fee", "tax_fee", "reserved_funds", "topup", "", "")
"""What others do with the account; empty: nothing."""
_ELSEWHERE_REQUEST = {
    "currency": "brl",
    "payment_method": "pm_card_visa",
    "confirm": "true",
    "automatic_payment_methods": {"enabled": "true", "allow_redirects": "never"},
}
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_CHANGED = """
SELECT id, status, amount_minor, captured_minor, currency, updated_at FROM api.payment_intents
 WHERE tenant_id = $2 AND updated_at >= $1 AND status IN ('REQUIRES_ACTION', 'AUTHORIZED', 'SETTLED', 'FAILED', 'EXPIRED')
 ORDER BY updated_at
"""
_UNDECIDED = """
SELECT count(*) FROM api.payment_intents
 WHERE tenant_id = $1 AND status IN ('CREATED', 'PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED')
"""
_AT_WORK = """
SELECT (SELECT count(*) FROM api.payment_intents AS p
         WHERE tenant_id = $1 AND status IN ('CREATED', 'PROCESSING', 'REQUIRES_ACTION', 'AUTHORIZED') AND NOT EXISTS (
               SELECT FROM gateway.attempts AS a WHERE a.payment_intent_id = p.id AND a.tenant_id = p.tenant_id
                  AND a.status = 'UNKNOWN' AND a.next_ask_at > now() + interval '30 seconds'))
     + (SELECT count(*) FROM gateway.attempts
         WHERE tenant_id = $1 AND operation <> 'authorize' AND status = 'PENDING')
"""
"""What is still to be done at once, without what only waits for a look-up."""


class Happenings:
    """A merchant's payments, and everybody else who moves money of the account."""

    def __init__(self, merchant: Client, books: Books, database: asyncpg.Pool, chance: random.Random) -> None:
        self.merchant = merchant
        self.tenant_id = merchant.tenant
        self.books = books
        self.database = database
        self.chance = chance
        self.counted: Counter[str] = Counter()
        """What happened how often."""
        self.offered = 0
        """Payments that were made so far."""
        self._places = asyncio.Semaphore(TOGETHER_MAX)
        self._room = 0
        self.saved: dict[str, dict[str, Any]] = {}
        """What names each saved card in a payment."""
        self._course: dict[str, Course] = {}
        self._courses = drawn(chance)
        self._elsewhere = random.Random(chance.random()).sample(_ELSEWHERE, len(_ELSEWHERE))
        self._acted: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._since = _FIRST
        self._foreign: list[Object] = []

    async def pay(self, count: int) -> None:
        """Make and confirm so many payments, each with a course of its own: as many as others have ended, so that none of them
        waits for its turn for so long that Stripe may have forgotten its key."""

        async def worker() -> None:
            while self.offered < count:
                if self._room <= 0:
                    await asyncio.sleep(FOLLOW_SECONDS)
                    continue
                self._room -= 1
                self.offered += 1
                await self._pay(next(self._courses), amount=self.chance.randrange(500, 50_000))

        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(worker()) for _ in range(TOGETHER_MAX // 2)]
            ended_at = time.monotonic()
            while not all(each.done() for each in workers):
                at_work = await self.database.fetchval(_AT_WORK, self.tenant_id)
                self._room = OPEN_MAX - at_work
                ended_at = time.monotonic() if self._room > 0 else ended_at
                assert time.monotonic() - ended_at < STALLED_SECONDS, (
                    f"{at_work} payments are open, and none of them ends"
                )
                await asyncio.sleep(FOLLOW_SECONDS)

    async def _pay(self, course: Course, *, amount: int) -> None:
        body = course.body(amount, self.chance.choice(["BRL", "BRL", "USD"]), self.saved)
        made = await self._ask("/v1/payment-intents", body)
        assert made.status == 200, made.raw
        self._course[made.json["id"]] = course
        confirmed = await self._ask(f"/v1/payment-intents/{made.json['id']}/confirm", {})
        assert confirmed.status in {200, 202}, confirmed.raw
        self.counted[f"paid by {course.name}"] += 1

    async def _ask(self, path: str, body: dict[str, Any]) -> Answer:
        """Make a request until it is answered for good, always with the same key."""
        key = str(uuid4())
        for number in range(REPEATS_MAX):
            try:
                async with self._places:
                    answer = await self.merchant.call("POST", path, body, key=key)
            except (aiohttp.ClientError, TimeoutError):
                pass
            else:
                in_progress = answer.status == 409 and answer.json.get("code") != "idempotency_in_progress"
                if answer.status not in _AGAIN or in_progress:
                    return answer
            await asyncio.sleep(min(2.0, 0.1 * 2**number))
        raise AssertionError(f"{path} was not answered for good")

    async def follow(self) -> None:
        """Go on with each payment as soon as it has come to where its course begins."""
        while True:
            await self._follow_once()
            for task in [task for task in self._tasks if task.done()]:
                self._tasks.discard(task)
                task.result()
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _follow_once(self, *, all_of_them: bool = False) -> int:
        rows = await self.database.fetch(_CHANGED, _FIRST if all_of_them else self._since, self.tenant_id)
        if rows:
            self._since = rows[-1]["updated_at"] - COMMITTED_LATE
        new = [row for row in rows if (str(row["id"]), row["status"]) not in self._acted]
        for row in new:
            self._acted.add((str(row["id"]), row["status"]))
            self._tasks.add(asyncio.create_task(self._go_on(str(row["id"]), row)))
        return len(new)

    async def all_followed(self) -> bool:
        """Return whether every payment has ended its course or waits for time and banks."""
        found = await self.database.fetchval(_UNDECIDED, self.tenant_id)
        return not found and not self._tasks and not await self._follow_once(all_of_them=True)

    async def _go_on(self, intent: str, row: asyncpg.Record) -> None:
        match row["status"]:
            case "REQUIRES_ACTION" | "EXPIRED" if self._course[intent].slip:
                await self._end_slip(intent, self._course[intent].then, row["status"])
            case "REQUIRES_ACTION" if self._course[intent].then == "replace":
                await self._replace(intent)
            case "FAILED" if self._course[intent].then == "paid":
                self._pay_otherwise(intent)
            case "REQUIRES_ACTION":
                outcome = self.chance.choice([True, True, False])
                self._at_stripe(intent, lambda found: payments.prove(self.books, found, is_proven=outcome))
            case "AUTHORIZED" if self._course[intent].is_manual:
                await self._end_hold(intent, self._course[intent].then, row["amount_minor"])
            case "SETTLED":
                await self._afterwards(intent, row["captured_minor"])

    async def _replace(self, intent: str) -> None:
        """Let the customer name another card, while some of them prove who they are for the first one in the same moment."""
        if self.chance.random() < 0.5:
            self._at_stripe(intent, lambda found: payments.prove(self.books, found, is_proven=True))
            self.counted["proven and replaced"] += 1
        body = {
            "payment_method": self.chance.choice(["pm_card_visa", "pm_card_bypassPending", "pm_card_chargeDeclined"])
        }
        answer = await self._ask(f"/v1/payment-intents/{intent}/confirm", body)
        self.counted[f"replaced: {answer.json['status']}"] += 1

    async def _end_slip(self, intent: str, then: str, status: str) -> None:
        """Let the customer pay a code or a slip, in time or once it has expired, or leave it."""
        if status == "EXPIRED":
            if then == "late":
                self._at_stripe(intent, lambda found: payments.pay(self.books, found))
        elif then == "void":
            # Some of them pay in the same moment.
            if self.chance.random() < 0.5:
                self._at_stripe(intent, lambda found: payments.pay(self.books, found))
            await self._ask(f"/v1/payment-intents/{intent}/void", {})
        elif then == "pay":
            self._at_stripe(intent, lambda found: payments.pay(self.books, found))
        else:
            self._at_stripe(intent, lambda found: payments.lapse(self.books, found))
        self.counted[f"slip {status}: {then}"] += 1

    def _pay_otherwise(self, intent: str) -> None:
        """Let somebody with the client secret pay what was declined with another card, where it is not cancelled yet, and somebody
        capture it."""

        def act(found: Object) -> None:
            payments.confirm(self.books, found, {"payment_method": "pm_card_visa"})
            payments.capture(self.books, found, {})
            self.counted["declined and paid"] += 1

        self._at_stripe(intent, act)

    async def _end_hold(self, intent: str, then: str, amount: int) -> None:
        path = f"/v1/payment-intents/{intent}"
        if then == "expire":
            self._at_stripe(intent, lambda found: payments.expire(self.books, found))
        elif then == "by hand":
            params = {"amount_to_capture": str(self.chance.randrange(250, amount))}
            self._at_stripe(intent, lambda found: payments.capture(self.books, found, params))
        elif then == "void":
            await self._ask(f"{path}/void", {})
        else:
            part = amount if then == "capture" else self.chance.randrange(250, amount)
            await self._ask(f"{path}/capture", {"amount": _decimal(part)})
        self.counted[f"hold: {then}"] += 1

    async def _afterwards(self, intent: str, captured: int) -> None:
        """Some payments are given back or disputed, a few of them at the same moment."""
        lot = self.chance.random()
        if lot < 0.12:
            await self._give_back(intent, captured)
        if 0.1 < lot < 0.16:
            self._by_hand(intent, captured)
        # Neither Pix nor boleto can be disputed.
        if (0.15 < lot < 0.2 or lot < 0.005) and not self._course[intent].slip:
            self._dispute(intent, captured)

    async def _give_back(self, intent: str, captured: int) -> None:
        amount = captured if self.chance.random() < 0.3 else self.chance.randrange(1, captured + 1)
        answer = await self._ask(f"/v1/payment-intents/{intent}/refund", {"amount": _decimal(amount)})
        self.counted[f"refund: {answer.status}"] += 1

    def _by_hand(self, intent: str, captured: int) -> None:
        params = {"amount": str(self.chance.randrange(1, captured + 1))}
        if self.books.platform is not None and self.chance.random() < 0.5:
            params["refund_application_fee"] = "true"
        self._at_stripe(
            intent, lambda found: refunds.create_refund(self.books, params | {"payment_intent": found["id"]})
        )
        self.counted["refund at Stripe"] += 1

    def _dispute(self, intent: str, captured: int) -> None:
        status = self.chance.choice(["warning_needs_response", "needs_response", "needs_response", "prevented"])
        amount = self.chance.randrange(1, captured + 1)

        def act(found: Object) -> None:
            charge = self.books.charges[found["latest_charge"]]
            opened = disputes.open_dispute(self.books, charge, amount, status=status)
            if status == "needs_response" and self.chance.random() < 0.3:
                disputes.change_amount(self.books, opened, self.chance.randrange(1, captured + 1))

        self._at_stripe(intent, act)
        self.counted[f"dispute: {status}"] += 1

    def _at_stripe(self, intent: str, act: Callable[[Object], Any]) -> None:
        """Do something with the payment as Stripe has it; what Stripe refuses does not happen."""
        found = [
            each for each in self.books.payment_intents.values() if each["metadata"].get("payment_intent_id") == intent
        ]
        try:
            act(found[-1])
        except Refusal:
            self.counted["refused by Stripe"] += 1

    async def elsewhere(self) -> None:
        """Let other systems and Stripe move money of the account, of which we know nothing."""
        kind = self._elsewhere.pop() if self._elsewhere else self.chance.choice(_ELSEWHERE)
        amount = self.chance.randrange(100, 20_000)
        if kind == "charge":
            self._foreign.append(charge_elsewhere(self.books, amount))
        elif kind == "hold":
            hold_elsewhere(self.books, amount)
        elif kind:
            is_coming = kind == "topup" or (kind == "adjustment" and self.chance.random() < 0.5)
            params = {"type": kind, "amount": str(amount if is_coming else -amount), "currency": "brl"}
            moved = balance.move_alone(self.books, params)
            if kind in {"adjustment", "topup"}:
                self._foreign.append(moved)
        self.counted[f"elsewhere: {kind or 'nothing'}"] += 1

    def foreign(self) -> dict[str, int]:
        """What others moved through the account, for each currency: credits of SUSPENSE are below zero."""
        found: Counter[str] = Counter()
        for moved in self._foreign:
            found[moved["currency"].upper()] -= moved["amount"]
        return {currency: net for currency, net in found.items() if net}

    async def days(self, count: int) -> None:
        """Let banks decide, payouts be made and end, and the merchant give back some more."""
        for refund in [each for each in self.books.refunds.values() if each["status"] in _OPEN_REFUNDS]:
            if self.chance.random() < 0.3:
                refunds.finish_refund(self.books, refund, self.chance.choice(["succeeded", "succeeded", "failed"]))
        for dispute in [each for each in self.books.disputes.values() if self.chance.random() < 0.3]:
            self._decide(dispute, self.chance.choice(["won", "lost", "needs_response", "appeal_needs_response"]))
        for _ in range(3):
            await self.elsewhere()
        payouts.pay_out(self.books)
        for payout in list(self.books.payouts.values()):
            if self.chance.random() < 0.4:
                self._end_payout(payout, self.chance.choice(["paid", "paid", "paid", "failed", "canceled", "reversed"]))
        rows = await self.database.fetch(
            "SELECT id, captured_minor FROM api.payment_intents WHERE tenant_id = $3 "
            "AND status IN ('SETTLED', 'PARTIALLY_REFUNDED') ORDER BY md5(id::text || $1) LIMIT $2",
            str(self.chance.random()),
            count,
            self.tenant_id,
        )
        await asyncio.gather(*(self._afterwards(str(row["id"]), row["captured_minor"]) for row in rows))

    def _decide(self, dispute: Object, outcome: str) -> None:
        try:
            disputes.change_dispute(self.books, dispute, outcome)
            self.counted[f"dispute: {outcome}"] += 1
        except Refusal:
            self.counted["refused by Stripe"] += 1

    def _end_payout(self, payout: Object, outcome: str) -> None:
        try:
            if outcome == "reversed":
                payouts.reverse_payout(self.books, payout, {})
            else:
                payouts.finish_payout(self.books, payout, outcome)
            self.counted[f"payout: {outcome}"] += 1
        except Refusal:
            self.counted["refused by Stripe"] += 1

    async def finish(self) -> None:
        """Let everything come to an end that is still open at Stripe."""
        for refund in [each for each in self.books.refunds.values() if each["status"] in _OPEN_REFUNDS]:
            refunds.finish_refund(self.books, refund, "succeeded")
        for dispute in list(self.books.disputes.values()):
            if dispute["status"] not in {"won", "lost", "prevented", "warning_closed"}:
                closed = "warning_closed" if dispute["status"].startswith("warning") else "lost"
                disputes.change_dispute(self.books, dispute, closed)
        for payout in list(self.books.payouts.values()):
            if payout["status"] in {"pending", "in_transit"}:
                payouts.finish_payout(self.books, payout, "paid")


def _decimal(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}"


def charge_elsewhere(books: Books, amount: int) -> Object:
    """Let another system charge a card through the account; returns the movement."""
    made = payments.create(books, _ELSEWHERE_REQUEST | {"amount": str(amount), "capture_method": "automatic"})
    charge = books.charges[made["latest_charge"]]
    return books.balance_transactions[charge["balance_transaction"]]


def hold_elsewhere(books: Books, amount: int) -> None:
    """Let another system hold money of a card until that expires: in versions before `basil` a charge, and its release."""
    made = payments.create(books, _ELSEWHERE_REQUEST | {"amount": str(amount), "capture_method": "manual"})
    payments.expire(books, made)
