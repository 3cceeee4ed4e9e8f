"""What we hear: four commands of the api. Each is carried out on its own, with no transaction open while we ask."""

from libs.common.contracts.gateway import AuthorizePayment, CapturePayment, RefundPayment, VoidPayment
from libs.common.messaging import Bus, Heard
from services.gateway.commands import Commands


def register(bus: Bus, commands: Commands, *, concurrency: int) -> None:
    """Register everything that this service hears."""

    async def on_authorize_payment(heard: Heard[AuthorizePayment]) -> None:
        await commands.authorize(heard)

    async def on_capture_payment(heard: Heard[CapturePayment]) -> None:
        await commands.capture(heard)

    async def on_void_payment(heard: Heard[VoidPayment]) -> None:
        await commands.void(heard)

    async def on_refund_payment(heard: Heard[RefundPayment]) -> None:
        await commands.refund(heard)

    bus.hear_each(AuthorizePayment, on_authorize_payment, concurrency=concurrency)
    bus.hear_each(CapturePayment, on_capture_payment, concurrency=concurrency)
    bus.hear_each(VoidPayment, on_void_payment, concurrency=concurrency)
    bus.hear_each(RefundPayment, on_refund_payment, concurrency=concurrency)
