"""The codes and slips that customers pay, as the sandbox draws them: well-formed, and worth nothing."""

from datetime import timedelta
from typing import assert_never

from libs.common.contracts.gateway_actions import BoletoDisplayDetails, NextAction, PixDisplayQrCode
from libs.common.contracts.gateway_methods import PaymentMethodType
from services.gateway.processors.sandbox.nouns import SandboxPayment

_PIX_VALID, _BOLETO_VALID = timedelta(days=1), timedelta(days=3)
"""How long a code and a slip can be paid: Stripe's defaults."""


def slip_of(payment: SandboxPayment) -> NextAction | None:
    """Return the code or the slip that the customer pays; None for a card."""
    url = f"https://sandbox.invalid/{payment.method}/{payment.ref}"
    match payment.method:
        case PaymentMethodType.CARD:
            return None
        case PaymentMethodType.PIX:
            return PixDisplayQrCode(
                data=f"00020126BR.GOV.BCB.PIX{payment.ref}",
                image_url_png=f"{url}.png",
                hosted_instructions_url=url,
                expires_at=payment.authorized_at + _PIX_VALID,
            )
        case PaymentMethodType.BOLETO:
            number = "".join(character for character in payment.ref if character.isdigit()).ljust(47, "0")[:47]
            return BoletoDisplayDetails(
                number=number,
                pdf=f"{url}.pdf",
                hosted_voucher_url=url,
                expires_at=payment.authorized_at + _BOLETO_VALID,
            )
        case _:
            assert_never(payment.method)
