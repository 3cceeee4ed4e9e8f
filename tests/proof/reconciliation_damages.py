"""Disputes, payouts and lines of a bank that are loaded for the proof of reconciliation, and every way in which it damages them.

Each is loaded as all sides would have it; then one side of it is changed, or two. Nothing else is near to it in amount or day, so that
what does not agree is found about the one that was damaged.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import combinations, count
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_roles import Role
from libs.common.ids import derived_id, new_id
from services.gateway.reconciliation.imports.domain import identity_of
from services.ledger.accounts import default_account_id
from tests.support.bank_histories import payout_row

DISPUTES = (
    "UPDATE api.disputes SET status = 'WON' WHERE payment_intent_id",
    "UPDATE api.disputes SET amount_minor = amount_minor - 100 WHERE payment_intent_id",
    "DELETE FROM ledger.journal_entries WHERE kind = 'dispute_lost' AND payment_intent_id",
    "DELETE FROM api.disputes WHERE payment_intent_id",
    "DELETE FROM gateway.processor_movements WHERE kind = 'dispute' AND payment_intent_id",
)
"""By the payment that is disputed."""
PAYOUTS = (
    "UPDATE gateway.processor_payouts SET amount_minor = amount_minor + 5 WHERE payout_id",
    "UPDATE gateway.processor_payouts SET status = 'failed' WHERE payout_id",
    "DELETE FROM gateway.processor_movements WHERE kind = 'payout' AND movement_id",
    "DELETE FROM ledger.journal_entries WHERE kind = 'payout_paid' AND source_event_id",
    "UPDATE gateway.statement_lines SET amount_minor = amount_minor + 9 WHERE import_id",
    "UPDATE gateway.statement_lines SET currency = 'EUR' WHERE import_id",
    "UPDATE gateway.statement_lines SET amount_minor = amount_minor + 1, refs = '{}' WHERE import_id",
    "DELETE FROM gateway.statement_lines WHERE import_id",
)
"""By the payout: what the processor, the books and the bank have of it. The movement, the entry and the line bear its id."""
ALONE = (
    *(EntryKind.MOVEMENT, EntryKind.MOVEMENT_EXCHANGED, EntryKind.AVAILABLE),
    *(EntryKind.PAYOUT_CREATED, EntryKind.PAYOUT_PAID, EntryKind.PAYOUT_FAILED, EntryKind.PAYOUT_DEBITED),
)
"""Kinds of entries that belong to no payment. Each is posted once with nothing that it follows from; nothing else is there to be damaged too."""
_AMOUNT = 15_050
_APART = timedelta(days=6)
"""Between two payouts: no rule looks so far for a line."""


class Thing(msgspec.Struct, frozen=True):
    """What is damaged, or is not."""

    id: UUID
    damages: tuple[str, ...]
    names: frozenset[str]
    """By which a discrepancy names it."""


def plan(damages: Sequence[str], chance: Random, *, pairs: int | None) -> list[tuple[str, ...]]:
    """Return the damages of each thing: two stay as they are, then each way alone, then each two at once, or so many of them."""
    both = [*combinations(damages, 2)]
    return [(), (), *((each,) for each in damages), *(both if pairs is None else chance.sample(both, pairs))]


async def load_and_damage(
    admin: asyncpg.Connection,
    tenant_id: str,
    payments: Iterator[tuple[UUID, datetime]],
    chance: Random,
    *,
    pairs: int | None,
) -> list[Thing]:
    """Load disputes about payments, payouts and their lines, damage them, and return all of them.

    Args:
        admin: whose rights end at nothing.
        tenant_id: whose payments they are.
        payments: each with its time; as many are taken as disputes are loaded, and one more.
        chance: draws which pairs of damages there are.
        pairs: how many of disputes, and of payouts; None: all.
    """
    # Books are never changed: that triggers refuse it is not what is proved here.
    await admin.execute("SET session_replication_role = replica")
    things = [
        await _disputed(admin, tenant_id, *next(payments), damages) for damages in plan(DISPUTES, chance, pairs=pairs)
    ]
    _, at = next(payments)
    source_id = await _bank(admin, tenant_id, at)
    things += [
        await _paid_out(admin, tenant_id, source_id, number, at, damages)
        for number, damages in enumerate(plan(PAYOUTS, chance, pairs=pairs))
    ]
    for thing in things:
        for damage in thing.damages:
            await admin.execute(f"{damage} = $1", thing.id)
    things += [await _alone(admin, tenant_id, kind, at) for kind in ALONE]
    await admin.execute("RESET session_replication_role")
    return things


async def report_all_but(
    admin: asyncpg.Connection, tenant_id: str, at: datetime, payments: Sequence[UUID]
) -> list[Thing]:
    """Import a report of all that moved, as it is by now, but for some payments; returns these."""
    source_id, key = new_id(at), new_id(at)
    await _source(admin, tenant_id, source_id, key, at, "stripe_balance_change")
    await admin.execute(
        "UPDATE gateway.file_imports SET kinds = ARRAY(SELECT DISTINCT reporting_category FROM gateway.processor_movements "
        "WHERE tenant_id = $2) WHERE id = $1",
        key,
        tenant_id,
    )
    moved = await admin.fetch(
        "SELECT id, movement_id, currency, amount_minor, fee_minor, created_at FROM gateway.processor_movements "
        "WHERE tenant_id = $1 AND kind NOT IN ('payout', 'payout_return') AND (payment_intent_id = ANY ($2::uuid[])) IS NOT TRUE",
        tenant_id,
        payments,
    )
    for number, each in enumerate(moved, start=1):
        on = each["created_at"].date()
        await _write(
            admin,
            "gateway.statement_lines",
            **_line(tenant_id, source_id, key, new_id(at), on, each["currency"], each["amount_minor"], at)
            | {
                "identity": identity_of("", each["id"]),
                "line": number,
                "account": "",
                "bank_id": each["id"],
                "fee_minor": each["fee_minor"],
            },
        )
    return [Thing(payment, ("a report lacks it",), frozenset((str(payment),))) for payment in payments]


def faults(things: Sequence[Thing], found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what was damaged and is named by no discrepancy, and what is named and was not damaged."""
    named = {str(each[column]) for each in found for column in ("payment_intent_id", "subject", "gateway_ref")}
    return [
        f"{thing.id} was damaged by {thing.damages}, and {'nothing' if thing.damages else 'something'} is found"
        for thing in things
        if bool(thing.names & named) != bool(thing.damages)
    ]


async def _disputed(
    admin: asyncpg.Connection, tenant_id: str, payment: UUID, at: datetime, damages: tuple[str, ...]
) -> Thing:
    dispute, movement, ref = derived_id(payment, "dispute"), derived_id(payment, "taken"), f"dp_{payment.hex}"
    await _write(
        admin,
        "api.disputes",
        tenant_id=tenant_id,
        id=dispute,
        payment_intent_id=payment,
        amount_minor=_AMOUNT,
        currency="BRL",
        reason="fraudulent",
        status="LOST",
        gateway_ref=ref,
        opened_at=at,
        updated_at=at,
    )
    await _move(
        admin, tenant_id, "dispute", movement, -_AMOUNT, at, source_ref=ref, payment_intent_id=payment, id=f"txn_{ref}"
    )
    taken = {Role.DISPUTE_CLEARING: _AMOUNT, Role.PROCESSOR_PENDING: -_AMOUNT}
    await _book(admin, tenant_id, EntryKind.MOVEMENT, movement, taken, at, payment_intent_id=payment)
    lost = {Role.DISPUTE_LOSSES: _AMOUNT, Role.DISPUTE_CLEARING: -_AMOUNT}
    await _book(admin, tenant_id, EntryKind.DISPUTE_LOST, dispute, lost, at, payment_intent_id=payment)
    return Thing(payment, damages, frozenset((str(payment), str(dispute), ref)))


async def _alone(admin: asyncpg.Connection, tenant_id: str, kind: EntryKind, at: datetime) -> Thing:
    """Post an entry of an unknown subject."""
    subject = new_id(at)
    debits = {Role.GATEWAY_CLEARING: _AMOUNT, Role.PROCESSOR_PENDING: -_AMOUNT}
    await _book(admin, tenant_id, kind, subject, debits, at)
    return Thing(subject, (f"nothing has led to its entry '{kind}'",), frozenset((str(derived_id(subject, kind)),)))


async def _bank(admin: asyncpg.Connection, tenant_id: str, at: datetime) -> UUID:
    """Add a source that sends statements; returns it."""
    source_id = new_id(at)
    await _source(admin, tenant_id, source_id, new_id(at), at, "mt940")
    return source_id


async def _source(
    admin: asyncpg.Connection, tenant_id: str, source_id: UUID, key: UUID, at: datetime, file_format: str
) -> None:
    """Add a source, and a file of it that has all days before a time and some after it."""
    await _write(
        admin,
        "gateway.import_sources",
        tenant_id=tenant_id,
        id=source_id,
        name=file_format,
        reading=json.dumps({"format": file_format}),
        created_at=at,
        updated_at=at,
    )
    await _write(
        admin,
        "gateway.file_imports",
        tenant_id=tenant_id,
        id=key,
        source_id=source_id,
        file_name="statement",
        sha256=hashlib.sha256(key.bytes).hexdigest(),
        size_bytes=1,
        status="IMPORTED",
        first_on=(at - timedelta(days=400)).date(),
        last_on=(at + timedelta(days=30)).date(),
        created_at=at,
        ended_at=at,
    )


async def _paid_out(
    admin: asyncpg.Connection, tenant_id: str, source_id: UUID, number: int, at: datetime, damages: tuple[str, ...]
) -> Thing:
    payout, line, ref = new_id(at), new_id(at), f"po_proof{number:06}X"
    amount, on = 1_000_000 + 7_919 * number, (at - number * _APART).date()
    row = payout_row(tenant_id, ref, amount, on) | {
        "account_id": "acct_1",
        "payout_id": payout,
        "currency": "BRL",
        "movement_ref": f"txn_{ref}",
        "created_at": at,
        "updated_at": at,
    }
    await _write(admin, "gateway.processor_payouts", **row)
    await _move(
        admin, tenant_id, "payout", payout, -amount, at, source_ref=ref, payment_intent_id=None, id=f"txn_{ref}"
    )
    taken = {Role.GATEWAY_CLEARING: amount, Role.PROCESSOR_PENDING: -amount}
    await _book(admin, tenant_id, EntryKind.MOVEMENT, payout, taken, at)
    arrived = {Role.BANK: amount, Role.GATEWAY_CLEARING: -amount}
    await _book(admin, tenant_id, EntryKind.PAYOUT_PAID, payout, arrived, at, source_event_id=payout)
    await _write(
        admin,
        "gateway.statement_lines",
        **_line(tenant_id, source_id, payout, line, on, "BRL", amount, at)
        | {"refs": json.dumps({"end_to_end": ref.replace("_", "").upper()}), "description": "STRIPE PAYOUT"},
    )
    return Thing(payout, damages, frozenset((str(payout), str(line), ref, f"txn_{ref}")))


def _line(
    tenant_id: str, source_id: UUID, import_id: UUID, line: UUID, on: date, currency: str, amount: int, at: datetime
) -> dict[str, Any]:
    return {
        **dict.fromkeys(("bank_id", "kind", "counterparty", "description"), ""),
        "source_id": source_id,
        "occurrence": 1,
        "tenant_id": tenant_id,
        "id": line,
        "import_id": import_id,
        "line": 1,
        "identity": line.bytes,
        "essence": line.bytes,
        "account": "BR1",
        "booked_on": on,
        "currency": currency,
        "amount_minor": amount,
        "fee_minor": 0,
        "refs": "{}",
        "raw": "{}",
        "created_at": at,
    }


async def _move(
    admin: asyncpg.Connection, tenant_id: str, kind: str, movement: UUID, amount: int, at: datetime, **more: Any
) -> None:
    empty = ("payment_ref", "charge_ref", "exchange_rate", "source_currency")
    await _write(
        admin,
        "gateway.processor_movements",
        **dict.fromkeys(empty, ""),
        account_id="acct_1",
        is_live=False,
        movement_id=movement,
        tenant_id=tenant_id,
        is_booked=True,
        kind=kind,
        type=kind,
        reporting_category=kind,
        amount_minor=amount,
        fee_minor=0,
        fee_details="[]",
        net_minor=amount,
        currency="BRL",
        created_at=at,
        available_at=at,
        status="pending",
        raw="{}",
        seen_at=at,
        updated_at=at,
        **more,
    )


_VERSIONS = count(10**12)
"""Of postings beside the history: no other one of their account has it."""


async def _book(
    admin: asyncpg.Connection,
    tenant_id: str,
    kind: EntryKind,
    subject: UUID,
    debits: Mapping[Role, int],
    at: datetime,
    **more: Any,
) -> None:
    """Post the entry of a subject, with what it debits to roles, below zero where it credits it."""
    entry, times = derived_id(subject, kind), {"posted_at": at, "effective_at": at}
    await _write(
        admin,
        "ledger.journal_entries",
        tenant_id=tenant_id,
        id=entry,
        kind=kind,
        line_count=len(debits),
        occurred_at=at,
        **dict.fromkeys(("digest", "seal"), bytes(32)),
        **dict.fromkeys(("chain", "sequence", "position"), 1),
        **times,
        **more,
    )
    for number, (role, debit) in enumerate(debits.items(), start=1):
        await _write(
            admin,
            "ledger.postings",
            tenant_id=tenant_id,
            entry_id=entry,
            line_no=number,
            account_id=default_account_id(tenant_id, role),
            currency="BRL",
            version=next(_VERSIONS),
            side="DEBIT" if debit > 0 else "CREDIT",
            **dict.fromkeys(("amount_minor", "debits_after_minor", "credits_after_minor"), abs(debit)),
            **times,
        )


async def _write(admin: asyncpg.Connection, table: str, **columns: Any) -> None:
    values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    await admin.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})", *columns.values())
