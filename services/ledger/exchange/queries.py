"""Reading rates, what amounts are worth by them, conversions, and balances in one currency."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts import ledger_money as contract
from libs.common.contracts.ledger import AccountBalance, EntryKind
from libs.common.contracts.ledger_errors import ConversionUnknown, QueryInvalid, RateUnknown
from libs.common.cursors import cursor_bytes, cursor_text
from libs.common.db import Connection, Database
from libs.common.ids import derived_id
from libs.common.money import UnsupportedCurrency, is_known_currency
from services.ledger.accounts import chart_of
from services.ledger.balances import balances_in_period, standing_balances
from services.ledger.core import Leg, Pair, Quote, Rate, half_even, needed_pairs, quote
from services.ledger.exchange import sql

RATES_MAX = 500
"""Rates on one page at most."""
CONVERSIONS_MAX = 200
"""Conversions on one page at most."""

_TICK = timedelta(microseconds=1)

_LAST = datetime.max.replace(tzinfo=UTC)


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended; the instant is of a history only."""

    from_currency: str
    to_currency: str
    effective_at: datetime | None = None


async def known_quote(
    connection: Connection, tenant_id: str, from_currency: str, to_currency: str, at: datetime
) -> Quote | None:
    """Find what one unit of a currency was worth in another one; None where no rate leads from one to the other."""
    rates = await _rates(connection, tenant_id, [from_currency], to_currency, at=at)
    try:
        return quote(rates, from_currency, to_currency)
    except RateUnknown:
        return None


async def rates_by_day(
    connection: Connection, tenant_id: str, currencies: Sequence[str], target: str, *, zone: str, ends_before: datetime
) -> list[tuple[date, Rate]]:
    """Read the last rate of each day of a zone that may lead from some currencies to another one; the first day first."""
    pairs = needed_pairs(currencies, target)
    return await sql.last_of_days(connection, tenant_id, pairs, zone=zone, ends_before=ends_before)


class ExchangeQueries:
    """Reads about currencies of one ledger process."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def rates(self, request: contract.ListExchangeRates) -> contract.ExchangeRatePage:
        """List the rates in effect, or every rate that was recorded; a limit above 500 counts as 500.

        Raises:
            QueryInvalid: for a limit below 1, or a cursor that is not of such a list.
        """
        if request.limit < 1:
            raise QueryInvalid("limit must be at least 1", errors=(("/limit", "limit must be at least 1"),))
        limit = min(request.limit, RATES_MAX)
        place = None if request.cursor is None else _read_place(request.cursor, history=request.history)
        async with self._database.connection() as connection:
            # One more than requested shows whether there is a next page.
            if request.history:
                found = await sql.rate_history(
                    connection,
                    request.tenant_id,
                    at=request.at,
                    from_currency=request.from_currency,
                    to_currency=request.to_currency,
                    before=None
                    if place is None or place.effective_at is None
                    else (place.effective_at, place.from_currency, place.to_currency),
                    limit=limit + 1,
                )
            else:
                found = await sql.latest_rates(
                    connection,
                    request.tenant_id,
                    at=request.at or self._clock.now(),
                    from_currency=request.from_currency,
                    to_currency=request.to_currency,
                    after=None if place is None else (place.from_currency, place.to_currency),
                    limit=limit + 1,
                )
        page, next_cursor = found[:limit], None
        if len(found) > limit:
            last = page[-1]
            at = last.effective_at if request.history else None
            next_cursor = _write_place(_Place(last.from_currency, last.to_currency, at))
        return contract.ExchangeRatePage(rates=[wire_rate(rate) for rate in page], next_cursor=next_cursor)

    async def converted(self, request: contract.GetConvertedAmount) -> contract.ConvertedAmount:
        """Return what an amount is worth in another currency.

        Raises:
            QueryInvalid: for a currency that is none.
            RateUnknown: when no rate leads from one currency to the other.
        """
        for field in ("from_currency", "to_currency"):
            _require_currency(getattr(request, field), field)
        at = request.at or self._clock.now()
        async with self._database.connection() as connection:
            rates = await _rates(connection, request.tenant_id, [request.from_currency], request.to_currency, at=at)
        quoted = quote(rates, request.from_currency, request.to_currency)
        return contract.ConvertedAmount(
            quote=wire_quote(quoted),
            amount_minor=request.amount_minor,
            converted_minor=half_even(quoted.worth(request.amount_minor)),
            at=at,
        )

    async def conversion(self, request: contract.GetConversion) -> contract.MoneyConversion:
        """Return what was exchanged by a conversion.

        Raises:
            ConversionUnknown: when there is none of this id.
        """
        async with self._database.connection() as connection:
            found = await sql.conversion(connection, request.tenant_id, request.conversion_id)
        if found is None:
            raise ConversionUnknown(f"there is no conversion {request.conversion_id}")
        return await self.shown(found)

    async def conversions(self, request: contract.ListConversions) -> contract.ConversionPage:
        """List conversions; a limit above 200 counts as 200.

        Raises:
            QueryInvalid: for a limit below 1, or a cursor that is not of such a list.
        """
        if request.limit < 1:
            raise QueryInvalid("limit must be at least 1", errors=(("/limit", "limit must be at least 1"),))
        limit = min(request.limit, CONVERSIONS_MAX)
        before = None if request.cursor is None else _read_id(request.cursor)
        async with self._database.connection() as connection:
            # One more than requested shows whether there is a next page.
            found = await sql.conversions(connection, request.tenant_id, before=before, limit=limit + 1)
            codes = {account.id: account.code for account in await chart_of(connection, request.tenant_id)}
        page = found[:limit]
        next_cursor = cursor_text(page[-1].conversion.id.bytes) if len(found) > limit else None
        return contract.ConversionPage(conversions=[_shown(each, codes) for each in page], next_cursor=next_cursor)

    async def shown(self, standing: sql.StandingConversion) -> contract.MoneyConversion:
        """Show a conversion that stands in the books, with the codes of its accounts."""
        async with self._database.connection() as connection:
            codes = {account.id: account.code for account in await chart_of(connection, standing.tenant_id)}
        return _shown(standing, codes)

    async def consolidated(self, request: contract.GetConsolidatedBalances) -> contract.ConsolidatedBalances:
        """Return what every account holds in one currency; a currency that no rate leads from is named, not guessed.

        Raises:
            QueryInvalid: for a currency that is none.
        """
        _require_currency(request.currency, "currency")
        at = request.at or self._clock.now()
        async with self._database.connection() as connection:
            if request.at is None:
                balances = await standing_balances(connection, request.tenant_id, currency=None)
            else:
                # A period ends before its end; nothing is ever recorded in the last microsecond there is.
                until = min(at, _LAST - _TICK) + _TICK
                balances = await balances_in_period(
                    connection, request.tenant_id, posted_from=None, posted_until=until, currency=None
                )
            held = sorted({balance.currency for balance in balances})
            rates = await _rates(connection, request.tenant_id, held, request.currency, at=at)
        return consolidate(balances, rates, currency=request.currency, at=at)


def consolidate(
    balances: Sequence[AccountBalance], rates: dict[Pair, Rate], *, currency: str, at: datetime
) -> contract.ConsolidatedBalances:
    """State balances in one currency. Pure.

    What an account holds in several currencies is added up as exact fractions and rounded once.
    """
    quotes: dict[str, Quote | None] = {}
    for code in sorted({balance.currency for balance in balances}):
        try:
            quotes[code] = quote(rates, code, currency)
        except RateUnknown:
            quotes[code] = None
    accounts: dict[str, list[AccountBalance]] = {}
    for balance in balances:
        accounts.setdefault(balance.account, []).append(balance)
    shown: list[contract.ConsolidatedBalance] = []
    for account, parts in sorted(accounts.items()):
        exact = Fraction(0)
        for part in parts:
            if (quoted := quotes[part.currency]) is not None:
                exact += quoted.worth(part.credits_minor - part.debits_minor)
        shown.append(
            contract.ConsolidatedBalance(
                account=account,
                account_type=parts[0].account_type,
                net_minor=half_even(exact),
                held=[
                    contract.CurrencyAmount(currency=part.currency, net_minor=part.credits_minor - part.debits_minor)
                    for part in parts
                ],
                unconverted=[part.currency for part in parts if quotes[part.currency] is None],
            )
        )
    return contract.ConsolidatedBalances(
        currency=currency,
        at=at,
        accounts=shown,
        quotes=[wire_quote(quoted) for quoted in quotes.values() if quoted is not None],
        unconverted=[code for code, quoted in quotes.items() if quoted is None],
        rounding_minor=-sum(balance.net_minor for balance in shown),
    )


async def _rates(
    connection: Connection, tenant_id: str, currencies: Sequence[str], target: str, *, at: datetime
) -> dict[Pair, Rate]:
    return await sql.rates_at(connection, tenant_id, needed_pairs(currencies, target), at=at)


def wire_rate(rate: Rate) -> contract.ExchangeRate:
    """Show a rate as it was recorded."""
    return contract.ExchangeRate(
        id=rate.id,
        from_currency=rate.from_currency,
        to_currency=rate.to_currency,
        rate=rate.rate,
        effective_at=rate.effective_at,
        source=rate.source,
        recorded_at=rate.recorded_at,
        recorded_by=rate.recorded_by,
    )


def wire_quote(quoted: Quote) -> contract.RateQuote:
    """Show a quote with the rates that it is made of."""
    return contract.RateQuote(
        from_currency=quoted.from_currency,
        to_currency=quoted.to_currency,
        rate=quoted.shown,
        legs=[_wire_leg(leg) for leg in quoted.legs],
    )


def _wire_leg(leg: Leg) -> contract.RateLeg:
    return contract.RateLeg(
        from_currency=leg.rate.from_currency,
        to_currency=leg.rate.to_currency,
        rate=leg.rate.rate,
        is_inverse=leg.is_inverse,
        effective_at=leg.rate.effective_at,
        source=leg.rate.source,
    )


def _require_currency(code: str, field: str) -> None:
    if not is_known_currency(code):
        sentence = "must be an ISO 4217 code in upper case"
        raise UnsupportedCurrency(f"{field} {sentence}", errors=((f"/{field}", sentence),))


def _shown(standing: sql.StandingConversion, codes: Mapping[UUID, str]) -> contract.MoneyConversion:
    done = standing.conversion
    return contract.MoneyConversion(
        id=done.id,
        quote=wire_quote(Quote(from_currency=done.from_currency, to_currency=done.to_currency, legs=standing.legs)),
        from_account=codes[done.from_account_id],
        to_account=codes[done.to_account_id],
        sold_minor=done.amounts.sold_minor,
        bought_minor=done.amounts.bought_minor,
        gain_minor=done.amounts.gain_minor,
        sold_entry_id=derived_id(done.id, EntryKind.CONVERSION_SOLD.value),
        bought_entry_id=derived_id(done.id, EntryKind.CONVERSION_BOUGHT.value),
        occurred_at=done.occurred_at,
        recorded_at=standing.recorded_at,
        recorded_by=standing.recorded_by,
    )


def _read_id(cursor: str) -> UUID:
    try:
        return UUID(bytes=cursor_bytes(cursor, length=16))
    except ValueError as fault:
        raise _wrong_cursor() from fault


def _wrong_cursor() -> QueryInvalid:
    sentence = "cursor must be the next_cursor of an earlier page"
    return QueryInvalid(sentence, errors=(("/cursor", sentence),))


def _write_place(place: _Place) -> str:
    return cursor_text(msgspec.msgpack.encode(place))


def _read_place(cursor: str, *, history: bool) -> _Place:
    try:
        place = msgspec.msgpack.decode(cursor_bytes(cursor), type=_Place)
        if history is (place.effective_at is None):
            raise ValueError("a cursor of the other list")
        if not (is_known_currency(place.from_currency) and is_known_currency(place.to_currency)):
            raise ValueError("no pair of currencies")
    except (ValueError, msgspec.DecodeError) as fault:
        raise _wrong_cursor() from fault
    if place.effective_at is not None and place.effective_at.tzinfo is None:
        return msgspec.structs.replace(place, effective_at=place.effective_at.replace(tzinfo=UTC))
    return place
