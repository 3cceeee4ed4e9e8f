"""Requests about money beyond single accounts.

Exchange rates, what an amount is worth by them, conversions between currencies, and balances stated in one currency. Rates are exact decimals, written as strings.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request
from libs.common.contracts.ledger import AccountType

_TENANT: dict[str, Any] = {"tenant_id": "00000000-0000-0000-0000-000000000002"}


_RATE: dict[str, Any] = {
    "from_currency": "USD",
    "to_currency": "BRL",
    "rate": "5.4321",
    "effective_at": "2026-11-22T00:00:00Z",
    "source": "ECB",
}


class ExchangeRate(msgspec.Struct, frozen=True, kw_only=True):
    """How many units of one currency a unit of another is worth, from an instant on."""

    id: UUID
    """Identifies it within the tenant."""
    from_currency: str
    """ISO 4217 code: what one unit of is worth `rate`."""
    to_currency: str
    """ISO 4217 code: what `rate` counts."""
    rate: Decimal
    """Units of `to_currency`, not minor ones; exact."""
    effective_at: datetime
    """From when it holds, until the next one of its pair does."""
    source: str
    """Where it comes from."""
    recorded_at: datetime
    """When it was recorded."""
    recorded_by: str
    """Who recorded it."""


class ExchangeRatePage(msgspec.Struct, frozen=True, kw_only=True):
    """Exchange rates, page by page."""

    rates: list[ExchangeRate]
    next_cursor: str | None = None
    """Continue here; None on the last page."""


class RateLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded rate that was applied, and in which direction."""

    from_currency: str
    """As it was recorded."""
    to_currency: str
    """As it was recorded."""
    rate: Decimal
    """As it was recorded."""
    is_inverse: bool
    """Whether it was read from `to_currency` to `from_currency`."""
    effective_at: datetime
    """From when it holds."""
    source: str
    """Where it comes from."""


class RateQuote(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit of a currency is worth in another one, and by which recorded rates."""

    from_currency: str
    """ISO 4217 code."""
    to_currency: str
    """ISO 4217 code."""
    rate: Decimal
    """To 18 significant digits; amounts are computed with the exact fraction."""
    legs: list[RateLeg]
    """In the order in which they were applied: none for a currency in itself, two over a base currency."""


@request(
    "exchange_rates.record",
    owner="ledger",
    published_by=("api",),
    reply=ExchangeRate,
    example=_TENANT | _RATE | {"rate_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd6", "actor": "admin@example.com"},
)
class RecordExchangeRate(Message, frozen=True, kw_only=True):
    """Record an exchange rate. Requested by the api; the same content again is success, other content a conflict."""

    tenant_id: str
    """Who goes by it."""
    rate_id: UUID
    """The new rate's id, minted by the api."""
    from_currency: str
    """ISO 4217 code."""
    to_currency: str
    """ISO 4217 code."""
    rate: Decimal
    """Units of `to_currency` for one of `from_currency`: above 0, at most 18 decimals."""
    effective_at: datetime | None = None
    """From when it holds, which may be in the past or to come; None: from now on."""
    source: str = "manual"
    """1 to 64 characters."""
    actor: str = ""
    """Who asks."""


@request("exchange_rates.list", owner="ledger", published_by=("api",), reply=ExchangeRatePage, example=_TENANT)
class ListExchangeRates(Message, frozen=True, kw_only=True):
    """Which exchange rates are there? Requested by the api."""

    tenant_id: str
    """The tenant."""
    from_currency: str | None = None
    """From this currency only."""
    to_currency: str | None = None
    """To this currency only."""
    at: datetime | None = None
    """As they stood at this instant; None: now, or, in a history, without end."""
    history: bool = False
    """Every rate that was recorded, the last to take effect first; else the one in effect of each pair, by pair."""
    limit: int = 100
    """1 to 500."""
    cursor: str | None = None
    """The `next_cursor` of the page before."""


class ConvertedAmount(msgspec.Struct, frozen=True, kw_only=True):
    """What an amount is worth in another currency."""

    quote: RateQuote
    """The rate."""
    amount_minor: int
    """What was requested, in minor units of the quote's first currency."""
    converted_minor: int
    """Its worth in minor units of the second, rounded once, half to even."""
    at: datetime
    """By the rates of this instant."""


@request(
    "exchange_rates.convert",
    owner="ledger",
    published_by=("api",),
    reply=ConvertedAmount,
    example=_TENANT | {"from_currency": "USD", "to_currency": "BRL", "amount_minor": 10000},
)
class GetConvertedAmount(Message, frozen=True, kw_only=True):
    """What is an amount worth in another currency? Requested by the api; nothing is posted."""

    tenant_id: str
    """By whose rates."""
    from_currency: str
    """ISO 4217 code."""
    to_currency: str
    """ISO 4217 code."""
    amount_minor: int
    """In minor units of `from_currency`."""
    at: datetime | None = None
    """By the rates of this instant; None: now."""


class MoneyConversion(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange of currencies that stands in the books, as two linked entries."""

    id: UUID
    """Links the two."""
    quote: RateQuote
    """The rate by which it was valued."""
    from_account: str
    """Code of the account that the sold amount was taken from."""
    to_account: str
    """Code of the account that the bought amount went to."""
    sold_minor: int
    """What was given, in minor units of the quote's first currency."""
    bought_minor: int
    """What was received, in minor units of the second."""
    gain_minor: int
    """What that was worth more by the rate, in minor units of the first currency; negative where it cost."""
    sold_entry_id: UUID
    """The entry in the first currency."""
    bought_entry_id: UUID
    """The entry in the second."""
    occurred_at: datetime
    """When it happened."""
    recorded_at: datetime
    """When it was recorded."""
    recorded_by: str
    """Who requested it."""


_CONVERSION: dict[str, Any] = {"conversion_id": "0190f3a4-5b6c-7d8e-9f01-23456789abd7"}


@request(
    "conversions.post",
    owner="ledger",
    published_by=("api",),
    reply=MoneyConversion,
    example=_TENANT
    | _CONVERSION
    | {"from_currency": "USD", "to_currency": "BRL", "amount_minor": 10000, "actor": "ops@example.com"},
)
class PostConversion(Message, frozen=True, kw_only=True):
    """Exchange money between currencies in the books. Requested by the api; same id and content is success."""

    tenant_id: str
    """The tenant."""
    conversion_id: UUID
    """The conversion, named by whoever asks."""
    from_currency: str
    """ISO 4217 code of what is given."""
    to_currency: str
    """ISO 4217 code of what is received."""
    amount_minor: int
    """What is given, in minor units of `from_currency`."""
    received_minor: int | None = None
    """What was really received, in minor units of `to_currency`; None: what the rate gives."""
    from_account: str | None = None
    """Code of the account that it is taken from; None: the one that plays CASH."""
    to_account: str | None = None
    """Code of the account that it goes to; None: the one that plays CASH."""
    occurred_at: datetime | None = None
    """When it happened, and by the rates of when it is valued; None: now."""
    actor: str = ""
    """Who asks."""


@request("conversions.get", owner="ledger", published_by=("api",), reply=MoneyConversion, example=_TENANT | _CONVERSION)
class GetConversion(Message, frozen=True, kw_only=True):
    """What was exchanged by this conversion? Requested by the api."""

    tenant_id: str
    """The tenant."""
    conversion_id: UUID
    """The conversion."""


class ConversionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Conversions, the newest ids first."""

    conversions: list[MoneyConversion]
    next_cursor: str | None = None
    """Continue here; None on the last page."""


@request("conversions.list", owner="ledger", published_by=("api",), reply=ConversionPage, example=_TENANT)
class ListConversions(Message, frozen=True, kw_only=True):
    """What was exchanged so far? Requested by the api."""

    tenant_id: str
    """The tenant."""
    cursor: str | None = None
    """From the page before."""
    limit: int = 50
    """At most; 1 to 200."""


class CurrencyAmount(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds in one currency."""

    currency: str
    """ISO 4217 code."""
    net_minor: int
    """Credits less debits, in minor units of `currency`."""


class ConsolidatedBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What one account holds in all currencies, stated in one."""

    account: str
    """The account's code."""
    account_type: AccountType
    """Fixes the normal balance."""
    net_minor: int
    """Credits less debits of what could be converted, in minor units; added up exactly and rounded once, half to even."""
    held: list[CurrencyAmount]
    """What it holds in each currency, by currency."""
    unconverted: list[str]
    """Currencies in which it holds something and that no rate leads from: they are not in `net_minor`."""


class ConsolidatedBalances(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's balances in one currency."""

    currency: str
    """ISO 4217 code of every `net_minor`."""
    at: datetime
    """Balances as recorded, and rates as in effect, at this instant."""
    accounts: list[ConsolidatedBalance]
    """By account code."""
    quotes: list[RateQuote]
    """The rates that were used, by currency."""
    unconverted: list[str]
    """Currencies that no rate leads from."""
    rounding_minor: int
    """What rounding took from the balances together: with it they add up to exactly zero, as the books do."""


@request(
    "balances.consolidate",
    owner="ledger",
    published_by=("api",),
    reply=ConsolidatedBalances,
    example=_TENANT | {"currency": "USD"},
    is_heavy=True,
)
class GetConsolidatedBalances(Message, frozen=True, kw_only=True):
    """What do this tenant's accounts hold, stated in one currency? Requested by the api."""

    tenant_id: str
    """The tenant."""
    currency: str
    """ISO 4217 code."""
    at: datetime | None = None
    """As recorded at this instant, by the rates of then; None: now."""
