"""The port to a payment processor: its calls, and the closed set of its answers.

Whatever goes wrong on the way is an answer too, not an exception, since the difference decides about money: `Unknown` may
have happened, `NotTaken` certainly has not. Each adapter passes the same suite, `tests/unit/gateway/processors/processor_suite.py`.
"""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_actions import NextAction
from libs.common.contracts.gateway_declines import DeclineCodes
from libs.common.contracts.gateway_methods import BillingDetails, PaymentMethodType


class ProcessorRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What every request to a processor names."""

    tenant_id: str
    """Whose payment it is."""
    payment_intent_id: UUID
    """Our id of the payment, under which the processor's books can be compared with ours."""
    idempotency_key: str
    """Called again with the same key, the processor does it once and gives the same answer."""
    amount_minor: int
    """Amount in minor units of `currency`, above zero."""
    currency: str
    """ISO 4217 code, upper case."""
    requested_at: datetime
    """When we first requested this; the same in every repetition."""
    call: int = 1
    """Which repetition this is, counted from 1; a processor may use it to distinguish a repetition from a first call."""
    timeout_seconds: float
    """How long the answer may take."""
    known_ref: str = ""
    """The processor's own reference of this very operation, where it answered `Pending` or `RequiresAction` before: then
    what became of it is read, and nothing is requested again."""


class Authorize(ProcessorRequest, frozen=True, kw_only=True):
    """Hold the funds."""

    customer_ref: str
    """The merchant's reference of the customer, for the processor's risk checks; empty where there is none."""
    payment_method: str = ""
    """The processor's token of what is charged; empty: the one that the tenant's gateway is set to."""
    return_url: str = ""
    """Where the customer comes back to after proving who they are; empty: as the tenant's gateway is set."""
    payment_method_type: PaymentMethodType = PaymentMethodType.CARD
    """How the customer pays; what is not a card is paid later, and taken at once."""
    billing_details: BillingDetails | None = None
    """Who pays, where the payment method type needs to know."""
    processor_customer: str = ""
    """The processor's reference of the customer to whom the payment method belongs; empty: it is nobody's."""
    off_session: bool = False
    """Whether the customer is not there to prove anything."""
    number: int = 0
    """Which authorization of the payment it is, counted from 0: each is another payment at the processor."""


class Capture(ProcessorRequest, frozen=True, kw_only=True):
    """Take held funds, all or a part; what is not taken is released."""

    gateway_ref: str
    """The processor's reference of the authorization."""


class Void(ProcessorRequest, frozen=True, kw_only=True):
    """Release held funds. A hold that is released already is an approval."""

    gateway_ref: str
    """The processor's reference of the authorization."""
    reason: str = ""
    """`abandoned` where the customer has left; else empty."""


class Refund(ProcessorRequest, frozen=True, kw_only=True):
    """Give captured funds back, all or a part."""

    refund_id: UUID
    """Our id of the refund, under which the processor's books can be compared with ours."""
    gateway_ref: str
    """The processor's reference of the payment."""
    reason: str = ""
    """The merchant's words."""


class DeclineReason(StrEnum):
    """Why a processor or an issuer refuses for good; adapters translate their own codes into these words."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    CARD_DECLINED = "card_declined"
    EXPIRED_CARD = "expired_card"
    AUTHORIZATION_EXPIRED = "authorization_expired"
    ALREADY_CAPTURED = "already_captured"
    ALREADY_REFUNDED = "already_refunded"
    DISPUTED = "disputed"
    AUTHENTICATION_FAILED = "authentication_failed"
    AUTHENTICATION_REQUIRED = "authentication_required"
    """The customer would have to prove who they are, and was not there."""
    PAYMENT_METHOD_DETACHED = "payment_method_detached"
    """The saved payment method is not there any more."""
    EARLIER_ATTEMPT_OPEN = "earlier_attempt_open"
    """An earlier authorization of the payment could not be cancelled, or was paid after all, so that this one was not sent."""
    REPLACED = "replaced"
    """The customer was to prove who they are, and pays with another method instead; this authorization is cancelled."""
    PAYMENT_EXPIRED = "payment_expired"
    """The customer did not pay a code or a slip in time. It may be paid in the last moment, and reported afterwards."""
    FRAUD_SUSPECTED = "fraud_suspected"
    PROCESSOR_REFUSED = "processor_refused"
    NOT_RECEIVED = "not_received"
    """The processor's records show that it was never carried out."""


class UnknownReason(StrEnum):
    """Why there is no answer although the processor may have acted."""

    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    PROCESSOR_ERROR = "processor_error"
    CALL_IN_PROGRESS = "call_in_progress"
    """The processor still carries out an earlier call under the same key."""
    UNDECIDED = "undecided"
    """It answers, and neither its answer nor the state of the payment shows what became of the operation."""


class NotTakenReason(StrEnum):
    """Why the processor certainly did nothing."""

    RATE_LIMITED = "rate_limited"
    """It has had too many calls of the account, or would have."""
    ENDPOINT_PACE = "endpoint_pace"
    """It was not called, since it takes no more calls of this kind from the account just now."""
    UNREACHABLE = "unreachable"
    CIRCUIT_OPEN = "circuit_open"
    TOO_MANY_CALLS = "too_many_calls"
    CREDENTIALS_REFUSED = "credentials_refused"
    """It does not accept the account's key, or the key is of an account that does not have the payment."""


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer has."""

    calls: int = 1
    """How many times the processor was called until this was known."""


class Approved(_Answer, frozen=True, kw_only=True, tag=True):
    """It is done."""

    gateway_ref: str
    """The processor's reference: of the authorization, which its capture keeps."""
    approved_at: datetime
    """When the processor did it."""
    expires_at: datetime | None = None
    """When the hold ends by itself, where the processor names it."""
    amount_minor: int | None = None
    """What was taken, in minor units, where that is another amount than was requested."""


class Pending(_Answer, frozen=True, kw_only=True, tag=True):
    """The processor has taken it on and will report later how it ended: a refund that the banks still carry."""

    gateway_ref: str
    """The processor's reference, under which it will report about it."""


class RequiresAction(_Answer, frozen=True, kw_only=True, tag=True):
    """The customer must prove something to the issuer first, or pay a code or a slip; the processor will report how that
    ended."""

    gateway_ref: str
    """The processor's reference of the payment."""
    action_url: str = ""
    """Where the customer does so; empty where the processor's client library leads the way."""
    next_action: NextAction | None = None
    """What the customer has to do, where more is known than an address."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Funds that were taken although they were to be released."""

    amount_minor: int
    """How much, in minor units of the payment's currency."""
    at: datetime
    """When, in UTC."""


class Declined(_Answer, frozen=True, kw_only=True, tag=True):
    """It will not be done; the answer is final."""

    reason: DeclineReason
    """Why."""
    detail: str
    """A sentence that may be shown to a person."""
    codes: DeclineCodes = DeclineCodes()
    """What the processor, the issuer and the network say, in their own words."""
    gateway_ref: str = ""
    """The processor's reference of a payment that it declined and keeps open, so that it may be paid in another way, or of a
    refund that failed there; else empty."""
    is_still_held: bool = False
    """Whether the funds are still held although they were to be taken or released."""
    taken: Taken | None = None
    """What was taken, where the funds were to be released."""


class Absent(_Answer, frozen=True, kw_only=True, tag=True):
    """The processor's records show that it was not done. Only a look-up can find this out, once no call can arrive any more."""

    is_still_held: bool = False
    """Whether the funds are still held although they were to be taken or released."""


class Unknown(_Answer, frozen=True, kw_only=True, tag=True):
    """It may or may not have been done. Only the same idempotency key may be used to find out."""

    reason: UnknownReason
    """What went wrong on the way."""
    is_worth_repeating: bool = True
    """Whether another call at once could help; False where the processor excludes that."""
    retry_after_seconds: float | None = None
    """How long the processor wants a pause, where it names one."""


class NotTaken(_Answer, frozen=True, kw_only=True, tag=True):
    """The processor did nothing with it; a later call is harmless."""

    reason: NotTakenReason
    """Why."""
    is_worth_repeating: bool = True
    """Whether another call within the same deadline could help."""
    is_of_object: bool = False
    """Whether it is about the one payment, so that other calls of the account may well be taken."""
    is_of_endpoint: bool = False
    """Whether it is a limit of the one endpoint, so that other operations of the account may well be taken."""
    retry_after_seconds: float | None = None
    """How long the processor wants a pause, where it names one."""


type Answer = Approved | Pending | RequiresAction | Declined | Unknown | NotTaken
"""Everything that a processor can answer; match it with `assert_never`."""


type Finding = Approved | Pending | RequiresAction | Declined | Absent | Unknown | NotTaken
"""Everything that a look-up can find."""


class Processor(Protocol):
    """A payment processor. It raises only for bugs of ours: every outcome of the world is an `Answer`."""

    @property
    def name(self) -> str:
        """Its name in our books, metrics and settings: `sandbox`."""
        ...

    async def authorize(self, request: Authorize) -> Answer:
        """Hold the funds, within the request's timeout."""
        ...

    async def capture(self, request: Capture) -> Answer:
        """Take held funds, within the request's timeout."""
        ...

    async def void(self, request: Void) -> Answer:
        """Release held funds, within the request's timeout."""
        ...

    async def refund(self, request: Refund) -> Answer:
        """Give captured funds back, within the request's timeout."""
        ...

    async def look_up(self, request: ProcessorRequest) -> Finding:
        """Read what became of a request, within its timeout; nothing is requested, so that it is harmless at any age."""
        ...


class GuardedProcessor(Processor, Protocol):
    """A processor that can refuse beforehand while no calls go out."""

    def ensure_available(self) -> None:
        """Return when calls go out.

        Raises:
            ProcessorUnavailable: while they do not; nothing needs to be written down then.
        """
        ...


class Processors(Protocol):
    """The processors of this place, and which of them serves whom."""

    async def choose(self, *, tenant_id: str, currency: str) -> str:
        """Name the processor for a new payment; every later operation on it calls the one that has it."""
        ...

    def named(self, name: str) -> GuardedProcessor:
        """Return the processor of this name, for commands.

        Raises:
            ProcessorUnavailable: when this place no longer has it.
        """
        ...

    def place(self, name: str) -> AbstractAsyncContextManager[None]:
        """Wait in line for a place at the processor of this name, and hold it for the length of the block.

        Raises:
            BulkheadFullError: when too many wait already, or none becomes free in time.
        """
        ...

    def available(self) -> list[str]:
        """Name the kinds of processors that take calls now (what stands before a colon in a name): only what waits for
        these is worth looking at."""
        ...
