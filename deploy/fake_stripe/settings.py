"""What an account has agreed with Stripe: where it is, in which currencies it settles, its prices and payouts."""

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

import msgspec

from deploy.fake_stripe.refusals import invalid
from deploy.fake_stripe.values import exponent

API_VERSION = "2026-10-28.endive"
"""The version whose shapes are spoken; the one that the gateway pins."""


class PayoutInterval(StrEnum):
    """When money goes to the bank."""

    MANUAL = "manual"
    """When `POST /v1/payouts` says so."""
    DAILY = "daily"
    """All that is available, at midnight UTC."""


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The settings of an account, for both of its modes."""

    country: str = "BR"
    """Where it is."""
    default_currency: str = "brl"
    """What it settles in, where it has no bank account in a payment's own currency."""
    settlement_currencies: tuple[str, ...] | None = None
    """The currencies it has bank accounts in; None: in every one, so that nothing is converted."""
    rates: dict[str, str] = {}
    """Exchange rates of whole units, as Stripe applies them: `{"usd:brl": "5.25"}`."""
    fee_bps: int = 290
    """2.9 percent, Stripe's standard price for domestic cards (https://stripe.com/pricing)."""
    fee_fixed: int = 30
    """And 30 minor units of the settlement currency."""
    dispute_fee: int = 1_500
    """What a dispute costs, in minor units of the settlement currency."""
    tax_bps: int = 0
    """Tax on Stripe's fees, which comes as a fee detail of its own."""
    application: str | None = None
    """The platform (`ca_...`) that may take application fees; None: none may."""
    delay_days: int = 2
    """After how many days the money of a charge is available."""
    payouts: PayoutInterval = PayoutInterval.MANUAL
    """When money goes to the bank."""
    payout_days: int = 2
    """How long it takes to get there."""
    api_version: str = API_VERSION
    """The account's default version, which a request without `Stripe-Version` has, and its webhooks."""

    def settled(self, currency: str) -> tuple[str, Decimal | None]:
        """Tell in which currency a payment is settled, and at which rate its minor units are converted.

        Raises:
            Refusal: when no rate is set for the two.
        """
        if self.settlement_currencies is None or currency in self.settlement_currencies:
            return currency, None
        target = self.default_currency
        if currency == target:
            return currency, None
        rate = self.rates.get(f"{currency}:{target}")
        if rate is None:
            raise invalid(f"The stand-in has no exchange rate {currency}:{target}.", param="currency")
        # Stripe's `exchange_rate` turns minor units into minor units: amount x rate = amount.
        return target, Decimal(rate).scaleb(exponent(target) - exponent(currency)).normalize()


def converted(amount: int, rate: Decimal | None) -> int:
    """Convert minor units, half a unit rounded away from zero."""
    return amount if rate is None else int((amount * rate).quantize(Decimal(1), ROUND_HALF_UP))
