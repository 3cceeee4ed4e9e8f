"""Sides that answer a run with lists, as the api and the ledger do."""

from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.api_facts import ListPaymentFacts, PaymentColumns, PaymentFact, PaymentFactPage
from libs.common.contracts.base import Message
from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_errors import QueryInvalid
from libs.common.contracts.ledger_facts import EntryColumns, EntryFact, EntryFactPage, ListEntryFacts
from services.gateway.reconciliation.runs.domain import entry_of
from tests.integration.gateway.reconciliation.conftest import Sides


class Paid(msgspec.Struct, kw_only=True):
    """What the sides have of a payment; some of it is changed before they are compared."""

    payment: dict[str, Any]
    moved: dict[str, Any]
    entries: list[EntryFact]
    again: bool = False
    """Whether it moved twice."""


class Listing(Sides):
    """Sides that answer with lists, as the api and the ledger do; and with facts, where these are requested."""

    def __init__(self, *all_paid: Paid) -> None:
        super().__init__()
        self.facts = [PaymentFact(**each.payment) for each in all_paid if each.payment]
        self.booked = [entry for each in all_paid for entry in each.entries]
        self.in_columns = True

    async def request(self, message: Message) -> Any:
        """Answer."""
        match message:
            case ListPaymentFacts(in_columns=True) if self.in_columns:
                return PaymentFactPage(items=(), columns=paid_columns(self.facts))
            case ListPaymentFacts() if message.changed_from is None:
                named = [each for each in self.facts if not message.ids or each.payment_intent_id in message.ids]
                return PaymentFactPage(items=tuple(sorted(named, key=lambda each: each.payment_intent_id)))
            case ListEntryFacts() if message.limit > 5_000:
                # So does a ledger of before lists existed, whatever else the request has.
                raise QueryInvalid("limit must be 1 to 5000")
            case ListEntryFacts(in_columns=True) if self.in_columns:
                booked, next_after = self._page(message)
                columns = entry_columns(booked, message.expected.split(","))
                return EntryFactPage(items=(), columns=columns, next_after=next_after)
            case ListEntryFacts():
                return EntryFactPage(
                    items=tuple(
                        each
                        for each in self.booked
                        if (each.entry_id in message.entry_ids)
                        or (
                            (not message.entry_ids and each.payment_intent_id is not None)
                            and (not message.payment_intent_ids or each.payment_intent_id in message.payment_intent_ids)
                        )
                    )
                )
            case _:
                return await super().request(message)

    def _page(self, request: ListEntryFacts) -> tuple[list[EntryFact], UUID | None]:
        """Return the entries of a page and those without a payment, and the last payment of it where more follow."""
        assert request.after is not None
        assert request.until is not None
        of: dict[UUID, list[EntryFact]] = {}
        for each in self.booked:
            if each.payment_intent_id is not None and request.after < each.payment_intent_id <= request.until:
                of.setdefault(each.payment_intent_id, []).append(each)
        page = [each for each in self.booked if each.payment_intent_id is None]
        left, last = request.limit, None
        for intent in sorted(of):
            left -= len(of[intent])
            if left < 0 and last is not None:
                return page, last
            page += of[intent]
            last = intent
        return page, None


def _lists(rows: list[dict[str, Any]], *names: str) -> dict[str, str]:
    return {name: ",".join(str(row[name]) for row in rows) for name in names}


def paid_columns(facts: list[PaymentFact]) -> PaymentColumns:
    """List payments as the api does."""
    rows = [
        msgspec.structs.asdict(each) | {"payment_intent_ids": each.payment_intent_id, "currencies": each.currency}
        for each in facts
    ]
    return PaymentColumns(**_lists(rows, "payment_intent_ids", "captured_minor", "currencies"))


def entry_columns(booked: list[EntryFact], expected: list[str]) -> EntryColumns:
    """List entries as the ledger does."""
    of: dict[UUID, dict[EntryKind, EntryFact]] = {}
    for each in booked:
        if each.payment_intent_id is not None:
            of.setdefault(each.payment_intent_id, {})[each.kind] = each
    rows, others = [], []
    for intent, kinds in of.items():
        capture, movement = kinds.get(EntryKind.CAPTURE), kinds.get(EntryKind.MOVEMENT)
        if (
            capture is None
            or movement is None
            or capture.entry_id != entry_of(intent, EntryKind.CAPTURE)
            or capture.currency != movement.currency
            or movement.shared_roles
            or any(each.is_reversed for each in kinds.values())
        ):
            others.append(str(intent))
            continue
        has = movement.amounts
        rows.append(
            {
                "payment_intent_ids": intent,
                "currencies": capture.currency,
                "captured_minor": capture.amount_minor,
                "movement_entry_ids": movement.entry_id,
                "pending_minor": has.get("PROCESSOR_PENDING", 0),
                "tax_minor": has.get("TAX_RECOVERABLE", 0),
                "processor_fees_minor": has.get("PROCESSOR_FEES", 0),
                "platform_fees_minor": has.get("PLATFORM_FEES", 0),
            }
        )
    there = [
        {"expected_ids": each.entry_id, "expected_minor": each.amount_minor, "expected_currencies": each.currency}
        for each in booked
        if str(each.entry_id) in expected and not each.is_reversed
    ]
    names = (
        "payment_intent_ids",
        "currencies",
        "captured_minor",
        "movement_entry_ids",
        "pending_minor",
        "processor_fees_minor",
    )
    return EntryColumns(
        **_lists(rows, *names, "tax_minor", "platform_fees_minor"),
        **_lists(there, "expected_ids", "expected_minor", "expected_currencies"),
        others=",".join(others),
    )
