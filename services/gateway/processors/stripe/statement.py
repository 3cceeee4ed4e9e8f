"""What a balance transaction and a payout of Stripe mean: pure, and held to the closed sets of the port.

https://docs.stripe.com/reports/balance-transaction-types lists the types, .../reporting-categories the categories.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from libs.common.contracts.gateway_movements import FeeKind, MovementKind
from libs.common.ids import parse_id
from services.gateway.processors.port.reading import Held, StatementMovement, StatementPayout
from services.gateway.processors.stripe.amounts import from_stripe

type _Object = dict[str, Any]

_KINDS: Mapping[str, MovementKind] = {
    "charge": MovementKind.CHARGE,
    "payment": MovementKind.CHARGE,
    "refund": MovementKind.REFUND,
    "payment_refund": MovementKind.REFUND,
    "refund_failure": MovementKind.REFUND_FAILURE,
    "payment_failure_refund": MovementKind.REFUND_FAILURE,
    "payout": MovementKind.PAYOUT,
    "payout_cancel": MovementKind.PAYOUT_RETURN,
    "payout_failure": MovementKind.PAYOUT_RETURN,
    "application_fee": MovementKind.PLATFORM_EARNING,
    "network_cost": MovementKind.FEE,
    "stripe_fee": MovementKind.FEE,
    "stripe_fx_fee": MovementKind.FEE,
    "tax_fee": MovementKind.TAX,
    "payment_network_reserve_hold": MovementKind.RESERVE,
    "payment_network_reserve_release": MovementKind.RESERVE,
    "payout_minimum_balance_hold": MovementKind.RESERVE,
    "payout_minimum_balance_release": MovementKind.RESERVE,
    "reserve_hold": MovementKind.RESERVE,
    "reserve_release": MovementKind.RESERVE,
    "reserve_transaction": MovementKind.RESERVE,
    "reserved_funds": MovementKind.RESERVE,
}
_FEES: Mapping[str, FeeKind] = {
    "application_fee": FeeKind.PLATFORM,
    "tax": FeeKind.TAX,
    "withheld_tax": FeeKind.TAX,
}
"""Everything else is the processor's own price: stripe_fee, payment_method_passthrough_fee."""
_DISPUTES: Mapping[str, MovementKind] = {
    "dispute": MovementKind.DISPUTE,
    "dispute_reversal": MovementKind.DISPUTE_REVERSAL,
}
_FEE_REFUND = "application_fee_refund"
_FEE_REFUND_PREFIX = "fr_"
_RELEASED = "partial_capture_reversal"
_EXPIRED = "expired_uncaptured_charge"


def movement_of(found: _Object, *, source: _Object | None = None) -> StatementMovement:
    """Read a balance transaction; `source` is what moved it, where it is not expanded in it.

    Raises:
        LookupError, TypeError, ValueError, ArithmeticError, UnsupportedAmount: when its shape is another than was promised.
    """
    named = found.get("source")
    about: _Object = named if isinstance(named, dict) else source or {}
    currency = str(found["currency"]).upper()
    amount = _minor(found["amount"], currency)
    metadata = about.get("metadata") or {}
    source_currency = str(about.get("currency") or currency).upper()
    rate = "" if found.get("exchange_rate") is None else str(Decimal(str(found["exchange_rate"])))
    is_exchanged = source_currency != currency and amount != 0
    named_amount = _named_amount(found, about, rate) if is_exchanged else None
    return StatementMovement(
        ref=str(found["id"]),
        kind=_kind(found, about),
        type=str(found["type"]),
        reporting_category=str(found.get("reporting_category") or ""),
        source_ref=str(about.get("id") or "") if isinstance(named, dict) else str(named or ""),
        payment_ref=_ref(about.get("payment_intent")),
        charge_ref=str(about["id"]) if about.get("object") == "charge" else _ref(about.get("charge")),
        payment_intent_id=parse_id(str(metadata.get("payment_intent_id") or "")),
        refund_id=parse_id(str(metadata.get("refund_id") or "")),
        amount_minor=amount,
        fees=tuple(_fees(found, currency)),
        currency=currency,
        exchange_rate=rate,
        source_amount_minor=_source_amount(found, named_amount, source_currency, rate) if is_exchanged else None,
        source_currency=source_currency if is_exchanged else "",
        source_total_minor=_total(about, source_currency) if is_exchanged else None,
        created_at=_instant(found["created"]),
        available_at=_instant(found["available_on"]),
        is_available=found["status"] == "available",
        raw=json.dumps(found),
    )


def payout_of(found: _Object) -> StatementPayout:
    """Read a payout.

    Raises:
        LookupError, TypeError, ValueError, ArithmeticError, UnsupportedAmount: when its shape is another than was promised.
    """
    currency = str(found["currency"]).upper()
    trace = found.get("trace_id") or {}
    return StatementPayout(
        ref=str(found["id"]),
        amount_minor=_minor(found["amount"], currency),
        currency=currency,
        status=str(found["status"]),
        is_automatic=bool(found.get("automatic")),
        reconciliation_status=str(found.get("reconciliation_status") or ""),
        arrives_at=_instant(found.get("arrival_date") or found["created"]),
        movement_ref=_ref(found.get("balance_transaction")),
        failure_movement_ref=_ref(found.get("failure_balance_transaction")),
        original_ref=_ref(found.get("original_payout")),
        reversed_by=_ref(found.get("reversed_by")),
        trace_id=str(trace.get("value") or ""),
        created_at=_instant(found["created"]),
        raw=json.dumps(found),
    )


def balance_of(found: _Object) -> dict[str, Held]:
    """Read what an account has, by currency.

    Raises:
        LookupError, TypeError, ValueError, ArithmeticError, UnsupportedAmount: when its shape is another than was promised.
    """
    amounts: dict[str, dict[str, int]] = {}
    for name in ("available", "pending", "connect_reserved"):
        for each in found.get(name) or []:
            currency = str(each["currency"]).upper()
            of_currency = amounts.setdefault(currency, {"available": 0, "pending": 0, "connect_reserved": 0})
            of_currency[name] += _minor(each["amount"], currency)
    return {
        currency: Held(
            available_minor=of["available"], pending_minor=of["pending"], reserved_minor=of["connect_reserved"]
        )
        for currency, of in amounts.items()
    }


def _kind(found: _Object, about: _Object) -> MovementKind:
    category = str(found.get("reporting_category") or "")
    if category == _RELEASED or about.get("reason") == _EXPIRED:
        return MovementKind.RELEASE
    if found["type"] == "adjustment":
        if category in _DISPUTES:
            return _DISPUTES[category]
        if about.get("object") == "dispute":
            return MovementKind.DISPUTE if found["amount"] <= 0 else MovementKind.DISPUTE_REVERSAL
        if category == "fee" and not _is_of_fee(found, about):
            return MovementKind.FEE
    if found["type"] == _FEE_REFUND or _is_of_fee(found, about):
        # It leaves the platform, and comes to the account that had paid the fee: there it is an adjustment.
        return MovementKind.PLATFORM_EARNING_REFUND if found["amount"] < 0 else MovementKind.PLATFORM_FEE_REFUND
    return _KINDS.get(str(found["type"]), MovementKind.OTHER)


def _is_of_fee(found: _Object, about: _Object) -> bool:
    """Whether a refund of a platform's fee moved it."""
    named = found.get("source")
    reference = about.get("id") if isinstance(named, dict) else named
    return about.get("object") == "fee_refund" or str(reference or "").startswith(_FEE_REFUND_PREFIX)


def _fees(found: _Object, currency: str) -> list[tuple[FeeKind, int]]:
    details = found.get("fee_details") or []
    parts = [(_FEES.get(str(each["type"]), FeeKind.PROCESSOR), _minor(each["amount"], currency)) for each in details]
    # What the details do not name is the processor's: the sum is what it has kept.
    rest = _minor(found.get("fee") or 0, currency) - sum(amount for _, amount in parts)
    return [part for part in [*parts, (FeeKind.PROCESSOR, rest)] if part[1]]


def _source_amount(found: _Object, named: int | None, source_currency: str, rate: str) -> int:
    """The amount in the payment's currency: what the source names, else what the rate gives."""
    sign = 1 if found["amount"] > 0 else -1
    amount = _rounded(abs(found["amount"]) / _exact(rate)) if named is None else named
    return sign * from_stripe(amount, source_currency)


def _named_amount(found: _Object, about: _Object, rate: str) -> int | None:
    """An amount that the source names, where that is the same at the rate, give or take a unit."""
    moved, exact = abs(found["amount"]), _exact(rate)
    for name in ("amount", "amount_captured", "amount_refunded"):
        candidate = about.get(name)
        if isinstance(candidate, int) and abs(_rounded(candidate * exact) - moved) <= 1:
            return candidate
    return None


def _total(about: _Object, source_currency: str) -> int | None:
    """What a dispute is of now; None of anything else."""
    amount = about.get("amount")
    return (
        from_stripe(amount, source_currency) if about.get("object") == "dispute" and isinstance(amount, int) else None
    )


def _exact(rate: str) -> Decimal:
    return Decimal(rate) if rate else Decimal(1)


def _rounded(exact: Decimal) -> int:
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def _minor(amount: int, currency: str) -> int:
    """Turn Stripe's units into minor units, alike in both directions."""
    minor = from_stripe(abs(amount), currency)
    return minor if amount >= 0 else -minor


def _ref(value: Any) -> str:
    return str(value["id"]) if isinstance(value, dict) else str(value or "")


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
