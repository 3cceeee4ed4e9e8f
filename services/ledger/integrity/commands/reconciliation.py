"""Intents against entries: what the api published that payments and refunds came to, beside what stands in the books.

The api handles `journal_entry.posted` and then settles the payment, so each of the two follows from the other: a settled payment or
a completed refund has exactly one entry, and a capture or a refund in the books has a payment or refund of the same amount.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from libs.common.clock import Clock
from libs.common.contracts import api
from libs.common.contracts.ledger import EntryKind
from libs.common.db import Connection, Database
from libs.common.ids import derived_id
from libs.common.messaging import Received
from libs.common.money import parse_amount
from services.ledger.integrity.commands.findings import count, resolve, write_down
from services.ledger.integrity.sql import reconciliation
from services.ledger.integrity.sql.findings import StoredFinding
from services.ledger.integrity.sql.reconciliation import ComparedEntry, ExpectedEntry

AGREE_WITHIN = timedelta(seconds=45)
"""Until then books and intents may differ: an event that was postponed by 1, 5 and 30 s has arrived. With the pause between two
comparisons it is below a minute, in which a forged capture has to be found. What is later than that, as when a service was
away, is found and resolved once the missing message has arrived.
"""

_GROUPS_MAX = 50
"""Groups of a chain that are compared in one transaction: at most 25,000 entries."""

_EXPECTED_MAX = 1_000
"""Expected entries that are compared in one transaction."""

_STEPS_MAX = 40
"""Transactions of one round on each chain, and on what is expected: a backlog is worked off over several rounds."""


class Reconciliation:
    """Writes down which entries the api's events lead to expect, and compares them with the books."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def expect_captures(self, tx: Connection, received: Sequence[Received[api.PaymentSettled]]) -> None:
        """Expect the capture of each settled payment."""
        await self._write(
            tx,
            [
                _expected(
                    event,
                    EntryKind.CAPTURE,
                    event.body.payment_intent_id,
                    event.body.captured_amount or event.body.amount,
                )
                for event in received
            ],
        )

    async def expect_refunds(self, tx: Connection, received: Sequence[Received[api.PaymentRefunded]]) -> None:
        """Expect the entry of each completed refund."""
        await self._write(
            tx, [_expected(event, EntryKind.REFUND, event.body.refund_id, event.body.amount) for event in received]
        )

    async def compare(self) -> None:
        """Compare what is older than `AGREE_WITHIN`: entries with payments, then payments with entries.

        Each step is one transaction with what it finds, so nothing is passed without being reported. Several processes share
        the work. First what was found before is resolved where the other side has spoken since: while the api is away, every
        entry is one of which it has not published anything yet.
        """
        resolved = await resolve(self._database, resolved_at=self._clock.now())
        async with self._database.transaction() as tx:
            await reconciliation.begin_checks(tx)
            chains = await reconciliation.checked_chains(tx)
        new: list[StoredFinding] = []
        for chain in chains:
            for _ in range(_STEPS_MAX):
                is_more, reported = await self._look_for_payments(chain)
                new += reported
                if not is_more:
                    break
        for _ in range(_STEPS_MAX):
            is_more, reported = await self._look_for_entries()
            new += reported
            if not is_more:
                break
        if new or resolved:
            await count(self._database, new)

    async def _write(self, tx: Connection, expected: Sequence[ExpectedEntry]) -> None:
        await reconciliation.write_expected(tx, expected, expected_at=self._clock.now())

    async def _look_for_payments(self, chain: int) -> tuple[bool, list[StoredFinding]]:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            after, until = await reconciliation.pass_groups(
                tx, chain, posted_before=now - AGREE_WITHIN, limit=_GROUPS_MAX
            )
            if after == until:
                return False, []
            unexpected = await reconciliation.unexpected_entries(tx, chain, after=after, until=until)
            new = await write_down(
                tx,
                [
                    StoredFinding(
                        invariant="entry_without_intent",
                        tenant_id=entry["tenant_id"],
                        subject=str(entry["id"]),
                        detail=f"the {entry['kind']} of payment intent {entry['payment_intent_id']} is in the books, "
                        "but the api never published it",
                    )
                    for entry in unexpected
                ],
                found_at=now,
            )
        return until - after == _GROUPS_MAX, new

    async def _look_for_entries(self) -> tuple[bool, list[StoredFinding]]:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            due = await reconciliation.due_expected(tx, expected_before=now - AGREE_WITHIN, limit=_EXPECTED_MAX)
            missing = [one for one in due if one.posted_amount_minor is None]
            # What is expected of an entry that is still to be compared is kept, even where they differ: the entry is looked for it.
            passed = [one for one in due if one.is_passed]
            wrong = missing + [one for one in passed if not _agree(one)]
            new = await write_down(tx, [_finding(one) for one in wrong], found_at=now)
            await reconciliation.end_expected(tx, remove=passed, reported=missing)
        return len(due) == _EXPECTED_MAX and bool(missing or passed), new


def _expected(
    received: Received[api.PaymentSettled] | Received[api.PaymentRefunded],
    kind: EntryKind,
    subject_id: UUID,
    amount: str,
) -> ExpectedEntry:
    return ExpectedEntry(
        tenant_id=received.tenant_id,
        subject_id=subject_id,
        kind=kind,
        # The same id that the posting rules give to the entry of this subject and kind.
        entry_id=derived_id(subject_id, kind.value),
        amount_minor=parse_amount(amount, received.body.currency, withdrawn=True),
        currency=received.body.currency,
    )


def _agree(one: ComparedEntry) -> bool:
    return (one.amount_minor, one.currency) == (one.posted_amount_minor, one.posted_currency)


def _finding(one: ComparedEntry) -> StoredFinding:
    posted = (
        "no such entry"
        if one.posted_amount_minor is None
        else f"{one.posted_amount_minor} {one.posted_currency} in the entry {one.entry_id}"
    )
    return StoredFinding(
        invariant="intent_without_entry",
        tenant_id=one.tenant_id,
        subject=str(one.subject_id),
        detail=f"the api published a {one.kind} of {one.amount_minor} {one.currency} in minor units, "
        f"the books have {posted}",
    )
