"""What an authorization charges, as parameters of a payment intent: a card's token, or a code or slip that Stripe makes."""

from typing import Any

from libs.common.contracts.gateway_methods import PaymentMethodType
from services.gateway.processors.port import Authorize


def charged(request: Authorize, method: str) -> dict[str, Any]:
    """Name what is charged: `method` where it is a card. What is paid later can only be captured at once."""
    kind = request.payment_method_type
    if kind is PaymentMethodType.CARD:
        # A payment method of a customer is refused without them.
        saved = {"customer": request.processor_customer} if request.processor_customer else {}
        absent = {"off_session": True} if request.off_session else {}
        return {"capture_method": "manual", "payment_method": method, **saved, **absent}
    details: dict[str, Any] = {"type": kind.value}
    payer = request.billing_details
    if payer is not None:
        details["billing_details"] = {
            "name": payer.name,
            "email": payer.email,
            "address": {
                "line1": payer.address.line1,
                "city": payer.address.city,
                "state": payer.address.state,
                "postal_code": payer.address.postal_code,
                "country": payer.address.country,
            },
        }
        if kind is PaymentMethodType.BOLETO:
            details["boleto"] = {"tax_id": payer.tax_digits}
    return {"capture_method": "automatic", "payment_method_data": details}
