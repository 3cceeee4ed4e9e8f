"""Messages that belong together, about one payment, for each service that handles them: the examples of their contracts.

All examples have the same ids of a payment, a refund, a dispute and so on; a telling of a story replaces them by ids of its own.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec

from libs.common.contracts import (
    Kind,
    Message,
    PublicEvent,
    api,
    gateway,
    gateway_customers,
    gateway_movements,
    gateway_payouts,
    gateway_reconciliation,
    handled_by,
    ledger,
    ledger_books,
)
from libs.common.messaging.envelope import PackedEvent
from services.api.payments.domain import CaptureMethod
from tests.proof.post import Letter
from tests.proof.world import World

INTENT, REFUND, COMMAND = (UUID(f"0190f3a4-5b6c-7d8e-9f01-23456789ab{end}") for end in ("ce", "d2", "d6"))
"""The ids of the payment, of its refund and of the command that an answer names in the examples."""
AMOUNT_MINOR = 15_050
TENANT = "00000000-0000-0000-0000-000000000002"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_BEFORE = 30
"""The first number of a message that is handled before a story."""

type Step = type[Message] | tuple[type[Message], Mapping[str, Any]]
"""A message as in its example, or with other members."""
type Preparation = Callable[["Telling"], Awaitable[None]]
"""Does what must have happened before; notes the ids that come of it."""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Messages in the order in which they are published."""

    service: str
    """Who handles them."""
    name: str
    steps: tuple[Step, ...]
    prepare: Preparation | None = None
    is_published: bool = False
    """Whether what it lets the service publish is all that comes of it."""

    @property
    def kinds(self) -> set[type[Message]]:
        """The kinds of its messages."""
        return {step[0] if isinstance(step, tuple) else step for step in self.steps}


class Telling:
    """A story with ids and a tenant of its own."""

    def __init__(self, world: World, story: Story) -> None:
        self.world = world
        self.story = story
        self.tenant_id = f"tenant-{uuid4().hex[:12]}"
        self.ids: dict[UUID, UUID] = {}
        """Ids of this telling for those of the examples; the others are derived."""

    async def begin(self) -> None:
        """Do what must have happened before."""
        if self.story.prepare is not None:
            await self.story.prepare(self)

    def id(self, of_example: UUID) -> UUID:
        """The id here for one of the examples."""
        return self.ids.setdefault(of_example, uuid5(of_example, self.tenant_id))

    def letters(self) -> list[Letter]:
        """The messages in their order."""
        return [self.letter(step, number) for number, step in enumerate(self.story.steps)]

    def letter(self, step: Step, number: int) -> Letter:
        """One of them, which has the same id each time."""
        kind, members = step if isinstance(step, tuple) else (step, {})
        event_id = uuid5(self.id(INTENT), f"{kind.contract.name} {number}")
        own = {"event_id": str(event_id)} if issubclass(kind, PublicEvent) else {}
        text = msgspec.json.encode(msgspec.convert({**kind.example, **members}, kind)).decode()
        text = text.replace(TENANT, self.tenant_id)
        text = _UUID.sub(lambda found: str(self.id(UUID(found[0]))), text)
        body = msgspec.json.encode(msgspec.json.decode(text) | own)
        event = PackedEvent(
            id=event_id,
            occurred_at=datetime(2026, 11, 22, 17, 57, number, tzinfo=UTC),
            tenant_id=self.tenant_id,
            correlation_id="story",
            body=msgspec.Raw(body),
        )
        return Letter(kind.contract.queue(self.story.service), kind.contract.name, event)


def confirmed(method: CaptureMethod = CaptureMethod.AUTOMATIC, *then: str) -> Preparation:
    """A payment that is confirmed, and of which something was requested since."""

    async def prepare(telling: Telling) -> None:
        await _confirm(telling, method)
        for number, command in enumerate(then):
            await _ask(telling, command, key=f"then-{number}")

    return prepare


def handled(steps: Sequence[Step], then: str, method: CaptureMethod = CaptureMethod.MANUAL) -> Preparation:
    """A payment that is confirmed, of which so much was handled, and something requested since."""

    async def prepare(telling: Telling) -> None:
        await _confirm(telling, method)
        for number, step in enumerate(steps):
            await telling.world.post.hand([[telling.letter(step, _BEFORE + number)]])
        await _ask(telling, then, key="then")

    return prepare


async def reported(telling: Telling) -> None:
    """Funds that are held, and were captured without a request of ours: the gateway has the command to report that."""
    await _confirm(telling, CaptureMethod.MANUAL)
    held: tuple[Step, ...] = (gateway.PaymentAuthorized, gateway.PaymentCaptured)
    for number, step in enumerate(held):
        await telling.world.post.hand([[telling.letter(step, _BEFORE + number)]])
    telling.ids[COMMAND] = await telling.world.eyes.fetchval(
        "SELECT event_id FROM api.outbox WHERE tenant_id = $1 AND contract = 'command:gateway:payment.report_capture'",
        telling.tenant_id,
    )


async def endpoint(telling: Telling) -> None:
    """An endpoint of a merchant that lists every event."""
    await telling.world.databases["notifier"].write(
        "INSERT INTO webhook_endpoints (tenant_id, id, url, events, is_active, secret_sealed, created_at) "
        "VALUES ($1, $2, 'https://merchant.example', '{*}', true, 's', $3)",
        telling.tenant_id,
        uuid4(),
        telling.world.clock.now(),
    )


async def _confirm(telling: Telling, method: CaptureMethod) -> None:
    telling.ids[INTENT] = await telling.world.create(
        telling.tenant_id, amount_minor=AMOUNT_MINOR, method=method, key="create"
    )
    await _ask(telling, "confirm", key="confirm")


async def _ask(telling: Telling, command: str, *, key: str) -> None:
    given = await telling.world.ask(telling.tenant_id, telling.id(INTENT), command, amount_minor=None, key=key)
    if command == "refund":
        telling.ids[REFUND] = UUID(msgspec.json.decode(given.answer.body)["id"])


_PAID: tuple[Step, ...] = (gateway.PaymentAuthorized, gateway.PaymentCaptured, ledger.JournalEntryPosted)
_HELD = (gateway.PaymentAuthorized,)
_MANUAL = CaptureMethod.MANUAL
_PART = {"amount_minor": 5000}
_LESS = {"amount_minor": 3000}


def _api(name: str, *steps: Step, prepare: Preparation | None = None) -> Story:
    return Story(service="api", name=name, steps=steps, prepare=prepare)


def _ledger(name: str, *steps: Step) -> Story:
    return Story(service="ledger", name=name, steps=steps)


def _gateway(name: str, *steps: Step) -> Story:
    return Story(service="gateway", name=name, steps=steps)


STORIES = (
    _api("a dispute is won", *_PAID, gateway.DisputeOpened, gateway.DisputeWon, prepare=confirmed()),
    _api(
        "a dispute of less is lost",
        *_PAID,
        (gateway.DisputeOpened, _PART),
        gateway_movements.DisputeAmountChanged,
        (gateway.DisputeLost, _LESS),
        prepare=confirmed(),
    ),
    _api("an inquiry is closed", *_PAID, gateway.InquiryOpened, gateway.InquiryClosed, prepare=confirmed()),
    _api("the customer acts", gateway.PaymentActionRequired, *_PAID, prepare=confirmed()),
    _api("the issuer declines", gateway.AuthorizationDeclined, prepare=confirmed()),
    _api("voided while processing", *_HELD, gateway.PaymentVoided, prepare=confirmed(_MANUAL, "void")),
    _api("a void fails", gateway.VoidFailed, prepare=handled(_HELD, "void")),
    _api("the hold ends", *_HELD, gateway.AuthorizationExpired, prepare=confirmed(_MANUAL)),
    _api("a capture fails", gateway.CaptureFailed, prepare=handled(_HELD, "capture")),
    _api("captured at the processor", gateway.CaptureReported, ledger.JournalEntryPosted, prepare=reported),
    _api("a refund succeeds", gateway.RefundSucceeded, prepare=handled(_PAID, "refund", CaptureMethod.AUTOMATIC)),
    _api(
        "a refund fails late",
        gateway.RefundSucceeded,
        gateway.RefundFailed,
        prepare=handled(_PAID, "refund", CaptureMethod.AUTOMATIC),
    ),
    _api("the books are broken", ledger_books.InvariantBroken, ledger_books.BooksSigned),
    Story(
        service="api",
        name="a run finds something",
        steps=(gateway_reconciliation.DiscrepanciesFound,),
        is_published=True,
    ),
    _gateway("captured and given back", gateway.AuthorizePayment, gateway.CapturePayment, gateway.RefundPayment),
    _gateway("held and let go", (gateway.AuthorizePayment, {"capture_method": "manual"}), gateway.VoidPayment),
    _gateway("captured and reported", gateway.AuthorizePayment, gateway.CapturePayment, gateway.ReportCapture),
    _gateway("a customer is forgotten", gateway_customers.ForgetCustomer),
    _ledger("a tenant is new", api.TenantProvisioned, gateway.PaymentCaptured),
    _ledger(
        "a refund fails late",
        *(gateway.PaymentCaptured, api.PaymentSettled, gateway.RefundSucceeded, api.PaymentRefunded),
        gateway.RefundFailed,
    ),
    _ledger("a dispute is won", gateway.PaymentCaptured, gateway.DisputeOpened, gateway.DisputeWon),
    _ledger("a dispute is lost", gateway.PaymentCaptured, gateway.DisputeOpened, gateway.DisputeLost),
    _ledger(
        "a payout comes back",
        *(
            gateway.PaymentCaptured,
            gateway.ProcessorFeeCharged,
            gateway_payouts.PayoutCreated,
            gateway_payouts.PayoutPaid,
        ),
        gateway_movements.PayoutDebited,
    ),
    _ledger("a payout fails", gateway_payouts.PayoutCreated, gateway_payouts.PayoutFailed),
    _ledger(
        "money becomes available",
        gateway.PaymentCaptured,
        gateway_movements.MovementRecorded,
        gateway_movements.MovementAvailable,
    ),
    Story(
        service="notifier",
        name="everything is published",
        steps=tuple(kind for kind in handled_by("notifier") if kind.contract.kind is Kind.EVENT),
        prepare=endpoint,
    ),
)
"""Every message that a service handles is in one of them."""
