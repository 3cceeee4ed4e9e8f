"""A refund goes to what was taken, which need not be the last authorization of its payment."""

from datetime import timedelta

import msgspec

from libs.common.clock import ManualClock
from libs.common.contracts.gateway import RefundPayment
from libs.common.db import Database
from libs.common.ids import new_id
from services.gateway.operations import AttemptStatus, attempt_id
from services.gateway.operations.sql import Recording
from services.gateway.processors.port import Answer, Approved, Declined, DeclineReason, Operation, Refund, Taken
from tests.support.counting import CountingProcessor
from tests.support.gateway_process import Fixed, Gateway

DECLINED = 9_001


class Remembering(Fixed):
    """Remembers what it is to give back."""

    refund_of = ""

    async def refund(self, request: Refund) -> Answer:
        self.refund_of = request.gateway_ref
        return await super().refund(request)


async def test_refund_without_a_reference_goes_to_what_was_taken(
    database: Database, clock: ManualClock, tenant_id: str, book: CountingProcessor
) -> None:
    processor, intent = Remembering(book), new_id()
    gateway = Gateway(database, clock, tenant_id, processor)
    await gateway.commands.authorize(gateway.authorize_command(DECLINED, intent=intent))
    [refused] = [a for a in await gateway.attempts(intent) if a.operation is Operation.AUTHORIZE]
    # Confirmed again, at another account, and never sent.
    second = msgspec.structs.replace(
        refused,
        id=attempt_id(tenant_id=tenant_id, subject_id=intent, operation=Operation.AUTHORIZE, number=1),
        number=1,
        processor="another",
        result_ref="",
    )
    await gateway.store.open(second)
    assert await gateway.store.record(Recording(attempt=second, publication=None, recorded_at=clock.now()))
    processor.answers = {
        "void": Declined(
            reason=DeclineReason.ALREADY_CAPTURED,
            detail="Captured.",
            taken=Taken(amount_minor=DECLINED, at=clock.now()),
        ),
        "refund": Approved(gateway_ref="re_1", approved_at=clock.now()),
    }
    await gateway.resolve_after(timedelta(0))
    body = RefundPayment(
        payment_intent_id=intent, refund_id=new_id(), amount_minor=100, currency="BRL", gateway_ref="", attempt=1
    )
    await gateway.commands.refund(gateway._received(body))
    [given] = [a for a in await gateway.attempts(intent) if a.operation is Operation.REFUND]
    assert (given.status, given.processor, given.result_ref) == (AttemptStatus.APPROVED, "sandbox", "re_1")
    assert given.gateway_ref == processor.refund_of == refused.result_ref != ""
