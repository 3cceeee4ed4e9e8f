"""What the posting engine reads, locks and writes: sets in, sets out, a handful of statements for any number of entries."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from libs.common.db import Connection, Rows
from libs.common.messaging import Saying
from services.ledger.domain import Balance
from services.ledger.store.packing import (
    Head,
    NewEntry,
    pack_balance,
    pack_balance_key,
    pack_entry_key,
    pack_group,
    pack_saying,
)

type BalanceKey = tuple[str, UUID, str]
type EntryKey = tuple[str, UUID]


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """What a group has to know, and nobody else may change until its transaction ends."""

    balances: dict[BalanceKey, Balance]
    """Of each account and currency that has one."""
    standing: dict[EntryKey, tuple[bytes, datetime]]
    """The entries that stand in the books already: their digest, and when they were posted."""
    closed: dict[str, datetime]
    """The first open instant of each tenant that has closed a period."""
    head: Head | None
    """A chain that is free; None when no entry is to be posted."""


_LOCK_GROUP = "SELECT part, no, amounts, instant, fingerprint FROM lock_group($1, $2, $3)"


async def lock_group(
    tx: Connection, balances: Sequence[BalanceKey], entries: Sequence[EntryKey], tenants: Sequence[str]
) -> Locked:
    """Lock balances in the order of their keys until the transaction ends, and then read what a decision needs."""
    rows = await tx.fetch(
        _LOCK_GROUP,
        Rows([pack_balance_key(key) for key in balances]),
        Rows([pack_entry_key(key) for key in entries]),
        tenants,
    )
    locked = Locked(balances={}, standing={}, closed={}, head=None)
    head: Head | None = None
    for part, no, amounts, instant, fingerprint in rows:
        if part == "balance":
            debits, credits_, pending_debits, pending_credits, version, floor, ceiling, debit_normal = amounts
            locked.balances[balances[no - 1]] = Balance(
                debits_minor=debits,
                credits_minor=credits_,
                pending_debits_minor=pending_debits,
                pending_credits_minor=pending_credits,
                version=version,
                posted_at=instant,
                floor_minor=floor,
                ceiling_minor=ceiling,
                debit_normal=bool(debit_normal),
            )
        elif part == "entry":
            locked.standing[entries[no - 1]] = (fingerprint, instant)
        elif part == "closed":
            locked.closed[tenants[no - 1]] = instant
        else:
            head = Head(chain=no, sequence=amounts[0], hash=fingerprint)
    return msgspec.structs.replace(locked, head=head)


async def begin_balances(
    tx: Connection, keys: Sequence[BalanceKey]
) -> tuple[dict[BalanceKey, Balance], set[BalanceKey]]:
    """Begin the balance of each account that has none in a currency that it takes, at zero.

    Returns the new balances, and the keys whose account exists but does not take the currency.

    Raises:
        asyncpg.SerializationError: another transaction began one of them at this very moment. It is not waited for: we
            hold locks that it might want.
    """
    rows = await tx.fetch(
        "SELECT no, is_begun, is_taken, floor_minor, ceiling_minor, debit_normal FROM begin_balances($1)",
        Rows([pack_balance_key(key) for key in keys]),
    )
    begun: dict[BalanceKey, Balance] = {}
    not_taken: set[BalanceKey] = set()
    for no, is_begun, is_taken, floor, ceiling, debit_normal in rows:
        if not is_taken:
            not_taken.add(keys[no - 1])
        elif is_begun:
            begun[keys[no - 1]] = Balance(floor_minor=floor, ceiling_minor=ceiling, debit_normal=debit_normal)
        else:
            raise asyncpg.SerializationError("a balance was begun by somebody else at this very moment")
    return begun, not_taken


async def write_group(
    tx: Connection,
    entries: Sequence[NewEntry],
    balances: Mapping[BalanceKey, Balance],
    sayings: Sequence[Saying],
    head: Head,
    *,
    before: Mapping[BalanceKey, Balance],
) -> None:
    """Write a decided group: its entries, their postings, the balances as they stand after it, its messages, its link.

    `before` holds the balances as they were locked: the database refuses a group that does not go on from them.

    Raises:
        asyncpg.SerializationError: another transaction wrote an entry of the same id after we had looked for it.
    """
    packed = pack_group(entries, head)
    # In one order, so that two groups that misuse the same ids do not wait for each other in a circle.
    order = sorted(range(len(entries)), key=lambda i: entries[i].entry.id.bytes)
    try:
        await tx.execute(
            "SELECT write_group($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            Rows([packed.entries[i] for i in order]),
            Rows(packed.postings),
            _balance_rows(balances, before),
            Rows([pack_saying(saying) for saying in sayings]),
            head.chain,
            head.sequence + 1,
            head.hash,
            head.link(packed.seals),
            entries[0].posted_at,
            entries[-1].posted_at,
        )
    except asyncpg.UniqueViolationError as fault:
        if fault.constraint_name not in {"pk_journal_entries", "pk_postings", "uq_journal_entries_reverses"}:
            raise
        raise asyncpg.SerializationError("an entry of the same id was posted at this very moment") from fault


async def write_pending(
    tx: Connection, balances: Mapping[BalanceKey, Balance], *, before: Mapping[BalanceKey, Balance]
) -> None:
    """Write what is pending on balances whose postings have not changed."""
    await tx.execute("SELECT write_pending($1)", _balance_rows(balances, before))


def _balance_rows(balances: Mapping[BalanceKey, Balance], before: Mapping[BalanceKey, Balance]) -> Rows:
    return Rows([pack_balance(key, balance, version_before=before[key].version) for key, balance in balances.items()])
