"""Amounts as Stripe writes them: in the smallest unit of the currency, as Stripe sees it, which is not always ISO 4217's.

Source: https://docs.stripe.com/currencies, "Zero-decimal currencies", "Three-decimal currencies" and "Special cases".
"""

from libs.common.money import currency

ZERO_DECIMALS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
"""Charged in whole units. In ISO 4217 the ariary (MGA) has two decimals, which nobody uses."""
THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Charged in thousandths, of which the last digit must be zero."""
WHOLE_IN_HUNDREDTHS = frozenset({"ISK", "UGX"})
"""Without decimals in ISO 4217 and in fact, but written with two, which must be zero, as they once were."""


class UnsupportedAmount(Exception):
    """Stripe cannot charge this; the message gives the reason, in a sentence for a person."""


def stripe_exponent(code: str) -> int:
    """How many decimals the smallest unit of a currency has at Stripe.

    Raises:
        UnsupportedAmount: when Stripe does not take the currency.
    """
    if code in ZERO_DECIMALS:
        return 0
    if code in THREE_DECIMALS:
        return 3
    if code in WHOLE_IN_HUNDREDTHS or currency(code).exponent == 2:
        return 2
    raise UnsupportedAmount(f"Stripe does not take {code}.")


def to_stripe(amount_minor: int, code: str) -> int:
    """Turn ISO 4217 minor units into Stripe's.

    Raises:
        UnsupportedAmount: when the currency or this amount of it cannot be charged.
    """
    exponent, ours = stripe_exponent(code), currency(code).exponent
    if exponent >= ours:
        amount = amount_minor * _power(exponent - ours)
    else:
        amount, rest = divmod(amount_minor, _power(ours - exponent))
        if rest:
            raise UnsupportedAmount(f"Stripe takes {code} in whole units only.")
    if code in THREE_DECIMALS and amount % 10:
        raise UnsupportedAmount(f"Stripe takes {code} in steps of a hundredth only.")
    return amount


def from_stripe(amount: int, code: str) -> int:
    """Turn Stripe's units into ISO 4217 minor units; a fraction of one is rounded to the nearest, half up.

    Only fees can have such a fraction, in a currency that Stripe writes with more decimals than ISO 4217.

    Raises:
        UnsupportedAmount: when Stripe does not take the currency.
    """
    exponent, ours = stripe_exponent(code), currency(code).exponent
    if exponent <= ours:
        return amount * _power(ours - exponent)
    step = _power(exponent - ours)
    return (amount + step // 2) // step


def _power(decimals: int) -> int:
    return int(10**decimals)
