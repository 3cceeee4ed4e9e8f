"""The posting rules: which accounts each business event debits and credits. Pure, and written to be read by an accountant.

One function per event. A rule names roles; the tenant's chart says which account plays each of them.

    event      debit   credit    meaning
    capture    CASH    REVENUE   the processor took the customer's money for us, and we have earned it
"""

from datetime import datetime
from uuid import UUID

from libs.common.contracts.ledger import EntryKind, Side
from libs.common.ids import derived_id
from services.ledger.domain import Chart, Entry, Line, Role


def capture_entry(
    chart: Chart,
    *,
    payment_intent_id: UUID,
    amount_minor: int,
    currency: str,
    captured_at: datetime,
    source_event_id: UUID,
) -> Entry:
    """Record that held funds were taken: DEBIT CASH, CREDIT REVENUE, the captured amount.

    The entry's id follows from the intent alone, so a capture that is heard twice, or by two ways, is posted once. The
    hour of the capture is no part of the content: the processor's answer and its later notice may differ in it.

    Raises:
        EntryInvalid: when the amount or the currency cannot stand in a book.
    """
    return Entry(
        tenant_id=chart.tenant_id,
        id=derived_id(payment_intent_id, "capture"),
        kind=EntryKind.CAPTURE,
        content=f"capture of payment intent {payment_intent_id}: {amount_minor} {currency}",
        payment_intent_id=payment_intent_id,
        occurred_at=captured_at,
        source_event_id=source_event_id,
        lines=(
            Line(account_id=chart.roles[Role.CASH], side=Side.DEBIT, amount_minor=amount_minor, currency=currency),
            Line(account_id=chart.roles[Role.REVENUE], side=Side.CREDIT, amount_minor=amount_minor, currency=currency),
        ),
    )
