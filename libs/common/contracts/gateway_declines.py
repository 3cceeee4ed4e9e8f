"""What a processor, an issuer and a card network say about a decline, in their own words beside ours."""

import msgspec

CODE_LENGTH_MAX = 64
"""Characters of a code that are kept: they come from outside, and the longest known one has 40."""


class DeclineCodes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The codes of a decline, as the processor passes them on; each is empty where there is none.

    https://docs.stripe.com/declines/codes lists Stripe's, https://docs.stripe.com/declines/network-codes those of networks.
    """

    decline_code: str = ""
    """The issuer's reason: `insufficient_funds`, `do_not_honor`."""
    advice_code: str = ""
    """What to do next: `try_again_later`, `do_not_try_again`, `confirm_card_data`."""
    network_decline_code: str = ""
    """The card network's own code: `51`."""
    network_advice_code: str = ""
    """The card network's advice, on which it may charge for repetitions: `03`."""
