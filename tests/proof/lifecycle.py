"""Random histories of payments over api, gateway and ledger: whatever happens in whatever order, the books agree.

    python -m tests.proof.lifecycle --sequences 20000

Hypothesis draws the histories: which payments, with which misfortunes at the processor, which commands in which order and
with which amounts, twice under one key or at the same moment, what is handled when, how often, in which order, and how much
time passes in between. Each history leads a few payments at once, each through a sequence of its own. When it comes to
rest, these must hold for every payment:

- captured is at most authorized; refunded and disputed together are at most captured
- of the authorizations of one payment at most one holds or takes money at the processor, or can still be proven; none
  once the payment has ended without money
- what the api believes, what the processor's own book says and what the ledger has posted are the same
- the clearing accounts are empty, but for disputes that are still open
- nothing is a dead letter, and nothing is in progress any more
"""

import argparse
import asyncio
import random
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from deploy.local import servers as local
from libs.common.contracts.gateway_methods import PaymentMethodType
from libs.common.errors import Rejected
from libs.common.web.errors import HttpProblem
from services.api.payments.domain import CaptureMethod, Status
from services.gateway.processors.sandbox.nouns import Hold, SandboxPayment
from tests.proof.world import World, open_world

PAYMENTS = 10
"""Payments that one history leads."""
STEPS_MAX = 20
"""Rules that one history applies."""

# Ordinary ones, and every misfortune of the sandbox that ends by itself.
ENDINGS = (
    *(0, 0, 0, 0, 0, 0, 0, 0, 9001, 9005, 9005, 9011, 9012, 9013, 9021, 9022, 9031, 9033, 9034, 9035),
    *(9041, 9042, 9043, 9044, 9061, 9062, 9063, 9071, 9072, 9073),
)
SLIP_ENDINGS = (0, 0, 9_011, 9_045, 9_046, 9_047, 9_047, 9_048, 9_072)
"""Of what is paid by a code or a slip: paid, never paid, expired, paid too late, paid before the answer."""
REFUNDS = (None, 100, 2_500, 9_051, 9_052, 9_053, 9_054, 9_055, 9_056)
CAPTURES = (None, None, 9_000, 10_000, 9_073)


_REPORT_EVERY = 500
"""After how many sequences a long run says how far it is."""


_HOLDING = frozenset({Hold.HELD, Hold.CAPTURED})
"""The states in which a payment at the processor holds or has taken money."""
_WITHOUT_MONEY = frozenset({Status.VOIDED, Status.FAILED, Status.EXPIRED})
"""The statuses of a payment that has ended with nothing taken."""


class Step(msgspec.Struct, frozen=True):
    """One command of one history."""

    payment: int
    command: str
    amount_minor: int | None
    twice: bool


class Payment(msgspec.Struct, frozen=True):
    """What one merchant wishes to be paid, and how."""

    amount_minor: int
    method: CaptureMethod
    paid_by: PaymentMethodType
    is_meant: bool
    """Whether it is confirmed at once."""


def _paid(paid_by: PaymentMethodType) -> st.SearchStrategy[Payment]:
    is_slip = paid_by.is_asynchronous
    return st.builds(
        lambda leading, ending, method, is_meant: Payment(leading * 10_000 + ending, method, paid_by, is_meant),
        st.integers(1, 3),
        st.sampled_from(SLIP_ENDINGS if is_slip else ENDINGS),
        st.just(CaptureMethod.AUTOMATIC) if is_slip else st.sampled_from(CaptureMethod),
        st.sampled_from((True, True, False)),
    )


payments = st.lists(
    st.sampled_from((*(PaymentMethodType.CARD,) * 6, PaymentMethodType.PIX, PaymentMethodType.BOLETO)).flatmap(_paid),
    min_size=PAYMENTS,
    max_size=PAYMENTS,
)
_OF = {"confirm": (None,), "confirm_again": (None,), "capture": CAPTURES, "void": (None,), "refund": REFUNDS}
steps = st.lists(
    st.sampled_from(
        (
            "confirm",
            "confirm_again",
            "confirm_again",
            "capture",
            "capture",
            "void",
            "refund",
            "refund",
            "refund",
            "refund",
        )
    ).flatmap(
        lambda command: st.builds(
            Step,
            payment=st.integers(0, PAYMENTS - 1),
            command=st.just(command),
            amount_minor=st.sampled_from(_OF[command]),
            twice=st.booleans(),
        )
    ),
    min_size=1,
    max_size=2 * PAYMENTS,
)


class Histories(RuleBasedStateMachine):
    """One history: its rules are what clients, the post and the clock do."""

    world: World
    runner: asyncio.Runner
    ended: Counter[str]
    """How many payments of all histories ended in which status."""

    def __init__(self) -> None:
        super().__init__()
        self.tenant_id = f"t-{uuid4().hex[:16]}"
        self.intents: list[UUID] = []
        # Shuffling is drawn once, as a seed: hypothesis repeats a history exactly, and shrinks what matters.
        self.chance = random.Random(0)
        self.runner.run(self.world.forget())

    @initialize(drawn=payments, seed=st.integers(0, 2**32 - 1))
    def create(self, drawn: list[Payment], seed: int) -> None:
        """Some merchants wish to be paid, and most of them mean it."""
        self.chance.seed(seed)

        async def run() -> None:
            for number, payment in enumerate(drawn):
                key = f"first-{number}"
                intent = await self.world.create(
                    self.tenant_id,
                    amount_minor=payment.amount_minor,
                    method=payment.method,
                    paid_by=payment.paid_by,
                    key=key,
                )
                self.intents.append(intent)
                if payment.is_meant:
                    await self.world.ask(self.tenant_id, intent, "confirm", amount_minor=None, key=key)

        self.runner.run(run())

    @rule(drawn=steps)
    def ask(self, drawn: list[Step]) -> None:
        """Clients ask, all at the same moment."""

        async def one(step: Step, key: str) -> None:
            try:
                await self.world.ask(
                    self.tenant_id,
                    self.intents[step.payment],
                    step.command,
                    amount_minor=step.amount_minor,
                    key=key,
                )
            except (Rejected, HttpProblem):
                return  # A refusal is an answer.

        async def run() -> None:
            keys = [uuid4().hex for _ in drawn]
            requests = [one(step, key) for step, key in zip(drawn, keys, strict=True)]
            requests += [one(step, key) for step, key in zip(drawn, keys, strict=True) if step.twice]
            await asyncio.gather(*requests)

        self.runner.run(run())

    @rule(share=st.sampled_from((0.2, 0.5, 0.9, 1.0)), doubled=st.sampled_from((0.0, 0.1, 0.5)))
    def deliver(self, share: float, doubled: float) -> None:
        """Some of what was published is handled, in any order, and some of it again later."""
        self.runner.run(self.world.deliver(self.chance, share=share, doubled=doubled))

    @rule(seconds=st.sampled_from((1, 2, 3, 10, 45)))
    def pass_time(self, seconds: int) -> None:
        """Time passes, and the workers work."""

        async def run() -> None:
            self.world.clock.advance(timedelta(seconds=seconds))
            await self.world.work()

        self.runner.run(run())

    @rule()
    def rest(self) -> None:
        """Everything that was requested so far comes to its end; what is held stays so."""
        self.runner.run(self._rest(holds_end=False))

    @invariant()
    def the_processor_never_gives_more_than_it_took(self) -> None:
        """Whatever has been handled of it so far."""
        if not self.intents:
            return
        for payments in self.runner.run(self._processor()).values():
            assert sum(payment.hold in _HOLDING for payment in payments) <= 1, payments
            for payment in payments:
                assert payment.captured_minor <= payment.authorized_minor
                assert payment.refunded_minor + payment.disputed_minor <= payment.captured_minor

    def teardown(self) -> None:
        """Let it come to rest, and compare everybody's books."""
        if self.intents:
            self.runner.run(self._rest(holds_end=True))
            self.ended.update(self.runner.run(self._statuses()))
            if self.ended.total() % _REPORT_EVERY == 0:
                print(f"{self.ended.total()} sequences: {dict(self.ended)}", flush=True)

    async def _statuses(self) -> list[str]:
        rows = await self.world.eyes.fetch(
            "SELECT status FROM api.payment_intents WHERE tenant_id = $1", self.tenant_id
        )
        return [row["status"] for row in rows]

    async def _processor(self) -> dict[UUID, list[SandboxPayment]]:
        rows = await self.world.eyes.fetch(
            "SELECT body FROM gateway.sandbox_payments WHERE body::json ->> 'tenant_id' = $1", self.tenant_id
        )
        found = (msgspec.json.decode(row["body"], type=SandboxPayment) for row in rows)
        payments: dict[UUID, list[SandboxPayment]] = {}
        for payment in found:
            payments.setdefault(payment.payment_intent_id, []).append(payment)
        return payments

    async def _rest(self, *, holds_end: bool) -> None:
        await self.world.come_to_rest(self.chance, holds_end=holds_end)
        assert not self.world.post.dead, "\n".join(self.world.post.dead)
        processor = await self._processor()
        intents = await self.world.eyes.fetch("SELECT * FROM api.payment_intents WHERE tenant_id = $1", self.tenant_id)
        assert len(intents) == len(self.intents)
        books = await self._books()
        for intent in intents:
            if holds_end:
                assert intent["status"] != Status.AUTHORIZED, dict(intent)
            made = processor.get(intent["id"], [])
            # Of several authorizations the one that took money, if any did.
            taken = max(made, key=lambda payment: payment.captured_minor, default=None)
            _compare(dict(intent), taken, books.get(intent["id"], {}))
            assert len(made) <= intent["attempt"] + 1, made
            open_ones = [payment for payment in made if payment.hold in {*_HOLDING, Hold.ACTION}]
            has_ended = holds_end and intent["status"] in _WITHOUT_MONEY
            assert len(open_ones) <= (0 if has_ended else 1), (dict(intent), made)
        assert await self.world.eyes.fetchval(_PENDING_REFUNDS, self.tenant_id) == 0
        assert await self.world.eyes.fetchval(_UNBALANCED, self.tenant_id) is None
        assert await self.world.disagreements(self.tenant_id) == []

    async def _books(self) -> dict[UUID, dict[str, int]]:
        found: dict[UUID, dict[str, int]] = {}
        for row in await self.world.eyes.fetch(_BOOKS, self.tenant_id):
            found.setdefault(row["payment_intent_id"], {})[row["code"]] = int(row["balance"])
        return found


_BOOKS = """
SELECT e.payment_intent_id, a.code, sum(CASE p.side WHEN 'DEBIT' THEN p.amount_minor ELSE -p.amount_minor END) AS balance
FROM ledger.postings p
JOIN ledger.journal_entries e ON e.tenant_id = p.tenant_id AND e.id = p.entry_id
JOIN ledger.accounts a ON a.tenant_id = p.tenant_id AND a.id = p.account_id
WHERE p.tenant_id = $1 GROUP BY 1, 2
"""
_UNBALANCED = """
SELECT entry_id FROM ledger.postings WHERE tenant_id = $1 GROUP BY entry_id, currency
HAVING sum(CASE side WHEN 'DEBIT' THEN amount_minor ELSE -amount_minor END) <> 0
"""
_PENDING_REFUNDS = "SELECT count(*) FROM api.refunds WHERE tenant_id = $1 AND status = 'PENDING'"


def _compare(intent: dict[str, Any], processor: SandboxPayment | None, books: dict[str, int]) -> None:
    """Compare what three parties have recorded about one payment."""
    captured, refunded, disputed = intent["captured_minor"], intent["refunded_minor"], intent["disputed_minor"]
    shown = f"{intent}\n{processor}\n{books}"
    authorized = intent["amount_minor"] if intent["authorized_at"] is not None else 0
    assert captured <= authorized, shown
    assert refunded + disputed <= captured, shown
    assert intent["refunding_minor"] == 0, shown
    status = Status(intent["status"])
    assert status is not Status.PROCESSING, shown
    if processor is None:
        assert status in (Status.CREATED, Status.VOIDED), shown
        assert not books, shown
        return
    taken = (processor.captured_minor, processor.refunded_minor, processor.disputed_minor)
    assert (captured, refunded, disputed) == taken, shown
    is_open = sum(d.amount_minor for d in processor.disputes if d.state == "open")
    expected = {
        "CASH": captured - refunded - disputed,
        "REVENUE": -captured,
        "REFUND_EXPENSE": refunded,
        "DISPUTE_CLEARING": is_open,
        "DISPUTE_LOSSES": disputed - is_open,
        "GATEWAY_CLEARING": 0,
    }
    assert {code: balance for code, balance in books.items() if balance} == {
        code: balance for code, balance in expected.items() if balance
    }, shown
    counted = Status.SETTLED
    if refunded:
        counted = Status.REFUNDED if refunded == captured else Status.PARTIALLY_REFUNDED
    if captured:
        assert status is counted, shown
    else:
        nothing_taken = {Status.AUTHORIZED, Status.VOIDED, Status.FAILED, Status.EXPIRED, Status.REQUIRES_ACTION}
        assert status in nothing_taken, shown


def prove(*, sequences: int, drawn_by: int, shrink: bool = False) -> float:
    """Run histories with that many sequences in all, the same for one seed; returns the seconds that they took.

    Raises:
        AssertionError: with a history that breaks a law; with `shrink` the shortest, which takes minutes to find.
    """
    root = Path(__file__).parents[2]
    with asyncio.Runner() as runner:
        world_context = open_world(local.ensure("test", root))
        world = runner.run(world_context.__aenter__())
        try:
            machine: Any = type("Histories", (Histories,), {"world": world, "runner": runner, "ended": Counter()})
            began = time.monotonic()
            run_state_machine_as_test(
                seed(drawn_by)(machine),
                settings=settings(
                    max_examples=max(1, sequences // PAYMENTS),
                    stateful_step_count=STEPS_MAX,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                    phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
                ),
            )
            return time.monotonic() - began
        finally:
            runner.run(world_context.__aexit__(None, None, None))


def main() -> None:
    """Run the proof in its long form."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--sequences", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--shrink", action="store_true", help="look for the shortest history that breaks a law")
    given = parser.parse_args()
    print(f"seed {given.seed}")
    seconds = prove(sequences=given.sequences, drawn_by=given.seed, shrink=given.shrink)
    print(f"{given.sequences} sequences in {seconds:.0f} s: the books agree")


if __name__ == "__main__":
    main()
