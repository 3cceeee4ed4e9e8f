"""Idempotency keys: the same request twice takes effect once."""

from services.api.idempotency import sql as keys
from services.api.idempotency.commands import Idempotency
from services.api.idempotency.domain import (
    Answer,
    Claim,
    Given,
    KeyAnswer,
    KeyRecord,
    canonical,
    earlier_fingerprint,
    fingerprint,
    normalise_key,
)
from services.api.idempotency.sql import IF_FREE, IN_ORDER, INSERT_KEYS, KEY_COLUMNS, KeyRow, key_of, key_row
from services.api.idempotency.workers import forget_expired_keys, idempotency_workers

__all__ = [
    "IF_FREE",
    "INSERT_KEYS",
    "IN_ORDER",
    "KEY_COLUMNS",
    "Answer",
    "Claim",
    "Given",
    "Idempotency",
    "KeyAnswer",
    "KeyRecord",
    "KeyRow",
    "canonical",
    "earlier_fingerprint",
    "fingerprint",
    "forget_expired_keys",
    "idempotency_workers",
    "key_of",
    "key_row",
    "keys",
    "normalise_key",
]
