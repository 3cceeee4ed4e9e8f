"""Intents against entries: what the api says that payments and refunds came to, beside what stands in the books.

The api hears of an entry and then settles the payment, so each of the two can be told from the other: a settled payment or
a completed refund has exactly one entry, and a capture or a refund in the books has a payment or refund that says the same.
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
from services.ledger.integrity.sql.reconciliation import Claim, ComparedClaim

AGREE_WITHIN = timedelta(seconds=45)
"""Until then books and intents may differ: an event that was postponed by 1, 5 and 30 s has arrived. With the pause between two
comparisons it is below a minute, in which a forged capture has to be found. What is later than that, as when a service was
away, is found and resolved once the missing message has arrived.
"""

_GROUPS_MAX = 50
"""Groups of a chain that are compared in one transaction: at most 25,000 entries."""

_CLAIMS_MAX = 1_000
"""Claims that are compared in one transaction."""

_STEPS_MAX = 40
"""Transactions of one round on each chain, and on claims: a backlog is worked off over several rounds."""


class Claims:
    """Writes down what the api claims, and compares it with the books."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def on_payment_settled(self, tx: Connection, received: Sequence[Received[api.PaymentSettled]]) -> None:
        """A payment is settled: its capture stands in the books, or should."""
        await self._write(
            tx,
            [
                _claim(
                    event,
                    EntryKind.CAPTURE,
                    event.body.payment_intent_id,
                    event.body.captured_amount or event.body.amount,
                )
                for event in received
            ],
        )

    async def on_payment_refunded(self, tx: Connection, received: Sequence[Received[api.PaymentRefunded]]) -> None:
        """A refund is completed: it stands in the books, or will within moments."""
        await self._write(
            tx, [_claim(event, EntryKind.REFUND, event.body.refund_id, event.body.amount) for event in received]
        )

    async def compare(self) -> None:
        """Compare what is older than `AGREE_WITHIN`: entries with claims, then claims with entries.

        Each step is one transaction with what it finds, so nothing is passed without being told. Several processes share
        the work. First what was found before is resolved where the other side has spoken since: while the api is away, every
        entry is one that it has not claimed yet.
        """
        resolved = await resolve(self._database, resolved_at=self._clock.now())
        async with self._database.transaction() as tx:
            await reconciliation.begin_claim_checks(tx)
            chains = await reconciliation.claim_check_chains(tx)
        new: list[StoredFinding] = []
        for chain in chains:
            for _ in range(_STEPS_MAX):
                is_more, told = await self._look_for_claims(chain)
                new += told
                if not is_more:
                    break
        for _ in range(_STEPS_MAX):
            is_more, told = await self._look_for_entries()
            new += told
            if not is_more:
                break
        if new or resolved:
            await count(self._database, new)

    async def _write(self, tx: Connection, claims: Sequence[Claim]) -> None:
        await reconciliation.write_claims(tx, claims, claimed_at=self._clock.now())

    async def _look_for_claims(self, chain: int) -> tuple[bool, list[StoredFinding]]:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            after, until = await reconciliation.pass_groups(
                tx, chain, posted_before=now - AGREE_WITHIN, limit=_GROUPS_MAX
            )
            if after == until:
                return False, []
            unclaimed = await reconciliation.unclaimed_entries(tx, chain, after=after, until=until)
            new = await write_down(
                tx,
                [
                    StoredFinding(
                        invariant="entry_without_intent",
                        tenant_id=entry["tenant_id"],
                        subject=str(entry["id"]),
                        detail=f"the {entry['kind']} of payment intent {entry['payment_intent_id']} is in the books, "
                        "but the api never said so",
                    )
                    for entry in unclaimed
                ],
                found_at=now,
            )
        return until - after == _GROUPS_MAX, new

    async def _look_for_entries(self) -> tuple[bool, list[StoredFinding]]:
        now = self._clock.now()
        async with self._database.transaction() as tx:
            due = await reconciliation.due_claims(tx, claimed_before=now - AGREE_WITHIN, limit=_CLAIMS_MAX)
            missing = [claim for claim in due if claim.posted_amount_minor is None]
            # The claim of an entry that is still to be looked at is kept, even where they differ: the entry is looked for it.
            passed = [claim for claim in due if claim.is_passed]
            wrong = missing + [claim for claim in passed if not _agree(claim)]
            new = await write_down(tx, [_finding(claim) for claim in wrong], found_at=now)
            await reconciliation.end_claims(tx, remove=passed, told=missing)
        return len(due) == _CLAIMS_MAX and bool(missing or passed), new


def _claim(
    received: Received[api.PaymentSettled] | Received[api.PaymentRefunded],
    kind: EntryKind,
    subject_id: UUID,
    amount: str,
) -> Claim:
    return Claim(
        tenant_id=received.tenant_id,
        subject_id=subject_id,
        kind=kind,
        # The same id that the posting rules give to the entry of this subject and kind.
        entry_id=derived_id(subject_id, kind.value),
        amount_minor=parse_amount(amount, received.body.currency, withdrawn=True),
        currency=received.body.currency,
    )


def _agree(claim: ComparedClaim) -> bool:
    return (claim.amount_minor, claim.currency) == (claim.posted_amount_minor, claim.posted_currency)


def _finding(claim: ComparedClaim) -> StoredFinding:
    posted = (
        "no such entry"
        if claim.posted_amount_minor is None
        else f"{claim.posted_amount_minor} {claim.posted_currency} in the entry {claim.entry_id}"
    )
    return StoredFinding(
        invariant="intent_without_entry",
        tenant_id=claim.tenant_id,
        subject=str(claim.subject_id),
        detail=f"the api says a {claim.kind} of {claim.amount_minor} {claim.currency} in minor units, "
        f"the books have {posted}",
    )
