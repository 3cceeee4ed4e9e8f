"""What a customer has to do before a payment goes on: one struct for each kind, distinguished by `type`."""

from datetime import datetime

import msgspec


class _Action(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every action has."""


class PixDisplayQrCode(_Action, frozen=True, kw_only=True, tag="pix_display_qr_code"):
    """Show a QR code, or its text, which the customer pays in the app of a bank."""

    data: str
    """The text of the code: to be copied, or drawn as a QR code."""
    image_url_png: str = ""
    """The QR code as an image; empty where the processor has none."""
    hosted_instructions_url: str = ""
    """A page of the processor that shows the code; empty where there is none."""
    expires_at: datetime | None = None
    """Until when it can be paid."""


class BoletoDisplayDetails(_Action, frozen=True, kw_only=True, tag="boleto_display_details"):
    """Show a slip, which the customer pays at a bank."""

    number: str
    """The number of the slip."""
    pdf: str = ""
    """The slip as a PDF; empty where the processor has none."""
    hosted_voucher_url: str = ""
    """A page of the processor that shows the slip; empty where there is none."""
    expires_at: datetime | None = None
    """Until when it can be paid."""


type NextAction = PixDisplayQrCode | BoletoDisplayDetails
"""What a customer has to do."""

_read_next_action: msgspec.json.Decoder[NextAction] = msgspec.json.Decoder(PixDisplayQrCode | BoletoDisplayDetails)


def encode_next_action(action: NextAction | None) -> str:
    """Write an action as JSON, for a column of text; nothing is the empty text."""
    return "" if action is None else msgspec.json.encode(action).decode()


def decode_next_action(text: str | None) -> NextAction | None:
    """Read what `encode_next_action` wrote."""
    return _read_next_action.decode(text) if text else None


__all__ = ["BoletoDisplayDetails", "NextAction", "PixDisplayQrCode", "decode_next_action", "encode_next_action"]
