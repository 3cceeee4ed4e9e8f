"""What the platform takes of a charge through a connected account (`application_fee_amount`)."""

from libs.common.money import currency as currency_of
from services.gateway.processors.stripe.amounts import THREE_DECIMALS, stripe_exponent

_BPS = 10_000


def application_fee(amount_minor: int, code: str, *, bps: int, fixed_minor: int) -> int:
    """Return the platform's fee on an amount, in Stripe's units; zero where there is none.

    The part in basis points is rounded half up to a minor unit, the sum is less than the amount, since Stripe refuses any
    other (https://docs.stripe.com/connect/direct-charges#collect-fees), and what it cannot express (a thousandth of a dinar, a hundredth of an ariary) is left to the tenant.

    Raises:
        UnsupportedAmount: when Stripe does not take the currency.
    """
    fee = min(amount_minor - 1, (amount_minor * bps + _BPS // 2) // _BPS + fixed_minor)
    exponent, ours = stripe_exponent(code), currency_of(code).exponent
    units = fee * 10 ** (exponent - ours) if exponent >= ours else fee // 10 ** (ours - exponent)
    return int(units - units % 10 if code in THREE_DECIMALS else units)
