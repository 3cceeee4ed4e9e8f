"""A processor that counts the calls of another one."""

from collections import Counter

from services.gateway.processors.port import (
    Answer,
    Approved,
    Authorize,
    Capture,
    Finding,
    Processor,
    ProcessorRequest,
    Refund,
    Void,
)


class CountingProcessor:
    """A processor that keeps a book of its calls, in front of another one: a fake that passes the suite."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self.calls: Counter[str] = Counter()
        """How often each key was called."""
        self.charges: Counter[str] = Counter()
        """For each approved reference and operation, how many different keys led to it: 1, or money moved twice."""
        self._approved: set[str] = set()

    @property
    def name(self) -> str:
        return self._processor.name

    async def authorize(self, request: Authorize) -> Answer:
        return self._note("authorize", request, await self._processor.authorize(request))

    async def capture(self, request: Capture) -> Answer:
        return self._note("capture", request, await self._processor.capture(request))

    async def void(self, request: Void) -> Answer:
        return self._note("void", request, await self._processor.void(request))

    async def look_up(self, request: ProcessorRequest) -> Finding:
        return await self._processor.look_up(request)

    async def refund(self, request: Refund) -> Answer:
        return self._note(f"refund {request.refund_id}", request, await self._processor.refund(request))

    def _note(self, operation: str, request: ProcessorRequest, answer: Answer) -> Answer:
        self.calls[request.idempotency_key] += 1
        if isinstance(answer, Approved) and request.idempotency_key not in self._approved:
            self._approved.add(request.idempotency_key)
            self.charges[f"{operation} {request.payment_intent_id}"] += 1
        return answer
