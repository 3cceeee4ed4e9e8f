"""What each step changes of a payment intent, and that it leaves everything else as it was."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.common.contracts.gateway_declines import DeclineCodes
from libs.common.ids import new_id
from services.api.payments import domain
from services.api.payments.domain import CaptureMethod, Decision, Fact, Happening, PaymentIntent, Stage, Status
from tests.unit.api.payments.test_domain import CALLS, T0, T1, a_dispute, intent_in

FAILURE = ("failure_code", "failure_message", *DeclineCodes.__struct_fields__)
ACTED = {"action_url": None, "next_action": None}
HELD = {"status": Status.AUTHORIZED, "gateway_ref": "g-1", "expires_at": None, "authorized_at": T1} | ACTED
DECLINED = {"status": Status.FAILED, "failure_code": "insufficient_funds", "failure_message": "No."} | ACTED
REFUSED = {"status": Status.FAILED, "failure_code": "expired", "failure_message": "Too late.", "expires_at": None}
RELEASED = {"status": Status.VOIDED, "expires_at": None} | ACTED
TAKEN = {"captured_minor": 15050, "expires_at": None}
TAKEN_AFTER_ALL = TAKEN | {"status": Status.AUTHORIZED}
BOOKED = {"status": Status.SETTLED, "settled_at": T1, "expires_at": None}
LET_GO = {"is_voiding": False}

CHANGES: dict[tuple[str, str], dict[str, Any]] = {
    ("created", "confirm"): {"status": Status.PROCESSING},
    ("created", "confirm_with_method"): {"status": Status.PROCESSING, "payment_method": "pm_card_visa"} | ACTED,
    ("requires_action", "confirm_with_method"): {
        "status": Status.PROCESSING,
        "payment_method": "pm_card_visa",
        "attempt": 1,
        **ACTED,
    },
    ("declined", "confirm_with_method"): {
        "status": Status.PROCESSING,
        "payment_method": "pm_card_visa",
        "attempt": 1,
        **dict.fromkeys(("gateway_ref", *FAILURE)),
    },
    ("authorized", "capture"): {"capturing_minor": 15050},
    ("created", "void"): {"status": Status.VOIDED},
    ("processing", "void"): {"is_voiding": True},
    ("requires_action", "void"): {"is_voiding": True},
    ("authorized", "void"): {"is_voiding": True},
    ("settled", "refund"): {"refunding_minor": 5010},
    ("partially_refunded", "refund"): {"refunding_minor": 5010},
    ("processing", "action_required"): {"status": Status.REQUIRES_ACTION, "gateway_ref": "g-1"} | ACTED,
    ("processing", "authorized"): HELD,
    ("requires_action", "authorized"): HELD,
    # It stays a wish of its own, which no answer but the release ends.
    ("cancelling", "action_required"): {"status": Status.REQUIRES_ACTION, "gateway_ref": "g-1"} | ACTED,
    ("cancelling", "authorized"): HELD,
    ("cancelling", "declined"): {"status": Status.VOIDED} | ACTED | LET_GO,
    ("cancelling", "lapsed"): {"status": Status.VOIDED} | ACTED | LET_GO,
    # The wish to let go outlives the issuer's yes.
    ("abandoning", "authorized"): HELD,
    ("processing", "declined"): DECLINED,
    ("requires_action", "declined"): DECLINED,
    # Nobody waits for it any more: no failure, but the end that was requested.
    ("abandoning", "declined"): {"status": Status.VOIDED, **ACTED, **LET_GO},
    ("processing", "lapsed"): {"status": Status.EXPIRED} | ACTED,
    ("requires_action", "lapsed"): {"status": Status.EXPIRED} | ACTED,
    ("abandoning", "lapsed"): {"status": Status.VOIDED} | ACTED | LET_GO,
    # Paid in the last moment: the money is there.
    ("lapsed", "authorized"): HELD,
    ("capturing", "captured"): TAKEN,
    # It was not requested: no money counts as moved before the gateway's records confirm it.
    ("authorized", "captured"): {},
    ("voiding", "captured"): {},
    ("authorized", "capture_confirmed"): TAKEN,
    ("capturing", "capture_confirmed"): TAKEN,
    ("voiding", "capture_confirmed"): TAKEN | LET_GO,
    # Taken after all, whatever it ended as.
    ("voided", "captured"): {},
    ("declined", "captured"): {},
    ("failed", "captured"): {},
    ("expired", "captured"): {},
    ("voided", "capture_confirmed"): TAKEN_AFTER_ALL | {"authorized_at": T1},
    ("declined", "capture_confirmed"): {
        "status": Status.AUTHORIZED,
        "captured_minor": 15050,
        "authorized_at": T1,
        **dict.fromkeys(FAILURE),
    },
    ("failed", "capture_confirmed"): TAKEN_AFTER_ALL,
    ("expired", "capture_confirmed"): TAKEN_AFTER_ALL,
    ("lapsed", "capture_confirmed"): TAKEN_AFTER_ALL | {"authorized_at": T1},
    ("authorized", "capture_failed"): REFUSED,
    ("capturing", "capture_failed"): REFUSED,
    ("requires_action", "voided"): RELEASED,
    ("abandoning", "voided"): RELEASED | LET_GO,
    ("authorized", "voided"): RELEASED,
    ("capturing", "voided"): RELEASED,
    ("voiding", "voided"): RELEASED | LET_GO,
    ("abandoning", "void_failed"): LET_GO,
    ("voiding", "void_failed"): LET_GO,
    ("authorized", "expired"): {"status": Status.EXPIRED, "expires_at": None},
    ("capturing", "expired"): {"status": Status.EXPIRED, "expires_at": None},
    ("voiding", "expired"): {"status": Status.VOIDED, "expires_at": None, **LET_GO},
    ("capturing", "posted"): BOOKED | {"captured_minor": 15050},
    ("captured", "posted"): BOOKED,
    ("settled", "refund_completed"): {
        "status": Status.PARTIALLY_REFUNDED,
        "refunding_minor": 0,
        "refunded_minor": 5000,
    },
    ("partially_refunded", "refund_completed"): {"refunding_minor": 0, "refunded_minor": 15000},
    ("settled", "refund_failed"): {"refunding_minor": 0},
    ("partially_refunded", "refund_failed"): {"refunding_minor": 0},
    ("captured", "dispute_opened"): {"disputed_minor": 10000},
    ("settled", "dispute_opened"): {"disputed_minor": 5000},
    ("partially_refunded", "dispute_opened"): {"disputed_minor": 5000},
    ("refunded", "dispute_opened"): {"disputed_minor": 5000},
    ("captured", "dispute_won"): {"disputed_minor": 0},
}


def waiting(stage: Stage, **fields: Any) -> PaymentIntent:
    """An intent that shows where to act and until when, so that it is seen what ends that."""
    known: dict[str, Any] = {
        "action_url": "https://issuer.example",
        "next_action": "{}",
        "expires_at": T0 + timedelta(days=7),
    }
    if stage is Stage.DECLINED:
        known = {"gateway_ref": "g-0", **dict.fromkeys(FAILURE, "x")}
    return msgspec.structs.replace(intent_in(stage), **known, **fields)


def changed(before: PaymentIntent, decision: Decision) -> dict[str, Any]:
    """What is different afterwards, apart from the version and the time."""
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(decision.intent)
    assert (new.pop("version"), new.pop("updated_at")) == (before.version + 1, T1)
    return {name: value for name, value in new.items() if value != old[name]}


@pytest.mark.parametrize(("stage", "happening"), CHANGES, ids=lambda word: word)
def test_a_step_changes_what_it_is_about(stage: str, happening: str) -> None:
    intent = waiting(Stage(stage))
    assert changed(intent, CALLS[Happening(happening)](intent)) == CHANGES[stage, happening]


def test_a_new_intent_has_moved_no_money() -> None:
    fresh = PaymentIntent(
        tenant_id="t",
        id=new_id(),
        amount_minor=100,
        currency="BRL",
        status=Status.CREATED,
        customer_ref="c",
        created_at=T0,
        updated_at=T0,
    )
    amounts = (fresh.captured_minor, fresh.refunding_minor, fresh.refunded_minor, fresh.disputed_minor)
    assert (fresh.capturing_minor, *amounts, fresh.authorized_minor, fresh.refundable_minor) == (0,) * 7
    assert (fresh.version, fresh.is_voiding, fresh.stage) == (1, False, Stage.CREATED)
    assert fresh.capture_method is CaptureMethod.AUTOMATIC
    assert a_dispute(fresh).reversals == 0
    assert msgspec.structs.replace(fresh, authorized_at=T0).authorized_minor == 100


def test_funds_that_nobody_has_to_capture_expire_unseen() -> None:
    ends = T0 + timedelta(days=7)
    by_hand = domain.authorize(intent_in(Stage.PROCESSING), gateway_ref="g-1", at=T1, expires_at=ends)
    assert by_hand.intent.expires_at == ends
    automatic = msgspec.structs.replace(intent_in(Stage.PROCESSING), capture_method=CaptureMethod.AUTOMATIC)
    decision = domain.authorize(automatic, gateway_ref="g-1", at=T1, expires_at=ends)
    assert decision.intent.expires_at is None
    assert decision.facts == (Fact.AUTHORIZED, Fact.CAPTURE_REQUESTED)


def test_action_is_required_at_the_place_of_the_processor() -> None:
    decision = domain.require_action(
        intent_in(Stage.PROCESSING), gateway_ref="g-1", action_url="https://issuer.example/3ds", at=T1
    )
    assert decision.intent.action_url == "https://issuer.example/3ds"
