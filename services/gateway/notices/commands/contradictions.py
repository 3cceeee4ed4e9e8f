"""An event that contradicts what is known: by the order of its second, or truly? Its object, as it stands now, decides.

Stripe's events bear seconds, and come in any order (https://docs.stripe.com/webhooks#event-ordering). A card that was declined and
another one that was accepted in one second, or two decisions of a bank, cannot be put in order by them.
"""

from libs.common.clock import Clock
from services.gateway.notices.commands.notices import Notices
from services.gateway.notices.commands.opening import Opening
from services.gateway.notices.sql.events import RawEvent
from services.gateway.processors.port import Applied, PaymentNotice
from services.gateway.processors.stripe import Meaning, events


async def decide_by_reading(
    event: RawEvent, meaning: Meaning, reported: PaymentNotice, *, opening: Opening, notices: Notices, clock: Clock
) -> Applied:
    """Let what an event is about take effect as it stands now; where that contradicts too, a person looks at the event.

    Raises:
        Transient: when it cannot be read at the moment.
        UnknownStatus: when a dispute has a status that means nothing to us.
    """
    standing = await opening.as_it_stands(event, meaning)
    if standing is None or standing[1].subject is None:
        return Applied.CONTRADICTS
    kind, found = standing
    now = events.notice(
        kind,
        found,
        tenant_id=reported.tenant_id,
        payment_intent_id=reported.payment_intent_id,
        processor=reported.processor,
        happened_at=clock.now(),
    )
    return Applied.CONTRADICTS if now is None else await notices.apply(now)
