"""The lifecycle of a payment intent, as one table: every stage against every command and happening.

    CREATED --confirm--> PROCESSING --> AUTHORIZED --capture--> (captured) --> SETTLED --> PARTIALLY_REFUNDED --> REFUNDED
       |                  |    ^  |         |  |                                  ^_______________|________________|
       |                  |    |  |         |  `--> EXPIRED                        a refund that failed is undone
       |                  v    |  `-> FAILED <-' (capture refused; a declined one goes on with a payment method)
       `-> VOIDED    REQUIRES_ACTION  (another payment method: PROCESSING)
             ^____________|_________________|  (void)

A void while PROCESSING is an intention: whatever the processor reports afterwards ends VOIDED, unless the funds were taken.
What the processor has taken is taken, whatever the payment ended as: once the gateway's own records confirm it, an ended payment
is captured, and settles.

Clients see a status; the api knows a little more, a stage: that a capture or a void is requested and not answered yet, and
that funds are captured but not in the books. Other services report at least once, possibly late and out of order, so a
happening moves the intent, changes nothing (again, or too late), comes too early, or contradicts what is known. A command
of a client moves the intent, is answered with the intent as it stands (people click twice), or is refused.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class Status(StrEnum):
    """What clients see."""

    CREATED = "CREATED"
    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    AUTHORIZED = "AUTHORIZED"
    SETTLED = "SETTLED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    VOIDED = "VOIDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


class Stage(StrEnum):
    """Where an intent stands."""

    CREATED = "created"
    PROCESSING = "processing"
    """An authorization is requested."""
    CANCELLING = "cancelling"
    """An authorization is requested, and whatever comes of it is to be released: the merchant has voided the payment."""
    REQUIRES_ACTION = "requires_action"
    """The customer must prove something to the issuer first."""
    ABANDONING = "abandoning"
    """Nobody waits for the customer any more: the processor has the request to cancel it."""
    AUTHORIZED = "authorized"
    """The funds are held until the merchant captures or voids them."""
    CAPTURING = "capturing"
    """The processor has the request to take the held funds."""
    VOIDING = "voiding"
    """The processor has the request to release the held funds."""
    CAPTURED = "captured"
    """Taken, and not yet in the books."""
    SETTLED = "settled"
    """Taken, and in the books."""
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"
    DECLINED = "declined"
    """The issuer declined, and nothing was ever held: it may be confirmed again with a payment method."""
    FAILED = "failed"
    """What was held could not be taken."""
    EXPIRED = "expired"
    LAPSED = "lapsed"
    """Nobody paid a code or a slip in time, so that nothing was ever held. It may have been paid in the last moment."""


class Happening(StrEnum):
    """What can happen to an intent: the commands of clients, and what other services report."""

    CONFIRM = "confirm"
    CONFIRM_WITH_METHOD = "confirm_with_method"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    ACTION_REQUIRED = "action_required"
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    CAPTURED = "captured"
    CAPTURE_CONFIRMED = "capture_confirmed"
    CAPTURE_FAILED = "capture_failed"
    VOIDED = "voided"
    VOID_FAILED = "void_failed"
    EXPIRED = "expired"
    LAPSED = "lapsed"
    POSTED = "posted"
    REFUND_COMPLETED = "refund_completed"
    REFUND_FAILED = "refund_failed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    INQUIRY_OPENED = "inquiry_opened"
    INQUIRY_CLOSED = "inquiry_closed"


COMMANDS = frozenset(
    {Happening.CONFIRM, Happening.CONFIRM_WITH_METHOD, Happening.CAPTURE, Happening.VOID, Happening.REFUND}
)
"""What clients request; everything else is reported by other services."""


class Fact(StrEnum):
    """What is published; `commands/publications.py` has the message of each."""

    CREATED = "created"
    AUTHORIZATION_REQUESTED = "authorization_requested"
    ACTION_REQUIRED = "action_required"
    AUTHORIZED = "authorized"
    CAPTURE_REQUESTED = "capture_requested"
    CAPTURE_UNCONFIRMED = "capture_unconfirmed"
    CAPTURED = "captured"
    SETTLED = "settled"
    VOID_REQUESTED = "void_requested"
    VOIDED = "voided"
    EXPIRED = "expired"
    FAILED = "failed"
    REFUND_REQUESTED = "refund_requested"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTE_OPENED = "dispute_opened"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"
    INQUIRY_OPENED = "inquiry_opened"
    INQUIRY_CLOSED = "inquiry_closed"


class Otherwise(StrEnum):
    """What a happening means where it moves nothing."""

    STAYS = "stays"
    """Reported again, or overtaken: nothing changes."""
    EARLY = "early"
    """What it builds on has not arrived; it is postponed."""
    CONTRADICTS = "contradicts"
    """It cannot be true together with what we know; a person must look."""
    REFUSED = "refused"
    """A command that cannot be carried out here: 409, with the status in its sentence."""


class Move(msgspec.Struct, frozen=True):
    """A step to another stage, and the facts that are published about it."""

    to: Stage
    facts: tuple[Fact, ...] = ()


class Recount(msgspec.Struct, frozen=True):
    """Amounts change; where they decide about the stage (nothing, a part, all given back), it follows from them."""

    facts: tuple[Fact, ...]


class Check(msgspec.Struct, frozen=True):
    """Nothing moves yet: the service that publishes it must confirm first that its own records have it."""

    facts: tuple[Fact, ...]


type Row = Move | Recount | Check | Otherwise
"""What a happening means in a stage."""

STATUS_OF: Mapping[Stage, Status] = MappingProxyType(
    {
        **{Stage(status.lower()): status for status in Status},
        Stage.CANCELLING: Status.PROCESSING,
        Stage.ABANDONING: Status.REQUIRES_ACTION,
        Stage.CAPTURING: Status.AUTHORIZED,
        Stage.VOIDING: Status.AUTHORIZED,
        Stage.CAPTURED: Status.AUTHORIZED,
        Stage.DECLINED: Status.FAILED,
        Stage.LAPSED: Status.EXPIRED,
    }
)
"""The status that clients see in each stage."""

BY_AMOUNTS = frozenset({Stage.SETTLED, Stage.PARTIALLY_REFUNDED, Stage.REFUNDED})
"""The stages that differ only in how much was given back."""

_STAYS, _EARLY, _CONTRADICTS, _REFUSED = (
    Otherwise.STAYS,
    Otherwise.EARLY,
    Otherwise.CONTRADICTS,
    Otherwise.REFUSED,
)

_WISHED = (Stage.CREATED,)
_REQUESTED = (Stage.PROCESSING, Stage.CANCELLING)
_IN_PROGRESS = (*_REQUESTED, Stage.REQUIRES_ACTION, Stage.ABANDONING)
_HELD = (Stage.AUTHORIZED, Stage.CAPTURING, Stage.VOIDING)
_TAKEN = (Stage.CAPTURED, Stage.SETTLED, Stage.PARTIALLY_REFUNDED, Stage.REFUNDED)
_ENDED = (Stage.VOIDED, Stage.DECLINED, Stage.FAILED, Stage.EXPIRED)
_UNPAID = (Stage.LAPSED,)


def _rows(happening: Happening, *groups: tuple[tuple[Stage, ...], Row]) -> dict[tuple[Stage, Happening], Row]:
    return {(stage, happening): row for stages, row in groups for stage in stages}


LIFECYCLE: Mapping[tuple[Stage, Happening], Row] = MappingProxyType(
    {
        # Commands of clients. Each is idempotent by state: people click twice, each time with a new key.
        **_rows(
            Happening.CONFIRM,
            (_WISHED, Move(Stage.PROCESSING, (Fact.AUTHORIZATION_REQUESTED,))),
            ((*_IN_PROGRESS, *_HELD, Stage.CAPTURED, Stage.SETTLED, Stage.DECLINED, Stage.FAILED), _STAYS),
            ((Stage.PARTIALLY_REFUNDED, Stage.REFUNDED, Stage.VOIDED, Stage.EXPIRED, *_UNPAID), _REFUSED),
        ),
        **_rows(
            Happening.CONFIRM_WITH_METHOD,
            # Nothing is held, and the processor cancels what was declined, or waits for its customer, before it gets the next
            # authorization. With the same method as before, `collection.confirm_with_method` leaves the customer's proof be.
            (
                (*_WISHED, Stage.REQUIRES_ACTION, Stage.DECLINED),
                Move(Stage.PROCESSING, (Fact.AUTHORIZATION_REQUESTED,)),
            ),
            ((*_REQUESTED, Stage.ABANDONING, *_HELD, Stage.CAPTURED, Stage.SETTLED), _STAYS),
            ((Stage.PARTIALLY_REFUNDED, Stage.REFUNDED, Stage.VOIDED, Stage.FAILED, Stage.EXPIRED, *_UNPAID), _REFUSED),
        ),
        **_rows(
            Happening.CAPTURE,
            ((*_WISHED, *_IN_PROGRESS), _REFUSED),
            ((Stage.AUTHORIZED,), Move(Stage.CAPTURING, (Fact.CAPTURE_REQUESTED,))),
            ((Stage.CAPTURING, Stage.CAPTURED, Stage.SETTLED), _STAYS),
            # Whichever of a capture and a void comes first goes to the processor; the other one is refused.
            ((Stage.VOIDING, Stage.PARTIALLY_REFUNDED, Stage.REFUNDED, *_ENDED, *_UNPAID), _REFUSED),
        ),
        **_rows(
            Happening.VOID,
            (_WISHED, Move(Stage.VOIDED, (Fact.VOIDED,))),
            # Nothing can be released before the processor has answered: the wish is kept, and its answer decides how.
            ((Stage.PROCESSING,), Move(Stage.CANCELLING)),
            ((Stage.REQUIRES_ACTION,), Move(Stage.ABANDONING, (Fact.VOID_REQUESTED,))),
            ((Stage.AUTHORIZED,), Move(Stage.VOIDING, (Fact.VOID_REQUESTED,))),
            ((Stage.CANCELLING, Stage.ABANDONING, Stage.VOIDING, Stage.VOIDED), _STAYS),
            ((Stage.CAPTURING, *_TAKEN, Stage.DECLINED, Stage.FAILED, Stage.EXPIRED, *_UNPAID), _REFUSED),
        ),
        **_rows(
            Happening.REFUND,
            ((*_WISHED, *_IN_PROGRESS, *_HELD, Stage.CAPTURED, Stage.REFUNDED, *_ENDED, *_UNPAID), _REFUSED),
            ((Stage.SETTLED, Stage.PARTIALLY_REFUNDED), Recount((Fact.REFUND_REQUESTED,))),
        ),
        # What the gateway reports of the authorization.
        **_rows(
            Happening.ACTION_REQUIRED,
            (_WISHED, _EARLY),
            ((Stage.PROCESSING,), Move(Stage.REQUIRES_ACTION, (Fact.ACTION_REQUIRED,))),
            # Nobody is to act any more, so it is not published that somebody should.
            ((Stage.CANCELLING,), Move(Stage.ABANDONING, (Fact.VOID_REQUESTED,))),
            ((Stage.REQUIRES_ACTION, Stage.ABANDONING, *_HELD, *_TAKEN, *_ENDED, *_UNPAID), _STAYS),
        ),
        **_rows(
            Happening.AUTHORIZED,
            (_WISHED, _EARLY),
            # Where it goes on to depends on the capture method; `intent.authorize` knows.
            # What was paid in the last moment is money that is there: it goes on as if it had been in time.
            ((Stage.PROCESSING, Stage.REQUIRES_ACTION, *_UNPAID), Move(Stage.AUTHORIZED, (Fact.AUTHORIZED,))),
            # The customer acted in the last moment: there are funds now, and they are being released.
            ((Stage.ABANDONING,), Move(Stage.VOIDING, (Fact.AUTHORIZED,))),
            # Only now there is something to release.
            ((Stage.CANCELLING,), Move(Stage.VOIDING, (Fact.AUTHORIZED, Fact.VOID_REQUESTED))),
            # What has ended leaves its authorization behind, which may be reported again.
            ((*_HELD, *_TAKEN, *_ENDED), _STAYS),
        ),
        **_rows(
            Happening.DECLINED,
            (_WISHED, _EARLY),
            ((Stage.PROCESSING, Stage.REQUIRES_ACTION), Move(Stage.DECLINED, (Fact.FAILED,))),
            # What was to be forgotten is refused: that is the same end.
            ((Stage.CANCELLING, Stage.ABANDONING), Move(Stage.VOIDED, (Fact.VOIDED,))),
            ((*_HELD, *_TAKEN), _CONTRADICTS),
            ((*_ENDED, *_UNPAID), _STAYS),
        ),
        **_rows(
            # Nobody paid a code or a slip in time.
            Happening.LAPSED,
            (_WISHED, _EARLY),
            ((Stage.PROCESSING, Stage.REQUIRES_ACTION), Move(Stage.LAPSED, (Fact.EXPIRED,))),
            ((Stage.CANCELLING, Stage.ABANDONING), Move(Stage.VOIDED, (Fact.VOIDED,))),
            # Paid in the last moment, which was handled first.
            ((*_HELD, *_TAKEN), _STAYS),
            ((*_ENDED, *_UNPAID), _STAYS),
        ),
        # What it reports of the held funds. The processor decides a race; a request is no outcome.
        **_rows(
            Happening.CAPTURED,
            ((*_WISHED, *_IN_PROGRESS, *_UNPAID), _EARLY),
            # Requested: the processor will confirm or refuse it in any case. Of another amount, it was not requested.
            ((Stage.CAPTURING,), Move(Stage.CAPTURED, (Fact.CAPTURED,))),
            # A person may have captured it at the processor, or somebody may have forged the event: the gateway must confirm it.
            ((Stage.AUTHORIZED, Stage.VOIDING), Check((Fact.CAPTURE_UNCONFIRMED,))),
            (_TAKEN, _STAYS),
            # Paid with another card before the decline was cancelled, or captured by a person at the processor: the money is there.
            (_ENDED, Check((Fact.CAPTURE_UNCONFIRMED,))),
        ),
        **_rows(
            Happening.CAPTURE_CONFIRMED,
            (_WISHED, _CONTRADICTS),
            # Confirmed again since the gateway was queried: the next authorization is not sent, and its end is reported first.
            (_IN_PROGRESS, _EARLY),
            ((*_HELD, *_ENDED, *_UNPAID), Move(Stage.CAPTURED, (Fact.CAPTURED,))),
            (_TAKEN, _STAYS),
        ),
        **_rows(
            Happening.CAPTURE_FAILED,
            ((*_WISHED, *_IN_PROGRESS, *_UNPAID), _EARLY),
            ((Stage.AUTHORIZED, Stage.CAPTURING), Move(Stage.FAILED, (Fact.FAILED,))),
            # The void is requested: its answer reports what became of the funds.
            ((Stage.VOIDING,), _STAYS),
            # Made at the processor by a person after that, and handled first.
            ((*_TAKEN, *_ENDED), _STAYS),
        ),
        **_rows(
            Happening.VOIDED,
            ((*_WISHED, *_REQUESTED), _EARLY),
            ((Stage.REQUIRES_ACTION, Stage.ABANDONING, *_HELD), Move(Stage.VOIDED, (Fact.VOIDED,))),
            (_TAKEN, _CONTRADICTS),
            ((*_ENDED, *_UNPAID), _STAYS),
        ),
        **_rows(
            Happening.VOID_FAILED,
            ((*_WISHED, *_REQUESTED), _EARLY),
            ((Stage.ABANDONING,), Move(Stage.REQUIRES_ACTION)),
            ((Stage.VOIDING,), Move(Stage.AUTHORIZED)),
            ((Stage.REQUIRES_ACTION, Stage.AUTHORIZED, Stage.CAPTURING, *_TAKEN, *_ENDED, *_UNPAID), _STAYS),
        ),
        **_rows(
            Happening.EXPIRED,
            ((*_WISHED, *_IN_PROGRESS), _EARLY),
            ((Stage.AUTHORIZED,), Move(Stage.EXPIRED, (Fact.EXPIRED,))),
            # The capture in progress will be refused, and reported as such.
            ((Stage.CAPTURING,), Move(Stage.EXPIRED, (Fact.EXPIRED,))),
            # Released, as the merchant requested.
            ((Stage.VOIDING,), Move(Stage.VOIDED, (Fact.VOIDED,))),
            (_TAKEN, _CONTRADICTS),
            ((*_ENDED, *_UNPAID), _STAYS),
        ),
        # What the ledger reports.
        **_rows(
            Happening.POSTED,
            ((*_WISHED, *_IN_PROGRESS, *_UNPAID), _EARLY),
            # The books are no proof of a capture that the api did not request: its own event and the gateway's records are.
            ((Stage.AUTHORIZED, Stage.VOIDING), _EARLY),
            # The ledger handled the requested capture before the api did: both are published, in their order.
            ((Stage.CAPTURING,), Move(Stage.SETTLED, (Fact.CAPTURED, Fact.SETTLED))),
            ((Stage.CAPTURED,), Move(Stage.SETTLED, (Fact.SETTLED,))),
            ((Stage.SETTLED, Stage.PARTIALLY_REFUNDED, Stage.REFUNDED), _STAYS),
            # As above: the gateway's records come first.
            (_ENDED, _EARLY),
        ),
        # Refunds and disputes. A refund exists only after the payment has settled; a bank waits for nobody.
        **_rows(
            Happening.REFUND_COMPLETED,
            ((*_WISHED, *_IN_PROGRESS, *_HELD, Stage.CAPTURED, *_ENDED, *_UNPAID), _CONTRADICTS),
            ((Stage.SETTLED, Stage.PARTIALLY_REFUNDED, Stage.REFUNDED), Recount((Fact.REFUNDED,))),
        ),
        **_rows(
            Happening.REFUND_FAILED,
            ((*_WISHED, *_IN_PROGRESS, *_HELD, Stage.CAPTURED, *_ENDED, *_UNPAID), _CONTRADICTS),
            ((Stage.SETTLED, Stage.PARTIALLY_REFUNDED, Stage.REFUNDED), Recount((Fact.REFUND_FAILED,))),
        ),
        **_rows(
            Happening.DISPUTE_OPENED,
            ((*_WISHED, *_IN_PROGRESS, *_HELD, *_ENDED, *_UNPAID), _EARLY),
            (_TAKEN, Recount((Fact.DISPUTE_OPENED,))),
        ),
        **_rows(
            Happening.DISPUTE_WON,
            ((*_WISHED, *_IN_PROGRESS, *_HELD, *_ENDED, *_UNPAID), _EARLY),
            (_TAKEN, Recount((Fact.DISPUTE_WON,))),
        ),
        **_rows(
            Happening.DISPUTE_LOST,
            ((*_WISHED, *_IN_PROGRESS, *_HELD, *_ENDED, *_UNPAID), _EARLY),
            (_TAKEN, Recount((Fact.DISPUTE_LOST,))),
        ),
        **_rows(
            Happening.INQUIRY_OPENED,
            ((*_WISHED, *_IN_PROGRESS, *_HELD, *_ENDED, *_UNPAID), _EARLY),
            (_TAKEN, Recount((Fact.INQUIRY_OPENED,))),
        ),
        **_rows(
            Happening.INQUIRY_CLOSED,
            ((*_WISHED, *_IN_PROGRESS, *_HELD, *_ENDED, *_UNPAID), _EARLY),
            (_TAKEN, Recount((Fact.INQUIRY_CLOSED,))),
        ),
    }
)
"""Every stage against every happening."""
