"""Idempotency keys: the same request twice takes effect once."""

from services.api.idempotency.commands import (
    Given,
    Idempotency,
    canonical,
    earlier_fingerprint,
    fingerprint,
    normalise_key,
)
from services.api.idempotency.sql import Answer, Claim, KeyRecord
from services.api.idempotency.workers import FORGET_KEYS_EVERY_SECONDS, forget_expired_keys

__all__ = [
    "FORGET_KEYS_EVERY_SECONDS",
    "Answer",
    "Claim",
    "Given",
    "Idempotency",
    "KeyRecord",
    "canonical",
    "earlier_fingerprint",
    "fingerprint",
    "forget_expired_keys",
    "normalise_key",
]
