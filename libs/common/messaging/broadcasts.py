"""The consumer of broadcasts: every process gets each of them, in a queue of its own that ends with it."""

from collections.abc import Callable
from uuid import uuid4

import msgspec

from libs.common.contracts import Message
from libs.common.errors import Undecodable
from libs.common.messaging.delivery import Delivery
from libs.common.messaging.envelope import Received, decode_pack, received
from libs.common.messaging.settling import acknowledge
from libs.common.observability import metrics
from libs.common.observability.logging import get_logger

log = get_logger("messaging.consumer")


class BroadcastConsumer[M: Message]:
    """Consumes every broadcast of one kind in a queue of this process's own."""

    def __init__(self, kind: type[M], handler: Callable[[Received[M]], None], *, service: str) -> None:
        contract = kind.contract
        self.shared_name = contract.queue(service)
        self.queue = f"{self.shared_name}.{uuid4().hex}"
        self.binding = (contract.exchange, contract.name)
        self._handler = handler
        self._decoder = msgspec.json.Decoder(kind)

    def works_on(self, message: Delivery) -> bool:  # noqa: ARG002 - none stays
        """Whether a message is being handled: never for longer than `take` takes."""
        return False

    async def take(self, message: Delivery) -> None:
        """Handle one AMQP message; what breaks the contract is logged and dropped, since nothing depends on it."""
        try:
            for packed in decode_pack(message.body).events:
                self._handler(received(packed, self._decoder))
                metrics.MESSAGES.labels(self.shared_name, "handled").inc()
        except Undecodable as fault:
            log.error("broadcast.undecodable", queue=self.shared_name, detail=fault.detail)
            metrics.MESSAGES.labels(self.shared_name, "dead").inc()
        await acknowledge(message)
