"""What the platform takes of a charge through a connected account, in Stripe's units."""

import pytest

from services.gateway.processors.stripe.amounts import to_stripe
from services.gateway.processors.stripe.fees import application_fee


@pytest.mark.parametrize(
    ("amount_minor", "currency", "bps", "fixed_minor", "fee"),
    [
        (10_000, "BRL", 250, 15, 265),
        (20, "BRL", 250, 0, 1),
        (19, "BRL", 250, 0, 0),
        (1_000, "JPY", 250, 15, 40),
        (1_000, "KWD", 259, 0, 20),
        (100_000, "MGA", 255, 0, 25),
        (1_000, "ISK", 250, 0, 2_500),
    ],
)
def test_fee_is_a_part_of_the_amount_in_whole_units(
    amount_minor: int, currency: str, bps: int, fixed_minor: int, fee: int
) -> None:
    assert application_fee(amount_minor, currency, bps=bps, fixed_minor=fixed_minor) == fee


@pytest.mark.parametrize(
    ("amount_minor", "currency"),
    [(1, "BRL"), (15, "BRL"), (10_000, "BRL"), (1, "JPY"), (10, "KWD"), (1_000, "KWD"), (100, "MGA"), (1, "ISK")],
)
@pytest.mark.parametrize(("bps", "fixed_minor"), [(10_000, 0), (0, 99_999_999), (10_000, 99_999_999)])
def test_fee_is_always_less_than_the_amount(amount_minor: int, currency: str, bps: int, fixed_minor: int) -> None:
    fee = application_fee(amount_minor, currency, bps=bps, fixed_minor=fixed_minor)
    assert 0 <= fee < to_stripe(amount_minor, currency)
