"""Laying out what a group writes: the bytes that PostgreSQL takes, and the bytes that an entry is sealed by.

This is the hottest Python of the ledger: one `struct` call per row. The row formats are the composite types of the
migrations, field by field in their order; the canonical bytes are described in `docs/tamper-evidence.md`, and the verifier
has its own code for them.
"""

import hashlib
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import msgspec

from libs.common.contracts.base import key as contract_key
from libs.common.messaging import Saying
from services.ledger.domain import Balance, Entry

_TEXT, _UUID, _INT2, _INT4, _INT8, _INSTANT, _BYTES, _BPCHAR = 25, 2950, 21, 23, 20, 1184, 17, 1042
"""Oids of PostgreSQL's own types, which never change."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POSTGRES_EPOCH_MICROSECONDS = 946_684_800_000_000
"""From 1970, where canonical bytes count from, to 2000, where PostgreSQL does."""

_FIELD = struct.Struct("!Ii")
_INT8_FIELD = struct.Struct("!Iiq")
_UUID_FIELD = struct.Struct("!Ii16s")
_NO_UUID = _FIELD.pack(_UUID, -1)
_NO_INSTANT = _FIELD.pack(_INSTANT, -1)
_LENGTH = struct.Struct("!i")
_SHORT = struct.Struct("!H")
_TIMES = struct.Struct("!qqq")
_LINE = struct.Struct("!16s3scqqqq")
_ENTRY_END = struct.Struct("!Ii32s Iii Ii32s")


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it is written: with its instants, and what each line leaves on its account."""

    entry: Entry
    digest: bytes
    posted_at: datetime
    effective_at: datetime
    balances_after: Sequence[Balance]
    """One per line, in their order."""


class PackedGroup(msgspec.Struct, frozen=True):
    """A group's entries and postings as rows, and the seals of its entries by position."""

    entries: list[bytes]
    postings: list[bytes]
    seals: list[bytes]


def pack_group(group: Sequence[NewEntry]) -> PackedGroup:
    """Lay a group out in the order of record, which becomes the position of each entry."""
    packed = PackedGroup([], [], [])
    for position, new in enumerate(group, start=1):
        entry = new.entry
        tenant = entry.tenant_id.encode()
        tenant_field = _text_field(entry.tenant_id)
        kind = entry.kind.value
        posted, effective, occurred = map(_microseconds, (new.posted_at, new.effective_at, entry.occurred_at))
        entry_id = entry.id.bytes
        canonical = [
            _SHORT.pack(len(tenant)), tenant, entry_id, _SHORT.pack(len(kind)), kind.encode(),
            _maybe(entry.payment_intent_id), _maybe(entry.source_event_id), _maybe(entry.reverses),
            _TIMES.pack(occurred, effective, posted), new.digest, _SHORT.pack(len(entry.lines)),
        ]  # fmt: skip
        posted_pg, effective_pg = posted - _POSTGRES_EPOCH_MICROSECONDS, effective - _POSTGRES_EPOCH_MICROSECONDS
        for line_no, (line, balance) in enumerate(zip(entry.lines, new.balances_after, strict=True), start=1):
            account, currency, side = line.account_id.bytes, line.currency.encode(), line.side.value.encode()
            canonical.append(
                _LINE.pack(
                    account,
                    currency,
                    side[:1],
                    line.amount_minor,
                    balance.version,
                    balance.debits_minor,
                    balance.credits_minor,
                )
            )
            row = _posting(len(side))
            packed.postings.append(
                _LENGTH.pack(row.size + len(tenant_field) + 4) + _TWELVE + tenant_field + row.pack(
                    _UUID, 16, entry_id, _INT2, 2, line_no, _UUID, 16, account, _BPCHAR, 3, currency,
                    _INT8, 8, balance.version, _TEXT, len(side), side, _INT8, 8, line.amount_minor,
                    _INT8, 8, balance.debits_minor, _INT8, 8, balance.credits_minor,
                    _INSTANT, 8, posted_pg, _INSTANT, 8, effective_pg,
                )
            )  # fmt: skip
        seal = hashlib.sha256(b"".join(canonical)).digest()
        packed.seals.append(seal)
        packed.entries.append(
            _row(
                _THIRTEEN, tenant_field, _UUID_FIELD.pack(_UUID, 16, entry_id), _text_field(kind),
                _uuid_field(entry.payment_intent_id), _SMALL_FIELD.pack(_INT2, 2, len(entry.lines)),
                _INT8_FIELD.pack(_INSTANT, 8, occurred - _POSTGRES_EPOCH_MICROSECONDS),
                _INT8_FIELD.pack(_INSTANT, 8, effective_pg), _INT8_FIELD.pack(_INSTANT, 8, posted_pg),
                _uuid_field(entry.source_event_id), _uuid_field(entry.reverses),
                _ENTRY_END.pack(
                    _BYTES, 32, new.digest, _INT4, 4, position, _BYTES, 32, seal,
                ),
            )
        )  # fmt: skip
    return packed


_SMALL_FIELD = struct.Struct("!Iih")
_TWO, _THREE, _SEVEN, _TWELVE, _THIRTEEN, _FOURTEEN = (_LENGTH.pack(fields) for fields in (2, 3, 7, 12, 13, 14))
_NUMBERS = struct.Struct("!Ii16sIi3sIiqIiqIiqIiqIiq")
_NUMBERS_BEFORE = struct.Struct("!IiqIiqIiqIiqIiq")


def pack_balance_step(key: tuple[str, UUID, str], balance: Balance, before: Balance) -> bytes:
    """Lay a balance out as the type `balance_step`, with what it goes on from."""
    return _row(
        _FOURTEEN,
        _text_field(key[0]),
        _NUMBERS.pack(
            _UUID, 16, key[1].bytes, _BPCHAR, 3, key[2].encode(),
            _INT8, 8, balance.debits_minor, _INT8, 8, balance.credits_minor,
            _INT8, 8, balance.pending_debits_minor, _INT8, 8, balance.pending_credits_minor, _INT8, 8, balance.version,
        ),
        _instant_field(balance.posted_at),
        _NUMBERS_BEFORE.pack(
            _INT8, 8, before.debits_minor, _INT8, 8, before.credits_minor,
            _INT8, 8, before.pending_debits_minor, _INT8, 8, before.pending_credits_minor, _INT8, 8, before.version,
        ),
    )  # fmt: skip


_ACCOUNT_AND_CURRENCY = struct.Struct("!Ii16sIi3s")


def pack_balance_key(key: tuple[str, UUID, str]) -> bytes:
    """Lay (tenant, account, currency) out as the type `balance_key`."""
    return _row(
        _THREE, _text_field(key[0]), _ACCOUNT_AND_CURRENCY.pack(_UUID, 16, key[1].bytes, _BPCHAR, 3, key[2].encode())
    )


def pack_entry_key(key: tuple[str, UUID]) -> bytes:
    """Lay (tenant, entry) out as the type `entry_key`."""
    return _row(_TWO, _text_field(key[0]), _UUID_FIELD.pack(_UUID, 16, key[1].bytes))


def pack_saying(saying: Saying) -> bytes:
    """Lay a message out as the type `outbox_row`."""
    body = saying.message.encode()
    cause = saying.correlation
    return _row(
        _SEVEN,
        _UUID_FIELD.pack(_UUID, 16, saying.event_id.bytes),
        _text_field(contract_key(saying.message.contract)),
        _text_field(cause.tenant_id),
        _fresh_text_field(cause.correlation_id),
        _fresh_text_field(cause.traceparent),
        _instant_field(saying.occurred_at),
        _FIELD.pack(_TEXT, len(body)),
        body,
    )


def _row(*fields: bytes) -> bytes:
    """Put a row together: its length, then the number of its fields (the first of `fields`) and the fields."""
    row = b"".join(fields)
    return _LENGTH.pack(len(row)) + row


@lru_cache(maxsize=4)
def _posting(side_length: int) -> struct.Struct:
    return struct.Struct(f"!Ii16s Iih Ii16s Ii3s Iiq Ii{side_length}s Iiq Iiq Iiq Iiq Iiq")


def _fresh_text_field(text: str) -> bytes:
    encoded = text.encode()
    return _FIELD.pack(_TEXT, len(encoded)) + encoded


_text_field = lru_cache(maxsize=4096)(_fresh_text_field)
"""For words that come again and again: tenants, kinds, contracts."""


def _uuid_field(value: UUID | None) -> bytes:
    return _NO_UUID if value is None else _UUID_FIELD.pack(_UUID, 16, value.bytes)


def _instant_field(instant: datetime | None) -> bytes:
    if instant is None:
        return _NO_INSTANT
    return _INT8_FIELD.pack(_INSTANT, 8, _microseconds(instant) - _POSTGRES_EPOCH_MICROSECONDS)


def _maybe(value: UUID | None) -> bytes:
    """Write an identifier that may be absent: one byte that says so, then its 16."""
    return b"\0" if value is None else b"\1" + value.bytes


def _microseconds(instant: datetime) -> int:
    """Return the microseconds since 1970; a float could not hold them exactly for ever."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
