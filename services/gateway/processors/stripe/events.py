"""What Stripe's events mean to us: each is read for what is true now, so that their order does not matter.

A charge's own event never stands for a refund: `refund.*` and `charge.refund.updated` do, with our id in their metadata.
https://docs.stripe.com/api/events/types lists them; a type that is not below is kept and ignored.
"""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_payouts import PayoutCreated, PayoutFailed, PayoutMessage, PayoutPaid
from libs.common.ids import derived_id, parse_id
from services.gateway.processors.port import (
    ActionRequiredNotice,
    AuthorizedNotice,
    CapturedNotice,
    DeclinedNotice,
    DeclineReason,
    DisputeNotice,
    DisputeState,
    ExpiredNotice,
    Notice,
    RefundFailedNotice,
    RefundSucceededNotice,
    VoidedNotice,
)
from services.gateway.processors.stripe.amounts import from_stripe
from services.gateway.processors.stripe.states import EXPIRED, declined, instant, next_action

type _Object = dict[str, Any]

_NO_SOURCE = UUID(int=0)
"""What the ids of payouts are derived from: they belong to no payment."""
_PAYOUTS: dict[str, type[PayoutMessage]] = {
    "payout.created": PayoutCreated,
    "payout.paid": PayoutPaid,
    "payout.failed": PayoutFailed,
}
_DISPUTES: dict[str, DisputeState] = {
    # The bank inquires, and has taken nothing.
    "warning_needs_response": DisputeState.INQUIRY,
    "warning_under_review": DisputeState.INQUIRY,
    "warning_closed": DisputeState.INQUIRY_CLOSED,
    "needs_response": DisputeState.OPEN,
    "under_review": DisputeState.OPEN,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
    # The money went back to the customer before it became a dispute.
    "prevented": DisputeState.LOST,
    # It was lost, and the merchant appeals: until that is decided it stays so.
    "appeal_needs_response": DisputeState.LOST,
    "appeal_under_review": DisputeState.LOST,
}
"""What each status of a dispute means, as a closed set (https://docs.stripe.com/api/disputes/object#dispute_object-status)."""


_KINDS: dict[str, frozenset[str]] = {
    "payment_intent": frozenset(
        f"payment_intent.{each}"
        for each in ("succeeded", "amount_capturable_updated", "payment_failed", "canceled", "requires_action")
    ),
    "charge": frozenset(f"charge.{each}" for each in ("captured", "updated", "succeeded", "expired")),
    "setup_intent": frozenset(
        f"setup_intent.{each}" for each in ("succeeded", "setup_failed", "requires_action", "canceled")
    ),
    "payment_method": frozenset({"payment_method.detached"}),
    "refund": frozenset({"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"}),
    "dispute": frozenset(
        f"charge.dispute.{each}" for each in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
    ),
    "payout": frozenset(
        f"payout.{each}" for each in ("created", "updated", "paid", "failed", "canceled", "reconciliation_completed")
    ),
}
"""The types of events that mean something to us, by the kind of object that they are about."""


class UnknownStatus(Exception):
    """A status that means nothing to us: the event is kept, and a person looks at it."""


_CLIENT_SECRET = re.compile(r'("client_secret"\s*:\s*)"(?:[^"\\]|\\.)*"')
_SECRET_IN_ADDRESS = re.compile(r'(client_secret(?:=|%3D))[^"&#\\]*', re.IGNORECASE)
"""The parameter of an address that leads a customer on."""


def without_secrets(body: str) -> str:
    """Leave the client secrets out of an event: whoever has one can act for the customer, and nothing here needs it."""
    return _SECRET_IN_ADDRESS.sub(r"\1", _CLIENT_SECRET.sub(r"\1null", body))


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The outside of an event, without which it is malformed."""

    id: str
    """`evt_...`."""
    type: str
    """What happened."""
    created: int | datetime
    """When, in seconds since 1970; a thin event writes it out."""
    data: dict[str, msgspec.Raw] = {}
    """The object, as it stood then; a thin event has none."""
    object: str = "event"
    """`event`, or `v2.core.event` of a thin one."""
    api_version: str | None = None
    """In which version the object is shown."""
    livemode: bool | None = None
    """Live or test mode."""
    account: str | None = None
    """The connected account that it is of, where an endpoint receives those of others."""
    context: str | None = None
    """The same of a thin event; the account is what comes last."""
    related_object: dict[str, Any] | None = None
    """What a thin event is about: `id`, `type`, `url`."""

    @property
    def is_thin(self) -> bool:
        """Whether it names an object without showing it."""
        return self.object == "v2.core.event"

    @property
    def kind(self) -> str:
        """Its type, by the name that events which show their object have for it."""
        return self.type.removeprefix("v1.") if self.is_thin else self.type

    @property
    def account_id(self) -> str:
        """The account that it says to be of; empty where it names none."""
        return self.account or (self.context or "").rpartition("/")[2]

    def object_id(self) -> str:
        """The id of the object that it names.

        Raises:
            LookupError, TypeError, msgspec.DecodeError: when it names none.
        """
        if self.is_thin:
            return str((self.related_object or {})["id"])
        return str(msgspec.json.decode(self.data["object"], type=dict[str, Any])["id"])


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    object: _Object


class _Whole(msgspec.Struct, frozen=True, kw_only=True):
    data: _Data


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Which payment an event is about."""

    gateway_ref: str
    """Stripe's reference of the payment intent; empty where the event names none."""
    tenant_id: str = ""
    """The tenant, as we wrote it into the metadata; empty where there is none."""
    payment_intent_id: UUID | None = None
    """Our id of the payment, as we wrote it there."""
    attempt_id: UUID | None = None
    """Our id of the authorization, as we wrote it there."""


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What an event comes to."""

    object: _Object
    """What it is about, as Stripe shows it."""
    subject: Subject | None = None
    """The payment; None where it is about none."""
    movement_refs: tuple[str, ...] = ()
    """The balance transactions that it names; to be fetched."""
    movements: tuple[_Object, ...] = ()
    """Balance transactions that it shows."""
    payout: PayoutMessage | None = None
    """What became of a payout, where nothing but events books it."""
    saving: str = ""
    """The type, where it is about a payment method that is saved; else empty."""
    is_known_type: bool = True
    """Whether its type means anything to us."""


def object_of(kind: str) -> str | None:
    """Name the kind of object that events of a type are about; None for a type that means nothing to us."""
    return next((name for name, kinds in _KINDS.items() if kind in kinds), None)


def types() -> frozenset[str]:
    """Name all types of events that mean something to us."""
    return frozenset().union(*_KINDS.values())


def read(body: str, kind: str, *, tenant_id: str) -> Meaning:
    """Read an event that the account of a tenant sent.

    Raises:
        msgspec.DecodeError: when it has no object.
    """
    return meaning(msgspec.json.decode(body, type=_Whole).data.object, kind, tenant_id=tenant_id)


def meaning(found: _Object, kind: str, *, tenant_id: str) -> Meaning:
    """Read what an object means that an event of the account of a tenant is about."""
    match kind.split("."):
        case [
            "payment_intent",
            "succeeded" | "amount_capturable_updated" | "payment_failed" | "canceled" | "requires_action",
        ]:
            return Meaning(object=found, subject=_subject(found, found.get("id")))
        case ["charge", "captured" | "updated" | "succeeded" | "expired"]:
            return Meaning(
                object=found,
                subject=_subject(found, found.get("payment_intent")),
                movement_refs=_movement_refs(found, "balance_transaction"),
            )
        case ["refund", "created" | "updated" | "failed"] | ["charge", "refund", "updated"]:
            return Meaning(
                object=found,
                subject=_subject(found, found.get("payment_intent")),
                movement_refs=_movement_refs(found, "balance_transaction", "failure_balance_transaction"),
            )
        case ["charge", "dispute", "created" | "updated" | "closed" | "funds_withdrawn" | "funds_reinstated"]:
            return Meaning(
                object=found,
                subject=_subject(found, found.get("payment_intent")),
                movements=tuple(found.get("balance_transactions") or ()),
            )
        case ["payout", "created" | "updated" | "paid" | "failed" | "canceled" | "reconciliation_completed"]:
            return Meaning(
                object=found,
                movement_refs=_movement_refs(found, "balance_transaction", "failure_balance_transaction"),
                payout=_payout(kind, found, tenant_id=tenant_id),
            )
        case ["setup_intent", "succeeded" | "setup_failed" | "requires_action" | "canceled"] | [
            "payment_method",
            "detached",
        ]:
            return Meaning(object=found, saving=kind)
        case _:
            return Meaning(object=found, is_known_type=False)


def notice(
    kind: str, meaning: Meaning, *, tenant_id: str, payment_intent_id: UUID, processor: str, happened_at: datetime
) -> Notice | None:
    """Make the notice of an event about its payment; None where it reports nothing new.

    Raises:
        UnknownStatus: when a dispute has a status that means nothing to us.
    """
    found, subject = meaning.object, meaning.subject
    assert subject is not None
    named: dict[str, Any] = {
        "tenant_id": tenant_id,
        "payment_intent_id": payment_intent_id,
        "processor": processor,
        "gateway_ref": subject.gateway_ref,
        "happened_at": happened_at,
        "attempt_id": subject.attempt_id,
    }
    match kind.split("."):
        case ["payment_intent", _]:
            return _of_intent(found, named)
        case ["charge", "succeeded"]:
            return _of_hold(found, named)
        case ["charge", "captured"]:
            return CapturedNotice(**named, amount_minor=_minor(found["amount_captured"], found))
        case ["charge", "expired"]:
            return ExpiredNotice(**named)
        case ["refund", _] | ["charge", "refund", _]:
            return _of_refund(found, named)
        case ["charge", "dispute", _]:
            return _of_dispute(found, named)
        case _:
            return None


def _of_intent(intent: _Object, named: dict[str, Any]) -> Notice | None:
    match intent["status"]:
        case "requires_capture":
            return AuthorizedNotice(**named)
        case "succeeded":
            return CapturedNotice(**named, amount_minor=_minor(intent["amount_received"], intent))
        case "requires_payment_method":
            why = declined(intent)
            return DeclinedNotice(**named, reason=why.reason, detail=why.detail, codes=why.codes)
        case "requires_action":
            url, action = next_action(intent)
            return ActionRequiredNotice(**named, action_url=url, next_action=action)
        case "canceled" if intent.get("cancellation_reason") in EXPIRED:
            return ExpiredNotice(**named)
        case "canceled":
            return VoidedNotice(**named)
        case _:
            return None


def _of_hold(charge: _Object, named: dict[str, Any]) -> Notice | None:
    """Read a charge that holds funds: it alone knows until when, the payment intent's own events do not."""
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    expires_at = instant(card.get("capture_before"))
    if charge.get("captured") or charge.get("status") != "succeeded" or expires_at is None:
        return None
    return AuthorizedNotice(**named, expires_at=expires_at)


def _of_refund(refund: _Object, named: dict[str, Any]) -> Notice | None:
    refund_id = parse_id(str((refund.get("metadata") or {}).get("refund_id") or ""))
    if refund_id is None:
        return None
    match refund["status"]:
        case "succeeded":
            return RefundSucceededNotice(**named, refund_id=refund_id, refund_ref=str(refund["id"]))
        case "failed" | "canceled":
            why = str(refund.get("failure_reason") or "unknown").replace("_", " ")
            return RefundFailedNotice(
                **named,
                refund_id=refund_id,
                refund_ref=str(refund["id"]),
                reason=DeclineReason.PROCESSOR_REFUSED,
                detail=f"The refund did not reach the customer: {why}.",
            )
        case _:
            return None


def _of_dispute(dispute: _Object, named: dict[str, Any]) -> Notice:
    status = str(dispute["status"])
    if status not in _DISPUTES:
        raise UnknownStatus(f"a dispute is {status!r}")
    return DisputeNotice(
        **named,
        dispute_ref=str(dispute["id"]),
        state=_DISPUTES[status],
        amount_minor=_minor(dispute["amount"], dispute),
        reason=str(dispute.get("reason") or "general"),
        opened_at=instant(dispute["created"]) or named["happened_at"],
        evidence_due_at=instant((dispute.get("evidence_details") or {}).get("due_by")),
    )


def dispute_state(found: _Object) -> DisputeState | None:
    """Read how far a dispute is; None for a status that means nothing to us."""
    return _DISPUTES.get(str(found["status"]))


def amount_of(found: _Object) -> int:
    """Read an object's amount in minor units."""
    return _minor(found["amount"], found)


def _subject(found: _Object, reference: Any) -> Subject:
    metadata = found.get("metadata") or {}
    return Subject(
        gateway_ref=reference if isinstance(reference, str) else "",
        tenant_id=str(metadata.get("tenant_id") or ""),
        payment_intent_id=parse_id(str(metadata.get("payment_intent_id") or "")),
        attempt_id=parse_id(str(metadata.get("attempt") or "")),
    )


def _movement_refs(found: _Object, *names: str) -> tuple[str, ...]:
    """The balance transactions that an object names; one that is expanded is named too."""
    values = [found.get(name) for name in names]
    refs = [value["id"] if isinstance(value, dict) else value for value in values]
    return tuple(ref for ref in refs if isinstance(ref, str) and ref)


def _payout(kind: str, payout: _Object, *, tenant_id: str) -> PayoutMessage | None:
    if kind not in _PAYOUTS or payout["amount"] <= 0:
        # The bank was debited to cover a negative balance: nothing is paid out to it.
        return None
    at = instant(payout["created"] if kind == "payout.created" else payout.get("arrival_date") or payout["created"])
    assert at is not None
    reference = str(payout["id"])
    return _PAYOUTS[kind](
        payout_id=derived_id(derived_id(_NO_SOURCE, f"payouts of {tenant_id}"), f"payout:{reference}"),
        amount_minor=_minor(payout["amount"], payout),
        currency=str(payout["currency"]).upper(),
        gateway_ref=reference,
        happened_at=at,
    )


def _minor(amount: int, found: _Object) -> int:
    return from_stripe(int(amount), str(found["currency"]).upper())
