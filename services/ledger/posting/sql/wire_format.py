"""The wire format of a group: the bytes that PostgreSQL takes, and the bytes that an entry is sealed by.

This is the hottest Python of the ledger: one `struct` call per row. The row formats are the composite types of the
migrations, field by field in their order; the canonical bytes are described in `docs/tamper-evidence.md`, and the verifier
has its own code for them.
"""

import hashlib
import struct
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

import msgspec

from libs.common.contracts.base import key as contract_key
from libs.common.contracts.ledger import Side
from libs.common.messaging import Publication
from services.ledger.core import Balance
from services.ledger.posting.domain.decision import NewEntry

_TEXT, _UUID, _INT4, _INT8, _INSTANT, _BYTES, _BPCHAR, _UUIDS, _INT8S = 25, 2950, 23, 20, 1184, 17, 1042, 2951, 1016
"""Oids of PostgreSQL's own types, which never change."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_MICROSECOND = timedelta(microseconds=1)

_POSTGRES_EPOCH_MICROSECONDS = 946_684_800_000_000
"""From 1970, where canonical bytes count from, to 2000, where PostgreSQL does."""

_DEBIT = Side.DEBIT
"""Looked up once: an attribute of an enumeration costs as much as the comparison with it."""

_FIELD = struct.Struct("!Ii")

_INT8_FIELD = struct.Struct("!Iiq")

_UUID_FIELD = struct.Struct("!Ii16s")

_UUID_HEAD = _FIELD.pack(_UUID, 16)

_NO_UUID = _FIELD.pack(_UUID, -1)

_LENGTH = struct.Struct("!i")

_SHORT = struct.Struct("!H")

_TWO, _THREE, _SEVEN, _EIGHTEEN = (_LENGTH.pack(fields) for fields in (2, 3, 7, 18))
"""The number of fields with which each kind of row begins."""


class _Formats:
    """The formats of an entry with so many lines."""

    def __init__(self, lines: int) -> None:
        self.sealed = struct.Struct("!qqq32sH" + "16s3scqqqq" * lines)
        self.row = struct.Struct(
            "!Ii16s IiqIiqIiq Ii32sIiiIi32s Ii3s" + f"28s{'i16s' * lines}" + f"28s{'iq' * lines}" * 4
        )
        array = struct.Struct("!IiiiIii")
        self.accounts = array.pack(_UUIDS, 20 + 20 * lines, 1, 0, _UUID, lines, 1)
        self.numbers = array.pack(_INT8S, 20 + 12 * lines, 1, 0, _INT8, lines, 1)


_formats = lru_cache(maxsize=64)(_Formats)
"""Nearly all entries have two lines, and the longest a thousand."""


def encode_entry(new: NewEntry, position: int) -> tuple[bytes, bytes]:
    """Encode an entry with its lines as the type `entry_row`; returns the row and the seal."""
    entry = new.entry
    formats = _formats(len(entry.lines))
    entry_id, currency = entry.id.bytes, entry.currency.encode()
    posted, effective, occurred = map(_microseconds, (new.posted_at, new.effective_at, entry.occurred_at))
    sealed: list[bytes | int] = []
    accounts: list[bytes | int] = []
    amounts: list[int] = []
    versions: list[int] = []
    debits: list[int] = []
    credits_: list[int] = []
    for line, balance in zip(entry.lines, new.balances_after, strict=True):
        account, amount, is_debit = line.account_id.bytes, line.amount_minor, line.side is _DEBIT
        version, debits_after, credits_after = balance.version, balance.debits_minor, balance.credits_minor
        sealed += account, currency, b"D" if is_debit else b"C", amount, version, debits_after, credits_after
        accounts += 16, account
        amounts += 8, amount if is_debit else -amount
        versions += 8, version
        debits += 8, debits_after
        credits_ += 8, credits_after
    repeated = _repeated(entry.tenant_id, entry.kind)
    (intent, intent_field), (source, source_field), (reverses, reverses_field) = map(
        _identifier, (entry.payment_intent_id, entry.source_event_id, entry.reverses)
    )
    seal = hashlib.sha256(
        b"".join(
            (
                repeated.sealed_tenant, entry_id, repeated.sealed_kind, intent, source, reverses,
                formats.sealed.pack(occurred, effective, posted, new.digest, len(entry.lines), *sealed),
            )
        )
    ).digest()  # fmt: skip
    row = _row(
        repeated.fields, intent_field, source_field, reverses_field,
        formats.row.pack(
            _UUID, 16, entry_id,
            _INSTANT, 8, occurred - _POSTGRES_EPOCH_MICROSECONDS,
            _INSTANT, 8, effective - _POSTGRES_EPOCH_MICROSECONDS,
            _INSTANT, 8, posted - _POSTGRES_EPOCH_MICROSECONDS,
            _BYTES, 32, new.digest, _INT4, 4, position, _BYTES, 32, seal, _BPCHAR, 3, currency,
            formats.accounts, *accounts, formats.numbers, *amounts, formats.numbers, *versions,
            formats.numbers, *debits, formats.numbers, *credits_,
        ),
    )  # fmt: skip
    return row, seal


class _Repeated(msgspec.Struct, frozen=True):
    """What entries repeat: a tenant and a kind."""

    sealed_tenant: bytes
    sealed_kind: bytes
    fields: bytes
    """The number of fields of `entry_row`, and the first two of them."""


@lru_cache(maxsize=4096)
def _repeated(tenant_id: str, kind: str) -> _Repeated:
    return _Repeated(
        sealed_tenant=_SHORT.pack(len(tenant_id.encode())) + tenant_id.encode(),
        sealed_kind=_SHORT.pack(len(kind)) + kind.encode(),
        fields=_EIGHTEEN + _text_field(tenant_id) + _text_field(kind),
    )


def _identifier(value: UUID | None) -> tuple[bytes, bytes]:
    """Return an identifier that may be absent as it is sealed (a byte for presence, then its 16) and as a field."""
    if value is None:
        return b"\0", _NO_UUID
    octets = value.bytes
    return b"\1" + octets, _UUID_HEAD + octets


_PENDING = struct.Struct("!Ii16s Ii3s IiqIiqIiqIiq")


def encode_pending_step(key: tuple[str, UUID, str], balance: Balance, before: Balance) -> bytes:
    """Encode what is pending on a balance as the type `pending_step`, with what was pending before."""
    return _row(
        _SEVEN,
        _text_field(key[0]),
        _PENDING.pack(
            _UUID, 16, key[1].bytes, _BPCHAR, 3, key[2].encode(),
            _INT8, 8, balance.pending_debits_minor, _INT8, 8, balance.pending_credits_minor,
            _INT8, 8, before.pending_debits_minor, _INT8, 8, before.pending_credits_minor,
        ),
    )  # fmt: skip


_ACCOUNT_AND_CURRENCY = struct.Struct("!Ii16sIi3s")


def encode_balance_key(key: tuple[str, UUID, str]) -> bytes:
    """Encode (tenant, account, currency) as the type `balance_key`."""
    return _row(
        _THREE, _text_field(key[0]), _ACCOUNT_AND_CURRENCY.pack(_UUID, 16, key[1].bytes, _BPCHAR, 3, key[2].encode())
    )


def encode_entry_key(key: tuple[str, UUID]) -> bytes:
    """Encode (tenant, entry) as the type `entry_key`."""
    return _row(_TWO, _text_field(key[0]), _UUID_FIELD.pack(_UUID, 16, key[1].bytes))


def encode_publication(publication: Publication) -> bytes:
    """Encode a message as the type `outbox_row`."""
    body = publication.message.encode()
    cause = publication.correlation
    return _row(
        _SEVEN,
        _UUID_FIELD.pack(_UUID, 16, publication.event_id.bytes),
        _text_field(contract_key(publication.message.contract)),
        _text_field(cause.tenant_id),
        _fresh_text_field(cause.correlation_id),
        _fresh_text_field(cause.traceparent),
        _instant_field(publication.occurred_at),
        _FIELD.pack(_TEXT, len(body)),
        body,
    )


def _row(*fields: bytes) -> bytes:
    """Put a row together: its length, then the number of its fields (the first of `fields`) and the fields."""
    row = b"".join(fields)
    return _LENGTH.pack(len(row)) + row


def _fresh_text_field(text: str) -> bytes:
    encoded = text.encode()
    return _FIELD.pack(_TEXT, len(encoded)) + encoded


_text_field = lru_cache(maxsize=4096)(_fresh_text_field)
"""For texts that are repeated: tenants, kinds, contracts."""


def _instant_field(instant: datetime) -> bytes:
    return _INT8_FIELD.pack(_INSTANT, 8, _microseconds(instant) - _POSTGRES_EPOCH_MICROSECONDS)


def _microseconds(instant: datetime) -> int:
    """Return the microseconds since 1970; a float could not hold them exactly for ever."""
    return (instant - _EPOCH) // _MICROSECOND
