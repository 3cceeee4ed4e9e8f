"""An event that contradicts what is known: by the order of its second, or truly? Its object, as it stands now, decides.

Stripe's events bear seconds, and come in any order (https://docs.stripe.com/webhooks#event-ordering). A card that was declined and
another one that was accepted in one second, or two decisions of a bank, cannot be put in order by them.
"""

from datetime import timedelta

from libs.common.clock import Clock
from services.gateway.notices.commands.counting import count
from services.gateway.notices.commands.notices import Notices
from services.gateway.notices.commands.opening import Opening
from services.gateway.notices.sql.events import RawEvent
from services.gateway.processors.port import Applied, Notice
from services.gateway.processors.stripe import Meaning, events


async def decide(
    event: RawEvent, meaning: Meaning, reported: Notice, *, opening: Opening, notices: Notices, clock: Clock
) -> Applied:
    """Let what an event reports take effect; where it contradicts, let what it is about do so as it stands now. Where that
    contradicts too, a person looks at the event.

    Raises:
        Transient: when it cannot be read at the moment.
        UnknownStatus: when a dispute has a status that means nothing to us.
    """
    applied = await notices.decide(reported)
    if applied is Applied.CONTRADICTS:
        applied = await _by_reading(event, meaning, reported, opening=opening, notices=notices, clock=clock)
    count(reported, applied)
    return applied


async def _by_reading(
    event: RawEvent, meaning: Meaning, reported: Notice, *, opening: Opening, notices: Notices, clock: Clock
) -> Applied:
    # As of before it is read, in the whole seconds of events: what happens afterwards is newer. And after what is reported,
    # which it shows already, whatever our own clock says.
    at = max(clock.now().replace(microsecond=0), reported.happened_at + timedelta(microseconds=1))
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
        happened_at=at,
    )
    return Applied.CONTRADICTS if now is None else await notices.decide(now)
