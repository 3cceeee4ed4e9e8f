"""What the posting engine reads, locks and writes: sets in, sets out, a handful of statements for any number of entries."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from libs.common.db import Connection, Rows
from libs.common.db.statements import Statement
from libs.common.messaging import Publication
from services.ledger.core import Balance
from services.ledger.posting.domain.decision import BalanceKey, EntryKey, NewEntry
from services.ledger.posting.sql.wire_format import (
    encode_balance_key,
    encode_entry,
    encode_entry_key,
    encode_pending_step,
    encode_publication,
)


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision needs, and nobody else may change until the transaction ends."""

    balances: dict[BalanceKey, Balance]
    """Of each account and currency that has one."""
    existing: dict[EntryKey, tuple[bytes, datetime]]
    """The entries that are in the books already: their digest, and when they were posted."""
    closed: dict[str, datetime]
    """The first open instant of each tenant that has closed a period."""


# A function that locks the balances in the order of their keys and then reads: what it had to wait for is in its later
# snapshots, in one round trip.
_LOCK_GROUP = Statement("SELECT part, no, amounts, instant, fingerprint FROM lock_group(:balances, :entries, :tenants)")
# Through a function, since our role may not write balances. One that another transaction has begun is not among those
# locked: it comes back as not begun, and the group is run again.
_BEGIN_BALANCES = Statement(
    "SELECT no, is_begun, is_taken, floor_minor, ceiling_minor, debit_normal, refused_before"
    " FROM begin_balances(:balances)"
)
# The function compares the balances with those that the group follows, and raises where they differ: a group that was
# decided by remembered balances needs no lock before, and one round trip.
_POST_GROUP = Statement(
    "SELECT post_group(:group.entries, :group.pending, :group.publications, :group.seals, :group.tenants,"
    " :group.effective_from)"
)


async def lock_group(
    tx: Connection, balances: Sequence[BalanceKey], entries: Sequence[EntryKey], tenants: Sequence[str]
) -> Locked:
    """Lock balances in the order of their keys until the transaction ends, and then read what a decision needs."""
    rows = await _LOCK_GROUP.fetch(
        tx,
        balances=Rows([encode_balance_key(key) for key in balances]),
        entries=Rows([encode_entry_key(key) for key in entries]),
        tenants=tenants,
    )
    locked = Locked(balances={}, existing={}, closed={})
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
            locked.existing[entries[no - 1]] = (fingerprint, instant)
        else:
            locked.closed[tenants[no - 1]] = instant
    return locked


async def begin_balances(
    tx: Connection, keys: Sequence[BalanceKey]
) -> tuple[dict[BalanceKey, Balance], set[BalanceKey]]:
    """Begin the balance of each account that has none in a currency that it takes, at zero.

    Returns the new balances, and the keys whose account exists but does not take the currency.

    Raises:
        asyncpg.SerializationError: another transaction began one of them at this very moment. It is not waited for: we
            hold locks that it might need.
    """
    rows = await _BEGIN_BALANCES.fetch(tx, balances=Rows([encode_balance_key(key) for key in keys]))
    begun: dict[BalanceKey, Balance] = {}
    not_taken: set[BalanceKey] = set()
    for no, is_begun, is_taken, floor, ceiling, debit_normal, refused_before in rows:
        if not is_taken:
            not_taken.add(keys[no - 1])
        elif is_begun:
            begun[keys[no - 1]] = Balance(
                # Its first posting is recorded after all that is over, as any other.
                posted_at=refused_before,
                floor_minor=floor,
                ceiling_minor=ceiling,
                debit_normal=debit_normal,
            )
        else:
            raise asyncpg.SerializationError("a balance was begun by somebody else at this very moment")
    return begun, not_taken


# The transactions that hold the shared lock of the functions `lock_group` and `post_group`.
_GROUPS = Statement("""
SELECT virtualtransaction FROM pg_locks
 WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted AND objsubid = 1
   AND (classid::int8 << 32) + objid::int8 = x'636c6f7365'::int8
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


async def groups_in_progress(connection: Connection) -> set[str]:
    """Name the transactions that are posting at this moment; a name is not used twice."""
    return {row["virtualtransaction"] for row in await _GROUPS.fetch(connection)}


class EncodedGroup(msgspec.Struct, frozen=True):
    """A group in PostgreSQL's binary format: the arguments of `post_group` in the database."""

    entries: Rows
    """Each with its lines, in the order of their ids."""
    pending: Rows
    """What is pending on the balances where the group changes it, or has checked a limit with it."""
    publications: Rows
    seals: bytes
    tenants: list[str]
    effective_from: list[datetime]
    """The earliest effective instant among the entries of each tenant: no later period may be closed."""


def encode_group(
    entries: Sequence[NewEntry],
    balances: Mapping[BalanceKey, Balance],
    publications: Sequence[Publication],
    *,
    before: Mapping[BalanceKey, Balance],
) -> EncodedGroup:
    """Encode a decided group: its entries with their postings, what is pending after it, its messages.

    `before` holds the balances before the group, locked or remembered, and `balances` those that it changes.
    """
    encoded = [encode_entry(new, position) for position, new in enumerate(entries, start=1)]
    # In one order, so that two groups that misuse the same ids do not wait for each other in a circle.
    order = sorted(range(len(entries)), key=lambda i: entries[i].entry.id.int)
    earliest: dict[str, datetime] = {}
    for new in entries:
        known = earliest.get(new.entry.tenant_id)
        if known is None or new.effective_at < known:
            earliest[new.entry.tenant_id] = new.effective_at
    return EncodedGroup(
        entries=Rows([encoded[i][0] for i in order]),
        pending=Rows(
            [
                encode_pending_step(key, balance, before[key])
                for key, balance in balances.items()
                if balance.is_limited or not balance.is_as_pending_as(before[key])
            ]
        ),
        publications=Rows([encode_publication(publication) for publication in publications]),
        seals=b"".join([seal for _, seal in encoded]),
        tenants=list(earliest),
        effective_from=list(earliest.values()),
    )


async def post_group(connection: Connection, group: EncodedGroup) -> None:
    """Write a group and link it to a chain by one statement, which outside a transaction is its own.

    A group that posts no entry changes what is pending on its balances and nothing else.

    Raises:
        asyncpg.SerializationError: the books hold other balances than those the group follows, a period was closed, the
            group is of an instant of record that is over, or an entry of one of these ids exists. Nothing was written.
    """
    try:
        await _POST_GROUP.execute(connection, group=group)
    except asyncpg.NumericValueOutOfRangeError as fault:
        raise asyncpg.SerializationError("a balance is far from the one that the group follows") from fault
    except asyncpg.UniqueViolationError as fault:
        if fault.constraint_name not in {"pk_journal_entries", "pk_postings", "uq_journal_entries_reverses"}:
            raise
        raise asyncpg.SerializationError("an entry of the same id was posted at this very moment") from fault
