"""What the other services have, read by requests while a run goes on: the truth of the moment, and nothing that is copied here."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, Protocol
from uuid import UUID

from libs.common.contracts.api_facts import PAYMENT_IDS_MAX, ListPaymentFacts, PaymentFact, PaymentFactPage
from libs.common.contracts.base import Message
from libs.common.contracts.ledger_facts import (
    ENTRIES_MAX,
    ENTRY_IDS_MAX,
    ENTRY_PAYMENTS_MAX,
    EntriesPosted,
    EntryFact,
    EntryFactPage,
    ListEntryFacts,
)


class Requester(Protocol):
    """Sends a request, and returns its reply."""

    async def request(self, message: Message) -> Any:
        """Return the reply. Raises Unavailable when nobody answers in time."""
        ...


class Sources:
    """Payments as the api has them, and entries as the ledger has them."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    async def payments(self, tenant_id: str, *, after: UUID, until: UUID, limit: int) -> PaymentFactPage:
        """Read payments with an id above `after`, up to `until`, in their order."""
        found: PaymentFactPage = await self._requester.request(
            ListPaymentFacts(tenant_id=tenant_id, after=after, until=until, limit=limit)
        )
        return found

    async def payment_columns(self, tenant_id: str, *, after: UUID, until: UUID, limit: int) -> PaymentFactPage:
        """Read the same as lists; an api of before lists existed answers with the payments themselves."""
        found: PaymentFactPage = await self._requester.request(
            ListPaymentFacts(tenant_id=tenant_id, after=after, until=until, limit=limit, in_columns=True)
        )
        return found

    async def entry_columns(
        self, tenant_id: str, *, after: UUID, until: UUID, expected: str, limit: int
    ) -> EntryFactPage:
        """Read the entries of payments with an id above `after`, up to `until`, as lists, and those of `expected`.

        A ledger of before lists existed answers with the entries themselves.
        """
        found: EntryFactPage = await self._requester.request(
            ListEntryFacts(
                tenant_id=tenant_id, after=after, until=until, expected=expected, limit=limit, in_columns=True
            )
        )
        return found

    async def changed(self, tenant_id: str, *, since: datetime, until: datetime, after: UUID, limit: int) -> list[UUID]:
        """List payments with an id above `after` that were made before a time, and of which something was given back in it, in their order."""
        found: list[UUID] = []
        while True:
            page: PaymentFactPage = await self._requester.request(
                ListPaymentFacts(
                    tenant_id=tenant_id, after=after, changed_from=since, changed_until=until, limit=limit - len(found)
                )
            )
            found += [each.payment_intent_id for each in page.items]
            # A page is shorter where payments have many refunds.
            if page.next_after is None or len(found) >= limit:
                return found
            after = page.next_after

    async def reversed_payments(
        self, tenant_id: str, *, since: datetime, until: datetime, after: UUID, limit: int
    ) -> list[UUID]:
        """List payments with an id above `after` of which an entry was reversed in a time, in their order."""
        found: dict[UUID, None] = {}
        while True:
            page: EntryFactPage = await self._requester.request(
                ListEntryFacts(tenant_id=tenant_id, after=after, reversed_from=since, reversed_until=until, limit=limit)
            )
            items = _reversals(page)
            found |= {each.payment_intent_id: None for each in items if each.payment_intent_id is not None}
            # A payment of which several entries were reversed is named once.
            if page.next_after is None or not items or len(found) >= limit:
                return [*found][:limit]
            after = page.next_after

    async def reversed_alone(self, tenant_id: str, *, since: datetime, until: datetime) -> list[UUID]:
        """List entries that belong to no payment and were reversed in a time, in no order.

        The ledger has no next page of them: where one is full, each half of the time is requested, down to one microsecond.
        """
        page: EntryFactPage = await self._requester.request(
            ListEntryFacts(tenant_id=tenant_id, reversed_from=since, reversed_until=until, limit=ENTRIES_MAX)
        )
        found = _reversals(page)
        if len(found) >= ENTRIES_MAX and until - since > timedelta.resolution:
            middle = since + (until - since) / 2
            return [
                *await self.reversed_alone(tenant_id, since=since, until=middle),
                *await self.reversed_alone(tenant_id, since=middle, until=until),
            ]
        return [each.reverses for each in found if each.reverses and each.payment_intent_id is None]

    async def posted(
        self, tenant_id: str, *, since: datetime, after: UUID | None, before: datetime, until: UUID, limit: int
    ) -> EntriesPosted | None:
        """List what was posted in a time, behind an entry of its first instant, of payments up to one; None: this ledger does not know that yet."""
        page: EntryFactPage = await self._requester.request(
            ListEntryFacts(
                tenant_id=tenant_id, posted_from=since, posted_until=before, after=after, until=until, limit=limit
            )
        )
        return page.posted

    async def payments_of(self, tenant_id: str, intents: Sequence[UUID]) -> list[PaymentFact]:
        """Read some payments; what the api does not have is left out."""
        found: list[PaymentFact] = []
        left = sorted(intents)
        while left:
            page: PaymentFactPage = await self._requester.request(
                ListPaymentFacts(tenant_id=tenant_id, ids=tuple(left[:PAYMENT_IDS_MAX]))
            )
            found += page.items
            left = _left(left, PAYMENT_IDS_MAX, page.next_after)
        return found

    async def entries(self, tenant_id: str, *, after: UUID, until: UUID) -> EntryFactPage:
        """Read the entries of payments with an id above `after`, up to `until`, in their order; those of a payment together."""
        found: EntryFactPage = await self._requester.request(
            ListEntryFacts(tenant_id=tenant_id, after=after, until=until, limit=ENTRIES_MAX)
        )
        return found

    async def entries_of_payments(self, tenant_id: str, intents: Sequence[UUID]) -> tuple[list[EntryFact], set[UUID]]:
        """Read the entries of some payments, and which of these have more entries than are read of one."""
        found: list[EntryFact] = []
        parted: set[UUID] = set()
        left = sorted(intents)
        while left:
            page: EntryFactPage = await self._requester.request(
                ListEntryFacts(
                    tenant_id=tenant_id, payment_intent_ids=tuple(left[:ENTRY_PAYMENTS_MAX]), limit=ENTRIES_MAX
                )
            )
            found += page.items
            parted |= parted_in(page)
            left = _left(left, ENTRY_PAYMENTS_MAX, page.next_after)
        return found, parted

    async def entries_by_id(self, tenant_id: str, entries: Sequence[UUID]) -> list[EntryFact]:
        """Read some entries; what the books do not have is left out."""
        found: list[EntryFact] = []
        for ids in batched(entries, ENTRY_IDS_MAX):
            page: EntryFactPage = await self._requester.request(ListEntryFacts(tenant_id=tenant_id, entry_ids=ids))
            found += page.items
        return found


def parted_in(page: EntryFactPage) -> set[UUID]:
    """Return the payment of a page that does not have all entries of it; there is one at most."""
    return set() if page.is_whole else {each.payment_intent_id for each in page.items if each.payment_intent_id}


def _reversals(page: EntryFactPage) -> Sequence[EntryFact]:
    """Return the reversals of a page; a ledger of before these could be requested answers with entries of any kind."""
    return () if any(each.reverses is None for each in page.items) else page.items


def _left(ids: Sequence[UUID], requested: int, next_after: UUID | None) -> list[UUID]:
    """Return which ids are to be requested yet: those behind the ones that were, and those that the page did not reach."""
    missed = [] if next_after is None else [each for each in ids[:requested] if each > next_after]
    return [*missed, *ids[requested:]]
