"""The proof of the ledger: a model in plain Python and the real one are driven by the same random operations.

    python -m tests.support.ledger_proof [--operations 20000] [--seed 1]

Several writers, each with a tenant of its own, go through two posting services at once (two processes, as far as the database
can see), so groups mix what they do; each answer is compared with the model's, after every round each balance and the feed of
entries, and in the end what the books hold at random instants, the end of the year, every invariant, and every seal.
"""

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from deploy.local import servers as local
from libs.common.clock import ManualClock
from libs.common.contracts import ledger_books as contract
from libs.common.contracts.ledger import EntryKind, FollowEntries, Side
from libs.common.contracts.ledger_policy import ApprovalRule, RuleKind, Threshold
from libs.common.contracts.ledger_roles import Role
from libs.common.db import Connection, Database
from libs.common.errors import Rejected
from libs.common.ids import derived_id, new_id
from libs.common.observability.correlation import Correlation
from services.ledger.accounts import RoleChange, add_role_change, hold_roles, open_accounts
from services.ledger.balances.sql.effective import effective_balances, fold
from services.ledger.closing import Closing
from services.ledger.core import Account, Entry, Hold, HoldState, Line
from services.ledger.entries import EntryCommands, EntryQueries
from services.ledger.holds import HoldCommands
from services.ledger.integrity import Verifier
from services.ledger.manual_entries import Journal
from services.ledger.periods import Periods
from services.ledger.policies.domain import stored_rules
from services.ledger.policies.sql import StoredPolicy, add_policy, latest_policy
from services.ledger.posting import Booking, Placing, Posted, PostingService, Releasing, Replayed
from services.ledger.watermark import Watermark
from tests.support.databases import fresh_database
from tests.support.ledger_model import HELD, POSTED, REPLAYED, Model, chart
from tests.support.ledger_year_end import end_year

ROOT = Path(__file__).parents[2]
CURRENCIES = ("BRL", "USD", "JPY", "KWD")
WRITERS, BURST = 4, 25
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Writer:
    """One tenant, driven at random through a posting service."""

    def __init__(
        self, tenant_id: str, accounts: list[Account], service: PostingService, clock: ManualClock, seed: int
    ) -> None:
        self.tenant_id = tenant_id
        self.model = Model(accounts)
        self.seen: Counter[str] = Counter()
        self._accounts = [account.id for account in accounts]
        self._posting = service
        self._clock = clock
        self._chance = random.Random(f"{tenant_id} {seed}")
        self._posted: list[Entry] = []
        self._holds: list[Hold] = []
        self._followed: list[UUID] = []

    async def burst(self) -> None:
        """Do many operations at once; the service decides them in the order in which they are handed in."""
        expected, tasks = [], []
        for _ in range(BURST):
            word, work = self._operation()
            expected.append(word)
            tasks.append(asyncio.create_task(work))
        answers = [await result_of(task) for task in tasks]
        assert answers == expected, [pair for pair in zip(expected, answers, strict=True) if pair[0] != pair[1]]
        self.seen.update(answers)

    def _operation(self) -> tuple[str, Coroutine[Any, Any, object]]:
        """Choose one: what the model answers, and the request to the ledger."""
        chance = self._chance
        kind = chance.choices(
            ("new", "again", "other", "place", "place again", "capture", "void"), (45, 8, 5, 15, 4, 15, 8)
        )[0]
        if kind in {"again", "other"} and self._posted:
            entry = chance.choice(self._posted)
            if kind == "other":
                entry = msgspec.structs.replace(entry, content=entry.content + "!")
            return self._post(entry)
        if kind == "place again" and self._holds:
            hold = chance.choice(self._holds)
            if chance.random() < 0.4:
                hold = msgspec.structs.replace(hold, amount_minor=hold.amount_minor + 1)
            return self.model.place(hold), self._posting.hold(Placing(hold=hold))
        if kind == "place":
            hold = self._hold()
            self._holds.append(hold)
            return self.model.place(hold), self._posting.hold(Placing(hold=hold))
        if kind in {"capture", "void"} and self._holds:
            hold = chance.choice(self._holds[-30:])
            if chance.random() < 0.03:
                hold = msgspec.structs.replace(hold, id=new_id())
            if kind == "void":
                word = self.model.let_go(hold.id, "VOIDED")
                return word, self._posting.hold(Releasing(hold=hold, state=HoldState.VOIDED))
            amount = chance.choice(
                (hold.amount_minor, hold.amount_minor, max(1, hold.amount_minor // 2), hold.amount_minor + 1)
            )
            return self._post(self._capture(hold, amount), captures=hold)
        entry = self._entry()
        self._posted.append(entry)
        return self._post(entry)

    def _post(self, entry: Entry, captures: Hold | None = None) -> tuple[str, Coroutine[Any, Any, object]]:
        is_approved = self._chance.random() < 0.4
        booking = Booking(
            entry=entry,
            correlation=Correlation(correlation_id="proof", tenant_id=self.tenant_id),
            captures=captures,
            is_approved=is_approved,
        )
        word = self.model.post(entry, now=self._clock.now(), captures=captures, is_approved=is_approved)
        return word, self._posting.post(booking)

    def _entry(self) -> Entry:
        """Two to four lines of accounts that may not exist, may not take the currency, or may not have so much."""
        chance = self._chance
        currency = chance.choice(CURRENCIES)
        amounts = [chance.randint(1, 400) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        accounts = [chance.choice(self._accounts) for _ in range(len(amounts) + 1)]
        if chance.random() < 0.04:
            accounts[0] = new_id()
        one, many = chance.sample((Side.DEBIT, Side.CREDIT), 2)
        lines = [Line(account_id=accounts[0], side=one, amount_minor=sum(amounts), currency=currency)]
        lines += [
            Line(account_id=account, side=many, amount_minor=amount, currency=currency)
            for account, amount in zip(accounts[1:], amounts, strict=True)
        ]
        late = timedelta(seconds=chance.choice((0, 0, 0, 0.2, 30, 400, 90_000, 3_000_000)))
        entry_id = new_id()
        return self._made(entry_id, EntryKind.MANUAL, str(lines), lines, occurred_at=self._clock.now() - late)

    def _capture(self, hold: Hold, amount_minor: int) -> Entry:
        lines = [
            Line(account_id=account, side=side, amount_minor=amount_minor, currency=hold.currency)
            for side, account in hold.sides
        ]
        entry_id = UUID(int=hold.id.int ^ 1)
        return self._made(entry_id, EntryKind.HOLD_CAPTURE, str(amount_minor), lines, occurred_at=self._clock.now())

    def _made(
        self, entry_id: UUID, kind: EntryKind, content: str, lines: list[Line], *, occurred_at: datetime
    ) -> Entry:
        return Entry(
            tenant_id=self.tenant_id,
            id=entry_id,
            kind=kind,
            content=content,
            payment_intent_id=None,
            occurred_at=occurred_at,
            source_event_id=self._chance.choice((None, entry_id)),
            lines=tuple(lines),
        )

    def _hold(self) -> Hold:
        chance = self._chance
        debited, credited = chance.sample(self._accounts, 2)
        lasts = chance.choice((None, timedelta(seconds=30), timedelta(minutes=3)))
        now = self._clock.now()
        return Hold(
            tenant_id=self.tenant_id,
            id=new_id(),
            debit_account_id=debited,
            credit_account_id=credited,
            currency=chance.choice(CURRENCIES),
            amount_minor=chance.randint(1, 300),
            placed_at=now,
            expires_at=None if lasts is None else now + lasts,
        )

    async def reverse(self, entries: EntryCommands) -> None:
        """Take one or two entries back, sometimes once more, sometimes one that is not there."""
        for _ in range(2):
            posted = list(self.model.lines)
            entry_id = self._chance.choice(posted) if posted and self._chance.random() < 0.9 else new_id()
            entry = self.model.lines.get(entry_id)
            if entry is None:
                expected = "entry_not_found"
            elif entry.kind is EntryKind.REVERSAL:
                expected = "entry_not_reversible"
            else:
                turned = [
                    msgspec.structs.replace(line, side=Side.CREDIT if line.side is Side.DEBIT else Side.DEBIT)
                    for line in entry.lines
                ]
                # As the ledger has them: which limit is crossed first follows from the order.
                turned.sort(key=lambda line: line.side is Side.CREDIT)
                reversal = msgspec.structs.replace(
                    self._made(
                        derived_id(entry_id, "reversal"), EntryKind.REVERSAL, "", turned, occurred_at=self._clock.now()
                    ),
                    source_event_id=None,
                )
                expected = self.model.post(reversal, now=self._clock.now())
            try:
                await entries.reverse(self.tenant_id, entry_id)
                answer = POSTED
            except Rejected as refusal:
                answer = refusal.reason
            assert answer == (POSTED if expected == REPLAYED else expected), (answer, expected)
            self.seen[f"reversal {expected}"] += 1

    async def close(self, periods: Periods) -> None:
        """Close everything before today."""
        ends_before = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        await periods.close(contract.ClosePeriod(tenant_id=self.tenant_id, ends_before=ends_before, closed_by="proof"))
        self.model.open_from = ends_before

    async def change_policy(self, database: Database, *, demands: bool) -> None:
        """Demand a second person for something else from now on, or for nothing; sometimes after a role has changed."""
        chance = self._chance
        rules = [self._rule() for _ in range(chance.choice((1, 1, 2, 3)))] if demands else []
        codes = {account.code: account.id for account in self.model.accounts.values()}
        async with database.transaction() as tx:
            if chance.random() < 0.3:
                await self._play(tx, Role.SUSPENSE, chance.choice(self._accounts))
            before, _ = await latest_policy(tx, self.tenant_id)
            policy = StoredPolicy(
                tenant_id=self.tenant_id,
                revision=1 if before is None else before.revision + 1,
                changed_by="proof",
                approved_by=None,
                changed_at=self._clock.now(),
                change_id=None,
            )
            await add_policy(tx, policy, stored_rules(rules, codes))
        self.model.rules = rules

    async def _play(self, tx: Connection, role: Role, account_id: UUID) -> None:
        revision = (await hold_roles(tx, [self.tenant_id])).get(self.tenant_id, 0) + 1
        change = RoleChange(
            tenant_id=self.tenant_id,
            revision=revision,
            role=role,
            account_id=account_id,
            changed_at=self._clock.now(),
            changed_by="proof",
        )
        await add_role_change(tx, change)
        self.model.played[role].add(account_id)

    def _rule(self) -> ApprovalRule:
        chance = self._chance
        of = chance.choice(("everything", "account", "role", "any", "any"))
        currencies = chance.sample(CURRENCIES, chance.choice((0, 1, 3)))
        thresholds = [Threshold(currency=currency, at_least_minor=chance.choice((50, 200))) for currency in currencies]
        return ApprovalRule(
            kind=None
            if of == "everything"
            else chance.choice((None, RuleKind.MANUAL, RuleKind.REVERSAL, RuleKind.HOLD)),
            account=f"A{chance.randrange(len(self._accounts))}" if of == "account" else None,
            role=Role.SUSPENSE if of == "role" else None,
            thresholds=[] if of == "everything" else thresholds,
        )

    async def compare(self, database: Database) -> None:
        """Compare every balance with the model's."""
        rows = await database.fetch("SELECT * FROM balances WHERE tenant_id = $1", self.tenant_id)
        real = {
            (row["account_id"], row["currency"]): (
                row["debits_minor"],
                row["credits_minor"],
                row["pending_debits_minor"],
                row["pending_credits_minor"],
                row["version"],
            )
            for row in rows
        }
        nothing = (0, 0, 0, 0, 0)
        expected = {key: total.numbers() for key, total in self.model.totals.items() if total.numbers() != nothing}
        assert {key: numbers for key, numbers in real.items() if numbers != nothing} == expected

    async def follow(self, queries: EntryQueries) -> None:
        """Go on with the feed: it has each entry of the model once."""
        while True:
            after, limit = self._followed[-1] if self._followed else None, self._chance.randint(1, 60)
            feed = await queries.follow(FollowEntries(tenant_id=self.tenant_id, after=after, limit=limit))
            if not feed.entries:
                break
            self._followed += [entry.id for entry in feed.entries]
        assert len(self._followed) == len(self.model.lines)
        assert set(self._followed) == self.model.lines.keys()

    async def compare_effective(self, database: Database) -> None:
        """Compare what counted before some instants."""
        codes = {account.code: account.id for account in self.model.accounts.values()}
        instants = [counts_at for counts_at, _ in self.model.journal]
        for instant in [*self._chance.sample(instants, min(10, len(instants))), START, self._clock.now()]:
            before = instant + timedelta(seconds=self._chance.choice((0, 0, 1, 59)))
            async with database.connection() as connection:
                found = await effective_balances(connection, self.tenant_id, before=before, currency=None)
            real = {(codes[b.account], b.currency): (b.debits_minor, b.credits_minor) for b in found}
            real = {key: sums for key, sums in real.items() if sums != (0, 0)}
            assert real == self.model.effective(before), before


async def result_of(task: "asyncio.Task[object]") -> str:
    """Put an answer of the posting service into the model's words."""
    try:
        answer = await task
    except Rejected as refusal:
        return refusal.reason
    return POSTED if isinstance(answer, Posted) else REPLAYED if isinstance(answer, Replayed) else HELD


async def prove(one: Database, two: Database, *, operations: int, seed: int) -> Counter[str]:
    """Drive both; returns how often each answer came.

    Raises:
        AssertionError: at the first difference.
    """
    # What an earlier proof in the same database has read is over.
    reached = await Watermark(one, clock=ManualClock(START)).advance()
    clock = ManualClock(max(START, reached))
    databases = (one, two)
    services = [PostingService(database, clock=clock, writers=1) for database in databases]
    writers = []
    for number in range(WRITERS):
        accounts = chart(f"proof-{seed}-{number}")
        async with one.transaction() as tx:
            await open_accounts(tx, accounts, opened_at=clock.now())
        writers.append(Writer(accounts[0].tenant_id, accounts, services[number % 2], clock, seed))
    periods = Periods(one, clock=clock)
    entries = EntryCommands(one, services[0], clock=clock)
    holds = HoldCommands(two, services[1], clock=clock)
    feed = EntryQueries(two, watermark=Watermark(two, clock=clock))
    for round_no in range(max(1, operations // (WRITERS * BURST))):
        for number, writer in enumerate(writers):
            await writer.change_policy(one, demands=(round_no + number) % 3 == 2)
        await asyncio.gather(*(writer.burst() for writer in writers))
        for writer in writers:
            await writer.reverse(entries)
        clock.advance(timedelta(seconds=20))
        await holds.expire()
        for writer in writers:
            writer.model.expire(clock.now())
            await writer.compare(two)
            await writer.follow(feed)
        if round_no % 7 == 6:
            clock.advance(timedelta(hours=9))
            async with one.transaction() as tx:
                await fold(tx, postings_min=1 + seed % 3, accounts_max=1000, postings_max=97)
        if round_no % 10 == 9:
            await writers[round_no % WRITERS].close(periods)
    for writer in writers:
        await writer.compare_effective(one)
    # The end of the year, which the books have not reached yet.
    year = clock.now().year
    clock.advance(datetime(year + 1, 1, 1, 12, tzinfo=UTC) - clock.now())
    closing = Closing(Journal(one, clock=clock, proposal_lifetime=timedelta(days=7)))
    for writer in writers:
        await writer.change_policy(one, demands=False)
        await end_year(writer.model, writer.tenant_id, two, closing, year)
    report = await Verifier(one, clock=clock).all()
    assert report.findings == [], report.findings
    return sum((writer.seen for writer in writers), Counter())


async def main(operations: int, seed: int, profile: str) -> None:
    """Prove it on a fresh database of the private servers."""
    servers = local.ensure(profile, ROOT)
    async with (
        fresh_database(servers, ("ledger",)) as place,
        place.open("ledger") as one,
        place.open("ledger") as two,
    ):
        seen = await prove(one, two, operations=operations, seed=seed)
    for answer, count in sorted(seen.items()):
        print(f"{count:7,}  {answer}")
    print(f"{seen.total():7,}  operations, no difference")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", default="test", choices=("dev", "test"), help="which private servers")
    options = parser.parse_args()
    asyncio.run(main(options.operations, options.seed, options.profile))
