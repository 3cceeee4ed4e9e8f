"""How a customer pays other than by card: Pix and boleto, what they need to know of the customer, and what they show them.

Both are asynchronous and captured by themselves: the customer gets a code or a slip, and pays it before it expires, or not.
"""

from enum import StrEnum
from typing import Annotated

import msgspec


class PaymentMethodType(StrEnum):
    """How a customer pays."""

    CARD = "card"
    """A token of a card."""
    PIX = "pix"
    """An instant transfer from a bank app, by a QR code or its text."""
    BOLETO = "boleto"
    """A slip that is paid at a bank, by its number or its bar code."""

    @property
    def is_asynchronous(self) -> bool:
        """Whether the customer pays later, elsewhere, and all that is paid is captured."""
        return self is not PaymentMethodType.CARD


_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the customer lives."""

    line1: _Text
    """Street and number."""
    city: _Text
    """City."""
    state: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}(?!\n)$")]
    """State, two letters: `SP`."""
    postal_code: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{5}-?[0-9]{3}(?!\n)$")]
    """CEP."""
    country: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}(?!\n)$")] = "BR"
    """ISO 3166-1 code."""


class BillingDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who pays: a boleto names them, by law (https://docs.stripe.com/payments/boleto)."""

    name: _Text
    """Full name of a person or company."""
    email: Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+(?!\n)$", max_length=254)]
    """Where the slip can be sent."""
    tax_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9./-]{11,18}(?!\n)$")]
    """CPF or CNPJ: 11 or 14 digits, with or without the usual dots and dashes."""
    address: Address
    """Where they live."""

    @property
    def tax_digits(self) -> str:
        """The tax id without dots and dashes."""
        return "".join(character for character in self.tax_id if character.isdigit())


def encode_billing_details(details: BillingDetails | None) -> str:
    """Write the details as JSON, for a column of text; nothing is the empty text."""
    return "" if details is None else msgspec.json.encode(details).decode()


_read_billing_details = msgspec.json.Decoder(BillingDetails)


def decode_billing_details(text: str) -> BillingDetails | None:
    """Read what `encode_billing_details` wrote."""
    return _read_billing_details.decode(text) if text else None


__all__ = [
    "Address",
    "BillingDetails",
    "PaymentMethodType",
    "decode_billing_details",
    "encode_billing_details",
]
