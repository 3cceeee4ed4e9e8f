"""What the api answers about the payments of a tenant to who compares them with the other services: page by page, by id."""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request

PAYMENTS_MAX = 2_000
"""Payments on one page at most."""
PAYMENT_IDS_MAX = 500
"""Payments that can be named in one request."""
PAYMENT_PARTS_MAX = 10_000
"""Refunds, and disputes, on one page at most, and of one payment."""

# Facts are made by the thousand and cannot be part of a circle: the collector of garbage need not look at them.
_TIMEOUT_SECONDS = 20.0
"""Nobody waits at a screen, and a page takes some hundredths of a second; other heavy requests may be before it."""


class RefundFact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One refund, as the api has it."""

    refund_id: UUID
    """The refund."""
    amount_minor: int
    """Above zero, in minor units of the payment's currency."""
    status: str
    """`PENDING`, `COMPLETED` or `FAILED`."""
    gateway_ref: str
    """The processor's reference; empty until it has given one."""


class DisputeFact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One dispute or inquiry, as the api has it."""

    dispute_id: UUID
    """The dispute."""
    amount_minor: int
    """Above zero, in minor units of the payment's currency."""
    status: str
    """`OPEN`, `WON`, `LOST`, `INQUIRY` or `INQUIRY_CLOSED`."""
    gateway_ref: str
    """The processor's reference."""


class PaymentFact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One payment, as the api has it, with all that was given back of it; read at one instant."""

    payment_intent_id: UUID
    """The payment: a UUIDv7, whose time is that of its creation."""
    status: str
    """What clients see: `CREATED`, `PROCESSING`, `REQUIRES_ACTION`, `AUTHORIZED`, `SETTLED`, `PARTIALLY_REFUNDED`, `REFUNDED`, `VOIDED`, `FAILED` or `EXPIRED`."""
    amount_minor: int
    """Above zero, in minor units of `currency`."""
    captured_minor: int
    """What the processor has taken, in minor units; 0 where nothing is captured."""
    currency: str
    """ISO 4217 code."""
    gateway_ref: str
    """The processor's reference; empty until it has given one."""
    payment_method_type: str
    """`card`, `pix` or `boleto`."""
    created_at: datetime
    """When the merchant created it, in UTC."""
    updated_at: datetime
    """When it, a refund or a dispute of it last changed, in UTC."""
    refunds: tuple[RefundFact, ...] = ()
    """Oldest first."""
    disputes: tuple[DisputeFact, ...] = ()
    """Oldest first."""
    is_whole: bool = True
    """False where it has more than 10,000 refunds or disputes: the oldest are here."""


class PaymentColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Payments of a page, as far as most of them are compared: lists whose items are separated by commas, without blanks.

    The database makes them and the reader's database takes them apart, so that neither process looks at each payment.
    """

    payment_intent_ids: str = ""
    """Payments of which nothing was given back and nothing is in dispute, in any order."""
    captured_minor: str = ""
    """What the processor has taken of each of them, in minor units, in the same order."""
    currencies: str = ""
    """ISO 4217 code of each of them, in the same order."""
    others: str = ""
    """Payments of the page that have refunds or disputes: to be requested by `ids`."""


class PaymentFactPage(msgspec.Struct, frozen=True, kw_only=True):
    """Payments of one tenant in the order of their ids."""

    items: tuple[PaymentFact, ...]
    """The payments; a page may be shorter than `limit` where they have many refunds."""
    next_after: UUID | None = None
    """The last id of this page, where more follow; None: these are the last."""
    columns: PaymentColumns | None = None
    """The payments, where `in_columns` was requested; then there are no `items`."""


@request(
    "payment_facts.list",
    owner="api",
    published_by=("gateway",),
    reply=PaymentFactPage,
    example={
        "tenant_id": "00000000-0000-0000-0000-000000000002",
        "after": "0190f3a4-5b6c-7d8e-9f01-23456789abce",
        "until": "0190f3a4-7b6c-7d8e-9f01-23456789abce",
        "limit": 500,
    },
    timeout_seconds=_TIMEOUT_SECONDS,
    is_heavy=True,
)
class ListPaymentFacts(Message, frozen=True, kw_only=True):
    """Which payments has this tenant? Requested by the gateway, which compares them with what moved and with the books.

    A payment is committed within seconds of the time in its id: who pages up to an `until` that is some minutes old misses
    none and has none twice, whatever is paid meanwhile.
    """

    tenant_id: str
    """The tenant."""
    after: UUID | None = None
    """Payments with greater ids; None: from the first."""
    until: UUID | None = None
    """Payments up to this id; None: all."""
    ids: tuple[UUID, ...] = ()
    """Exactly these, at most 500, whatever the range; unknown ones are left out. Where `next_after` is set, those beyond it are to be requested again."""
    changed_from: datetime | None = None
    """Of the range, only payments that were made before and of which a refund was made, or a dispute changed, from then on; with `changed_until`."""
    changed_until: datetime | None = None
    """The first instant at which such a refund or change no longer counts."""
    limit: int = 500
    """Payments on a page, 1 to 2,000."""
    in_columns: bool = False
    """Of a range, to answer with `columns` instead of `items`; who answers with `items` all the same does not know columns yet."""
