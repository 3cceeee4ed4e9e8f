"""REST shapes of exchange rates, conversions and balances in one currency. Rates are decimal strings, never floats."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import msgspec

from libs.common.clock import iso
from libs.common.contracts.ledger import AccountType, Side
from libs.common.contracts.ledger_money import (
    ConsolidatedBalances,
    ConvertedAmount,
    ExchangeRate,
    MoneyConversion,
    RateLeg,
    RateQuote,
)
from libs.common.money import format_minor
from services.api.http.rendering import AMOUNT_CHOICE, AmountIn

type CurrencyIn = Annotated[str, msgspec.Meta(min_length=3, max_length=8, description="ISO 4217 code, upper case.")]
type InstantIn = Annotated[datetime, msgspec.Meta(tz=True)]
type AccountIn = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
ABSENT = msgspec.Raw(b"null")
"""A number that was not given: what JSON says where there is none."""
_DEBIT_SIDE = frozenset({AccountType.ASSET, AccountType.EXPENSE})


class RecordRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exchange rate to be recorded."""

    from_currency: CurrencyIn
    to_currency: CurrencyIn
    rate: Annotated[
        msgspec.Raw,
        msgspec.Meta(
            description="Units of `to_currency` for one of `from_currency`: above 0, at most 18 decimals; a JSON number or "
            "a numeric string, read exactly.",
            extra_json_schema={"oneOf": AMOUNT_CHOICE},
        ),
    ]
    effective_at: Annotated[InstantIn, msgspec.Meta(description="From when it holds; absent: from now on.")] | None = (
        None
    )
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="Where it comes from: `ECB`.")] = (
        "manual"
    )


class ConvertAmount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount, and the currency in which its worth is requested."""

    amount: AmountIn
    from_currency: CurrencyIn
    to_currency: CurrencyIn
    at: Annotated[InstantIn, msgspec.Meta(description="By the rates of this instant; absent: now.")] | None = None


class CreateConversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money to be exchanged in the books."""

    id: Annotated[UUID, msgspec.Meta(description="Names the conversion: again with the same content, nothing happens.")]
    from_currency: CurrencyIn
    to_currency: CurrencyIn
    amount: AmountIn
    received_amount: Annotated[
        msgspec.Raw,
        msgspec.Meta(
            description="What was really received, in `to_currency`; absent: what the rate says.",
            extra_json_schema={"oneOf": [*AMOUNT_CHOICE, {"type": "null"}]},
        ),
    ] = msgspec.field(default_factory=lambda: ABSENT)
    from_account: Annotated[AccountIn, msgspec.Meta(description="Absent: the account that plays CASH.")] | None = None
    to_account: Annotated[AccountIn, msgspec.Meta(description="Absent: the account that plays CASH.")] | None = None
    occurred_at: (
        Annotated[InstantIn, msgspec.Meta(description="Valued by the rates of this instant; absent: now.")] | None
    ) = None


class ExchangeRateBody(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange rate as it was recorded."""

    id: str
    from_currency: str
    to_currency: str
    rate: Annotated[str, msgspec.Meta(description="Units of `to_currency` for one of `from_currency`.")]
    effective_at: str
    source: str
    recorded_at: str
    recorded_by: str


class RateLegBody(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded rate that was applied."""

    from_currency: str
    to_currency: str
    rate: str
    inverse: Annotated[bool, msgspec.Meta(description="Read from `to_currency` to `from_currency`.")]
    effective_at: str
    source: str


class ConvertedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What an amount is worth in another currency."""

    amount: str
    from_currency: str
    converted_amount: Annotated[str, msgspec.Meta(description="Rounded once, half to even.")]
    to_currency: str
    rate: Annotated[str, msgspec.Meta(description="To 18 significant digits; the amount is computed exactly.")]
    at: str
    legs: Annotated[
        list[RateLegBody], msgspec.Meta(description="The recorded rates, in the order of their application.")
    ]


class ConversionEntriesBody(msgspec.Struct, frozen=True, kw_only=True):
    """The two entries of a conversion."""

    sold: Annotated[str, msgspec.Meta(description="The entry in `from_currency`.")]
    bought: Annotated[str, msgspec.Meta(description="The entry in `to_currency`.")]


class ConversionBody(msgspec.Struct, frozen=True, kw_only=True):
    """Money that was exchanged in the books."""

    id: str
    from_currency: str
    to_currency: str
    amount: Annotated[str, msgspec.Meta(description="What was given, in `from_currency`.")]
    received_amount: Annotated[str, msgspec.Meta(description="What was received, in `to_currency`.")]
    gain: Annotated[
        str, msgspec.Meta(description="What that was worth more by the rate, in `from_currency`; negative: it cost.")
    ]
    rate: str
    legs: list[RateLegBody]
    from_account: str
    to_account: str
    entries: ConversionEntriesBody
    occurred_at: str
    recorded_at: str
    recorded_by: str


class HeldBody(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds in one currency."""

    currency: str
    balance: Annotated[str, msgspec.Meta(description="Credits minus debits.")]


class ConsolidatedBalanceBody(msgspec.Struct, frozen=True, kw_only=True):
    """What one account holds, shown in one currency."""

    account: str
    account_type: AccountType
    balance: Annotated[str, msgspec.Meta(description="Credits minus debits, rounded once, half to even.")]
    normal_side: Side
    normal_balance: Annotated[str, msgspec.Meta(description="Positive in the account's normal direction.")]
    held: list[HeldBody]
    unconverted: Annotated[list[str], msgspec.Meta(description="Currencies held that are not in `balance`: no rate.")]


class QuoteBody(msgspec.Struct, frozen=True, kw_only=True):
    """A rate that was used."""

    from_currency: str
    to_currency: str
    rate: str
    legs: list[RateLegBody]


class ConsolidatedBody(msgspec.Struct, frozen=True, kw_only=True):
    """All balances in one currency."""

    currency: str
    at: str
    accounts: list[ConsolidatedBalanceBody]
    rates: list[QuoteBody]
    unconverted: Annotated[list[str], msgspec.Meta(description="Currencies that no rate leads from.")]
    rounding: Annotated[str, msgspec.Meta(description="With it the balances add up to exactly zero.")]


def decimal_text(value: Decimal) -> str:
    """Write a decimal in plain digits, never in powers of ten."""
    return format(value, "f")


def rate_body(rate: ExchangeRate) -> ExchangeRateBody:
    """Show an exchange rate as clients see it."""
    return ExchangeRateBody(
        id=str(rate.id),
        from_currency=rate.from_currency,
        to_currency=rate.to_currency,
        rate=decimal_text(rate.rate),
        effective_at=iso(rate.effective_at),
        source=rate.source,
        recorded_at=iso(rate.recorded_at),
        recorded_by=rate.recorded_by,
    )


def converted_body(found: ConvertedAmount) -> ConvertedBody:
    """Show what an amount is worth."""
    quote = found.quote
    return ConvertedBody(
        amount=format_minor(found.amount_minor, quote.from_currency),
        from_currency=quote.from_currency,
        converted_amount=format_minor(found.converted_minor, quote.to_currency),
        to_currency=quote.to_currency,
        rate=decimal_text(quote.rate),
        at=iso(found.at),
        legs=_legs(quote),
    )


def conversion_body(done: MoneyConversion) -> ConversionBody:
    """Show a conversion as clients see it."""
    quote = done.quote
    return ConversionBody(
        id=str(done.id),
        from_currency=quote.from_currency,
        to_currency=quote.to_currency,
        amount=format_minor(done.sold_minor, quote.from_currency),
        received_amount=format_minor(done.bought_minor, quote.to_currency),
        gain=format_minor(done.gain_minor, quote.from_currency),
        rate=decimal_text(quote.rate),
        legs=_legs(quote),
        from_account=done.from_account,
        to_account=done.to_account,
        entries=ConversionEntriesBody(sold=str(done.sold_entry_id), bought=str(done.bought_entry_id)),
        occurred_at=iso(done.occurred_at),
        recorded_at=iso(done.recorded_at),
        recorded_by=done.recorded_by,
    )


def consolidated_body(found: ConsolidatedBalances) -> ConsolidatedBody:
    """Show balances in one currency as clients see them."""
    accounts = []
    for balance in found.accounts:
        side = Side.DEBIT if balance.account_type in _DEBIT_SIDE else Side.CREDIT
        normal = -balance.net_minor if side is Side.DEBIT else balance.net_minor
        accounts.append(
            ConsolidatedBalanceBody(
                account=balance.account,
                account_type=balance.account_type,
                balance=format_minor(balance.net_minor, found.currency),
                normal_side=side,
                normal_balance=format_minor(normal, found.currency),
                held=[
                    HeldBody(currency=held.currency, balance=format_minor(held.net_minor, held.currency))
                    for held in balance.held
                ],
                unconverted=balance.unconverted,
            )
        )
    return ConsolidatedBody(
        currency=found.currency,
        at=iso(found.at),
        accounts=accounts,
        rates=[
            QuoteBody(
                from_currency=quote.from_currency,
                to_currency=quote.to_currency,
                rate=decimal_text(quote.rate),
                legs=_legs(quote),
            )
            for quote in found.quotes
        ],
        unconverted=found.unconverted,
        rounding=format_minor(found.rounding_minor, found.currency),
    )


def _legs(quote: RateQuote) -> list[RateLegBody]:
    return [_leg(leg) for leg in quote.legs]


def _leg(leg: RateLeg) -> RateLegBody:
    return RateLegBody(
        from_currency=leg.from_currency,
        to_currency=leg.to_currency,
        rate=decimal_text(leg.rate),
        inverse=leg.is_inverse,
        effective_at=iso(leg.effective_at),
        source=leg.source,
    )
