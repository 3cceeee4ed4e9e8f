"""The lifecycle once more, written by hand: the code's own table must be what is meant."""

import msgspec
import pytest

from services.api.errors import CannotCapture, CannotConfirm, CannotRefund, CannotVoid, ContradictoryOutcome, NotYet
from services.api.payments.domain import COMMANDS, Decision, Fact, Happening, Stage
from tests.unit.api.payments.test_domain import CALLS, intent_in

# A stage: it moves there. `=`: nothing changes. `e`: too early. `x`: a contradiction, which a person must see.
# `r`: refused to the client. `#`: amounts change. `?`: nothing moves, and the gateway must report its records.
MEANT = """
                    created    processing cancelling action     abandoning authorized capturing voiding    captured settled partly refunded voided   declined   failed   expired  lapsed
confirm             processing =          =          =          =          =          =         =          =        =       r      r        r        =          =        r        r
confirm_with_method processing =          =          processing =          =          =         =          =        =       r      r        r        processing r        r        r
capture             r          r          r          r          r          capturing  =         r          =        =       r      r        r        r          r        r        r
void                voided     cancelling =          abandoning =          voiding    r         =          r        r       r      r        =        r          r        r        r
refund              r          r          r          r          r          r          r         r          r        #       #      r        r        r          r        r        r
action_required     e          action     abandoning =          =          =          =         =          =        =       =      =        =        =          =        =        =
authorized          e          authorized voiding    authorized voiding    =          =         =          =        =       =      =        =        =          =        =        authorized
declined            e          declined   voided     declined   voided     x          x         x          x        x       x      x        =        =          =        =        =
captured            e          e          e          e          e          ?          captured  ?          =        =       =      =        ?        ?          ?        ?        e
capture_confirmed   x          e          e          e          e          captured   captured  captured   =        =       =      =        captured captured   captured captured captured
capture_failed      e          e          e          e          e          failed     failed    =          =        =       =      =        =        =          =        =        e
voided              e          e          e          voided     voided     voided     voided    voided     x        x       x      x        =        =          =        =        =
void_failed         e          e          e          =          action     =          =         authorized =        =       =      =        =        =          =        =        =
expired             e          e          e          e          e          expired    expired   voided     x        x       x      x        =        =          =        =        =
lapsed              e          lapsed     voided     lapsed     voided     =          =         =          =        =       =      =        =        =          =        =        =
posted              e          e          e          e          e          e          settled   e          settled  =       =      =        e        e          e        e        e
refund_completed    x          x          x          x          x          x          x         x          x        #       #      #        x        x          x        x        x
refund_failed       x          x          x          x          x          x          x         x          x        #       #      #        x        x          x        x        x
dispute_opened      e          e          e          e          e          e          e         e          #        #       #      #        e        e          e        e        e
dispute_won         e          e          e          e          e          e          e         e          #        #       #      #        e        e          e        e        e
dispute_lost        e          e          e          e          e          e          e         e          #        #       #      #        e        e          e        e        e
inquiry_opened      e          e          e          e          e          e          e         e          #        #       #      #        e        e          e        e        e
inquiry_closed      e          e          e          e          e          e          e         e          #        #       #      #        e        e          e        e        e
"""

SHORT = {"action": Stage.REQUIRES_ACTION, "partly": Stage.PARTIALLY_REFUNDED}
STAGES = [SHORT.get(word) or Stage(word) for word in MEANT.strip().splitlines()[0].split()]
ROWS = {Happening(row.split()[0]): row.split()[1:] for row in MEANT.strip().splitlines()[1:]}

PUBLISHED = {
    ("confirm", "processing"): (Fact.AUTHORIZATION_REQUESTED,),
    ("confirm_with_method", "processing"): (Fact.AUTHORIZATION_REQUESTED,),
    ("capture", "capturing"): (Fact.CAPTURE_REQUESTED,),
    ("void", "voided"): (Fact.VOIDED,),
    ("void", "cancelling"): (),
    ("void", "abandoning"): (Fact.VOID_REQUESTED,),
    ("void", "voiding"): (Fact.VOID_REQUESTED,),
    ("refund", "#"): (Fact.REFUND_REQUESTED,),
    ("action_required", "action"): (Fact.ACTION_REQUIRED,),
    ("action_required", "abandoning"): (Fact.VOID_REQUESTED,),
    ("authorized", "authorized"): (Fact.AUTHORIZED,),
    ("authorized", "voiding"): (Fact.AUTHORIZED,),
    ("declined", "declined"): (Fact.FAILED,),
    ("declined", "voided"): (Fact.VOIDED,),
    ("captured", "captured"): (Fact.CAPTURED,),
    ("captured", "?"): (Fact.CAPTURE_UNCONFIRMED,),
    ("capture_confirmed", "captured"): (Fact.CAPTURED,),
    ("capture_failed", "failed"): (Fact.FAILED,),
    ("voided", "voided"): (Fact.VOIDED,),
    ("void_failed", "action"): (),
    ("void_failed", "authorized"): (),
    ("expired", "expired"): (Fact.EXPIRED,),
    ("expired", "voided"): (Fact.VOIDED,),
    ("lapsed", "lapsed"): (Fact.EXPIRED,),
    ("lapsed", "voided"): (Fact.VOIDED,),
    ("refund_completed", "#"): (Fact.REFUNDED,),
    ("refund_failed", "#"): (Fact.REFUND_FAILED,),
    ("dispute_opened", "#"): (Fact.DISPUTE_OPENED,),
    ("dispute_won", "#"): (Fact.DISPUTE_WON,),
    ("dispute_lost", "#"): (Fact.DISPUTE_LOST,),
    ("inquiry_opened", "#"): (Fact.INQUIRY_OPENED,),
    ("inquiry_closed", "#"): (Fact.INQUIRY_CLOSED,),
}
FAILURES = {"e": NotYet, "x": ContradictoryOutcome}
REFUSALS = {
    "confirm": CannotConfirm,
    "confirm_with_method": CannotConfirm,
    "capture": CannotCapture,
    "void": CannotVoid,
    "refund": CannotRefund,
}


def published(stage: Stage, happening: Happening, meant: str) -> tuple[Fact, ...]:
    if happening is Happening.POSTED:
        # What the ledger has booked was captured, whether or not it was reported before.
        return (Fact.SETTLED,) if stage is Stage.CAPTURED else (Fact.CAPTURED, Fact.SETTLED)
    if (stage, happening) == (Stage.CANCELLING, Happening.AUTHORIZED):
        # Unlike that of a customer who was to act, its release could not be requested before.
        return (Fact.AUTHORIZED, Fact.VOID_REQUESTED)
    return PUBLISHED[happening.value, meant]


def test_the_table_has_every_stage_and_happening() -> None:
    assert set(STAGES) == set(Stage)
    assert set(ROWS) == set(Happening)
    assert {len(row) for row in ROWS.values()} == {len(Stage)}
    assert {name for name, row in ROWS.items() if "r" in row} == COMMANDS


@pytest.mark.parametrize("happening", ROWS)
@pytest.mark.parametrize("stage", STAGES)
def test_what_is_meant_happens(stage: Stage, happening: Happening) -> None:
    meant, intent = ROWS[happening][STAGES.index(stage)], intent_in(stage)
    if (stage, happening) == (Stage.REFUNDED, Happening.REFUND_COMPLETED):
        return  # Nothing can be pending any more; the amounts alone exclude it.
    if meant == "=":
        assert CALLS[happening](intent) == Decision(intent)
    elif meant in "exr":
        failure = REFUSALS[happening.value] if meant == "r" else FAILURES[meant]
        with pytest.raises(failure):
            CALLS[happening](intent)
    else:
        decision = CALLS[happening](intent)
        assert decision.facts == published(stage, happening, meant)
        if meant == "?":
            before = msgspec.structs.replace(intent, version=8, updated_at=decision.intent.updated_at)
            assert decision.intent == before
        elif meant != "#":
            assert decision.intent.stage is (SHORT.get(meant) or Stage(meant))
