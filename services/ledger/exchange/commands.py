"""To record exchange rates, and to exchange money between currencies in the books."""

import hashlib
from collections.abc import Sequence

import msgspec

from libs.common.clock import Clock
from libs.common.contracts import ledger_money as contract
from libs.common.contracts.ledger_errors import (
    AccountUnknown,
    ConversionConflict,
    ConversionInvalid,
    ConversionOutsideBand,
    RateConflict,
)
from libs.common.contracts.ledger_roles import Role
from libs.common.db import Connection, Database
from libs.common.db.database import CONTENTION
from libs.common.money import AMOUNT_MINOR_MAX, is_currency
from libs.common.observability.correlation import current
from services.ledger.accounts import Charts, chart_of
from services.ledger.core import Account, Chart, Quote, Rate, check_rate, exchange, half_even, needed_pairs, quote
from services.ledger.exchange import sql
from services.ledger.exchange.sql import StandingConversion
from services.ledger.posting import CONTENTION_RETRIES_MAX, BalanceCache, Booking, Refused, count, post_locked
from services.ledger.posting_rules import Conversion, conversion_entries

_OWN = (Role.FX_POSITION, Role.FX_GAIN_LOSS)
"""Roles whose accounts the rule itself posts to: money is not taken from there, and does not go there."""
NOT_IN_DIGEST = {"actor": "whoever sends it again sends the same"}
"""Fields that may differ when a conversion is requested again under its id, each with the reason."""


class ExchangeCommands:
    """The decisions about currencies of one ledger process."""

    def __init__(
        self, database: Database, *, clock: Clock, cache: BalanceCache | None = None, band_percent: int = 10
    ) -> None:
        self._database = database
        self._band_percent = band_percent
        self._clock = clock
        self._cache = cache
        self._charts = Charts()

    async def record_rate(self, request: contract.RecordExchangeRate) -> Rate:
        """Record an exchange rate; the same content again is success, and changes nothing.

        Raises:
            RateInvalid: naming each member that cannot be recorded.
            RateConflict: when another rate of the pair takes effect at the same instant.
        """
        now = self._clock.now()
        rate = check_rate(
            Rate(
                tenant_id=request.tenant_id,
                id=request.rate_id,
                from_currency=request.from_currency,
                to_currency=request.to_currency,
                rate=request.rate,
                effective_at=request.effective_at or now,
                source=request.source,
                recorded_at=now,
                recorded_by=request.actor,
            )
        )
        async with self._database.transaction() as tx:
            existing = await sql.add_rate(tx, rate)
        if not existing.has_same_content(rate):
            raise RateConflict(
                f"another rate from {rate.from_currency} to {rate.to_currency} takes effect at that instant; "
                "correct it by one that does later"
            )
        return existing

    async def convert(self, request: contract.PostConversion) -> StandingConversion:
        """Post a conversion as two linked entries, in one transaction; the same id and content again is success.

        A replay returns what was done the first time, whatever has become of rates and roles since.

        Raises:
            ConversionInvalid: naming each member that cannot be.
            ConversionConflict: when there is a conversion of this id with other content.
            ConversionOutsideBand: when what was received is too far from the known rate.
            ConversionTooSmall, ConversionTooLarge: when an amount has no counterpart in the other currency.
            AccountUnknown: when the chart has no such account.
            RateUnknown: when no rate leads from one currency to the other.
            Rejected: when the books refuse one of the entries; then neither is posted.
        """
        _check_conversion(request)
        for _ in range(CONTENTION_RETRIES_MAX):
            try:
                return await self._convert(request)
            except CONTENTION:
                continue
        return await self._convert(request)

    async def _convert(self, request: contract.PostConversion) -> StandingConversion:
        now, digest = self._clock.now(), digest_of(request)
        async with self._database.transaction() as tx:
            existing = await sql.conversion(tx, request.tenant_id, request.conversion_id)
            if existing is None:
                chart = (await self._charts.of(tx, [request.tenant_id], opened_at=now))[request.tenant_id]
                made = await self._make(tx, chart, request)
                # A concurrent one of the same id waits here until this one is decided.
                if await sql.add_conversion(tx, made):
                    await self._post(tx, chart, made)
                    return made
                existing = await sql.conversion(tx, request.tenant_id, request.conversion_id)
        if existing is None or existing.digest != digest:
            raise ConversionConflict(f"the conversion {request.conversion_id} stands in the books with other content")
        return existing

    async def _make(self, tx: Connection, chart: Chart, request: contract.PostConversion) -> StandingConversion:
        now = self._clock.now()
        occurred_at = request.occurred_at or now
        pairs = needed_pairs([request.from_currency], request.to_currency)
        rates = await sql.rates_at(tx, request.tenant_id, pairs, at=occurred_at)
        quoted = quote(rates, request.from_currency, request.to_currency)
        _check_band(request, quoted, percent=self._band_percent)
        accounts = await chart_of(tx, request.tenant_id)
        return StandingConversion(
            tenant_id=request.tenant_id,
            digest=digest_of(request),
            conversion=Conversion(
                id=request.conversion_id,
                from_account_id=_account(chart, accounts, request.from_account, "from_account").id,
                to_account_id=_account(chart, accounts, request.to_account, "to_account").id,
                from_currency=request.from_currency,
                to_currency=request.to_currency,
                amounts=exchange(quoted, request.amount_minor, received_minor=request.received_minor),
                occurred_at=occurred_at,
            ),
            legs=quoted.legs,
            recorded_at=now,
            recorded_by=request.actor,
        )

    async def _post(self, tx: Connection, chart: Chart, made: StandingConversion) -> None:
        cause = msgspec.structs.replace(current(), tenant_id=made.tenant_id)
        bookings = [Booking(entry=entry, correlation=cause) for entry in conversion_entries(chart, made.conversion)]
        outcomes = await post_locked(tx, bookings, clock=self._clock, cache=self._cache)
        count(bookings, outcomes)
        for outcome in outcomes:
            if isinstance(outcome, Refused):
                raise outcome.reason


def _account(chart: Chart, accounts: Sequence[Account], code: str | None, field: str) -> Account:
    cash_id = chart.roles[Role.CASH]
    for account in accounts:
        if account.code == code or (code is None and account.id == cash_id):
            if account.id in {chart.roles[role] for role in _OWN}:
                sentence = f"must not be {account.code}, to which the rule itself posts"
                raise ConversionInvalid(f"{field} {sentence}", errors=((f"/{field}", sentence),))
            return account
    sentence = f"the chart has no account {code}"
    raise AccountUnknown(sentence, errors=((f"/{field}", "must be the code of an account in the chart"),))


def _check_band(request: contract.PostConversion, quoted: Quote, *, percent: int) -> None:
    """Refuse what would be booked as a gain or loss that no market explains; one minor unit may always be rounding."""
    if request.received_minor is None:
        return
    known = quoted.worth(request.amount_minor)
    if abs(request.received_minor - known) > known * percent / 100 + 1:
        sentence = f"must be within {percent} percent of {half_even(known)} minor units, its worth at the known rate"
        raise ConversionOutsideBand(f"received_amount {sentence}", errors=(("/received_amount", sentence),))


def _check_conversion(request: contract.PostConversion) -> None:
    faults = [
        (f"/{field}", "must be an active ISO 4217 code in upper case")
        for field in ("from_currency", "to_currency")
        if not is_currency(getattr(request, field))
    ]
    if request.from_currency == request.to_currency:
        faults.append(("/to_currency", "must be another currency than from_currency"))
    for field, amount in (("amount", request.amount_minor), ("received_amount", request.received_minor)):
        if amount is not None and not 0 < amount <= AMOUNT_MINOR_MAX:
            faults.append((f"/{field}", f"must be 1 to {AMOUNT_MINOR_MAX} minor units"))
    if faults:
        raise ConversionInvalid("; ".join(f"{where[1:]} {what}" for where, what in faults), errors=tuple(faults))


def digest_of(request: contract.PostConversion) -> bytes:
    """SHA-256 of everything that was requested but `NOT_IN_DIGEST`."""
    content = msgspec.structs.replace(request, **dict.fromkeys(NOT_IN_DIGEST, ""))
    return hashlib.sha256(msgspec.json.encode(content)).digest()
