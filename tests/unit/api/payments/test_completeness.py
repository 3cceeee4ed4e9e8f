"""No field is forgotten: each one of an intent and of a refund shows in HTTP, messages, rows and filters.

Each test changes one field after another and looks whether what is made of it changes. A field that does not show must be
on a list with the reason; an omission fails by the field's name.
"""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from litestar.testing import RequestFactory

from libs.common.contracts.gateway_methods import (
    Address,
    BillingDetails,
    PaymentMethodType,
    decode_billing_details,
    encode_billing_details,
)
from libs.common.observability.correlation import Correlation
from services.api.audit.domain import AuditFilter
from services.api.audit.sql import FILTERS as AUDIT_FILTERS
from services.api.http.cursors import Position, decode_cursor, encode_cursor
from services.api.http.parameters import Query
from services.api.idempotency import fingerprint
from services.api.idempotency.sql import KINDS as KEY_KINDS
from services.api.idempotency.sql import KeyRow
from services.api.payments.commands import NewIntent
from services.api.payments.commands.intents import intent_of_request
from services.api.payments.commands.publications import publications_of
from services.api.payments.domain import (
    CaptureMethod,
    Decision,
    Dispute,
    Fact,
    IntentFilter,
    PaymentIntent,
    Refund,
    Status,
    TimelineEvent,
    request_refund,
)
from services.api.payments.routes.intents import intent_filter, new_intent
from services.api.payments.schemas import (
    CaptureRequest,
    CreatePaymentIntent,
    RefundRequest,
    intent_body,
    refund_body,
)
from services.api.payments.sql.intents import CHANGING, FILTERS, IMMUTABLE, KINDS
from services.api.payments.sql.refunds import DISPUTE_CHANGING, REFUND_CHANGING
from services.api.payments.sql.timeline import KINDS as EVENT_KINDS
from services.api.schema import tables
from tests.support.fields import filled, unseen

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)

HIDDEN_OF_INTENT = {
    "tenant_id": "the caller's own tenant",
    "capturing_minor": "a stage of AUTHORIZED, which clients do not see",
    "refunding_minor": "pending refunds are listed by themselves",
    "billing_details": "who pays is not shown again",
    "attempt": "each of them is a line of its timeline",
    "unsent_attempts": "only whether another one is refused shows",
    "version": "distinguishes the api's own writers",
    "authorized_at": "only whether it is set shows, in the authorized amount",
    "settled_at": "shows as the status",
}
HIDDEN_OF_REFUND = {"tenant_id": "the caller's own tenant"}
UNPUBLISHED_OF_INTENT = {
    "description": "the merchant's own words, which no other service needs",
    "metadata": "the merchant's own pairs, which no other service needs",
    "expires_at": "the gateway knows it, and publishes the end",
    "is_voiding": "published as the command",
    "unsent_attempts": "the api's own count",
    "refunding_minor": "published with each refund",
    "refunded_minor": "published with each refund",
    "disputed_minor": "published with each dispute",
    "created_at": "the time of the first event",
    "updated_at": "the time of the last event",
    "authorized_at": "the time of its event",
    "settled_at": "the time of its event",
}
UNPUBLISHED_OF_REFUND = {
    "tenant_id": "the intent's",
    "payment_intent_id": "the intent's",
    "status": "published as one event each",
    "gateway_ref": "the processor's, which only the gateway needs",
    "created_at": "the time of the command",
    "updated_at": "the time of the event",
}
NOT_IN_FINGERPRINT: dict[str, str] = {}
NOT_IN_EARLIER_FINGERPRINT = dict.fromkeys(
    ("return_url", "payment_method_type", "billing_details", "customer_id", "saved_method_id", "off_session"),
    "newer than version 0.1",
)
"""Fields of a new intent that version 0.1 did not have; its fingerprints were made of the others."""


PIX, OTHER_PIX = '{"type":"pix_display_qr_code","data":"1"}', '{"type":"pix_display_qr_code","data":"2"}'
ADDRESS = Address(line1="1", city="c", state="SP", postal_code="01310-100")
PAYER, OTHER_PAYER = (
    encode_billing_details(BillingDetails(name=name, email="a@b.c", tax_id="00000000000", address=ADDRESS))
    for name in ("A", "B")
)
OTHERS = {"next_action": OTHER_PIX, "billing_details": OTHER_PAYER}
INTENT = filled(
    PaymentIntent,
    currency="BRL",
    amount_minor=9300,
    next_action=PIX,
    billing_details=PAYER,
    saved_method_id=None,
    is_voiding=False,
)
REFUND = filled(Refund, currency="BRL")
DISPUTE = filled(Dispute, currency="BRL")


def shown_in_messages(facts: Iterable[Fact], make: Callable[[Any], Decision]) -> Callable[[Any], object]:
    def show(thing: Any) -> object:
        decision = msgspec.structs.replace(make(thing), facts=tuple(facts))
        made = publications_of(decision, at=NOW, correlation=Correlation(correlation_id="c", tenant_id="t"))
        return [
            ({k: v for k, v in msgspec.to_builtins(p.message).items() if k != "event_id"}, p.tenant_id) for p in made
        ]

    return show


def test_each_field_of_an_intent_shows_to_clients() -> None:
    assert unseen(INTENT, intent_body, **OTHERS) == HIDDEN_OF_INTENT.keys()


def test_each_field_of_a_refund_shows_to_clients() -> None:
    assert unseen(REFUND, refund_body) == HIDDEN_OF_REFUND.keys()


def test_each_field_of_an_intent_is_published() -> None:
    show = shown_in_messages(Fact, lambda intent: Decision(intent, refund=REFUND, dispute=DISPUTE))
    assert unseen(INTENT, show, **OTHERS) == UNPUBLISHED_OF_INTENT.keys()


def test_each_field_of_a_refund_is_published() -> None:
    facts = (Fact.REFUND_REQUESTED, Fact.REFUNDED, Fact.REFUND_FAILED)
    show = shown_in_messages(facts, lambda refund: Decision(INTENT, refund=refund))
    assert unseen(REFUND, show) == UNPUBLISHED_OF_REFUND.keys()


def test_each_field_of_a_request_becomes_a_field_of_the_intent() -> None:
    request = filled(NewIntent, currency="BRL")
    assert unseen(request, lambda new: intent_of_request(new, tenant_id="t", at=NOW, intent_id=UUID(int=1))) == set()


CARD = CreatePaymentIntent(
    amount=msgspec.Raw(b"93"), currency="BRL", customer_ref="c", customer=UUID(int=1), payment_method=str(UUID(int=2))
)
SLIP = CreatePaymentIntent(
    amount=msgspec.Raw(b"93"),
    currency="BRL",
    customer_ref="c",
    payment_method_type=PaymentMethodType.BOLETO,
    billing_details=decode_billing_details(PAYER),
)
READ: dict[str, tuple[CreatePaymentIntent, object]] = {
    "amount": (CARD, msgspec.Raw(b"94")),
    "currency": (CARD, "USD"),
    "customer_ref": (CARD, "d"),
    "description": (CARD, "d"),
    "metadata": (CARD, {"a": "b"}),
    "capture_method": (CARD, CaptureMethod.MANUAL),
    "payment_method": (CARD, "pm_card_visa"),
    "customer": (CARD, UUID(int=3)),
    "off_session": (CARD, True),
    "payment_method_type": (SLIP, PaymentMethodType.PIX),
    "billing_details": (SLIP, decode_billing_details(OTHER_PAYER)),
    "return_url": (CARD, "https://shop.example.com/"),
}
"""Another value of each member of a request, and a request in which it is admitted."""


@pytest.mark.parametrize("name", CreatePaymentIntent.__struct_fields__)
def test_each_member_of_a_request_is_read(name: str) -> None:
    assert name in READ, f"add here another value of {name}"
    body, other = READ[name]
    read = new_intent(msgspec.structs.replace(body, **{name: other}), currencies=frozenset())
    assert read != new_intent(body, currencies=frozenset()), f"{name} is lost between request and intent"


def test_amount_and_reason_are_in_the_refund() -> None:
    paid = msgspec.structs.replace(
        INTENT, status=Status.SETTLED, captured_minor=9300, refunded_minor=0, refunding_minor=0, disputed_minor=0
    )
    made = request_refund(paid, refund_id=UUID(int=1), amount_minor=93, reason="r", at=NOW).refund
    assert made is not None
    assert (made.amount_minor, made.reason) == (93, "r")


@pytest.mark.parametrize("kind", [CreatePaymentIntent, CaptureRequest, RefundRequest])
def test_each_member_of_a_request_is_in_its_fingerprint(kind: type[msgspec.Struct]) -> None:
    members = [field.encode_name for field in msgspec.structs.fields(kind)]
    body = {member: f"a {member}" for member in members}
    digest = fingerprint("create", json.dumps(body).encode())
    same = {
        member for member in members if fingerprint("create", json.dumps(body | {member: "other"}).encode()) == digest
    }
    assert same == NOT_IN_FINGERPRINT.keys()


def test_earlier_fingerprints_have_every_field_of_their_version() -> None:
    request = filled(NewIntent, currency="BRL")
    assert set(NewIntent.__struct_fields__) - request.meaning.keys() == NOT_IN_EARLIER_FINGERPRINT.keys()
    assert unseen(request, lambda new: new.meaning) == NOT_IN_EARLIER_FINGERPRINT.keys()


@pytest.mark.parametrize(
    ("kind", "kinds", "table"),
    [
        (PaymentIntent, KINDS, tables.payment_intents),
        (KeyRow, KEY_KINDS, tables.idempotency_keys),
        (TimelineEvent, EVENT_KINDS, tables.payment_intent_events),
    ],
)
def test_each_column_has_its_field(kind: type[msgspec.Struct], kinds: dict[str, str], table: Any) -> None:
    assert set(kinds) == set(kind.__struct_fields__) == {column.name for column in table.columns}


@pytest.mark.parametrize(
    ("kind", "changing", "table"),
    [(Refund, REFUND_CHANGING, tables.refunds), (Dispute, DISPUTE_CHANGING, tables.disputes)],
)
def test_each_column_of_a_part_has_its_field(kind: type[msgspec.Struct], changing: tuple[str, ...], table: Any) -> None:
    assert set(kind.__struct_fields__) == {column.name for column in table.columns}
    assert set(changing) <= set(kind.__struct_fields__)


def test_each_column_of_an_intent_is_immutable_or_changes() -> None:
    assert IMMUTABLE | set(CHANGING) == set(KINDS)
    assert not IMMUTABLE & set(CHANGING)


def test_each_filter_has_its_clause() -> None:
    assert list(FILTERS) == list(IntentFilter.__struct_fields__)
    assert list(AUDIT_FILTERS) == list(AuditFilter.__struct_fields__)


SET: dict[str, str | list[str]] = {
    "status": "SETTLED",
    "customer_ref": "c",
    "customer_ref_prefix": "c",
    "currency": "BRL",
    "order_id": "o",
    "refund_id": "0190f3a4-5b6c-7d8e-9f01-23456789abcd",
    "gateway_ref": "pi_1",
    "amount": "150.50",
    "from": "2026-04-01",
    "to": "2026-04-02",
}
"""Every parameter that narrows a list of intents, with a value."""


def test_each_filter_is_set_by_a_parameter() -> None:
    request: Any = RequestFactory().get("/v1/payment-intents", query_params=SET)
    chosen = intent_filter(Query(request))
    unset = {name for name in IntentFilter.__struct_fields__ if getattr(chosen, name) is None}
    assert unset == set(), "read the parameter in intent_filter, and give it a value here"


PLACE = Position(NOW, UUID(int=1))


@pytest.mark.parametrize(
    ("filters", "cursor"),
    [
        (IntentFilter(), "AAZOZNLDsAAAAAAAAAAAAAAAAAAAAAABYZ2iBu5ioEY"),
        (
            IntentFilter(statuses=("CREATED",), currency="BRL", created_from=NOW),
            "AAZOZNLDsAAAAAAAAAAAAAAAAAAAAAABIrx2sy-ybe8",
        ),
    ],
)
def test_cursors_of_earlier_versions_stay_valid(filters: IntentFilter, cursor: str) -> None:
    assert encode_cursor(PLACE, tenant_id="t", filters=filters) == cursor
    assert decode_cursor(cursor, tenant_id="t", filters=filters) == PLACE


class WiderFilter(IntentFilter, frozen=True, kw_only=True, omit_defaults=True):
    """A filter of a later version."""

    min_amount: int | None = None


def test_new_filter_that_is_not_set_leaves_cursors_valid() -> None:
    cursor = encode_cursor(PLACE, tenant_id="t", filters=IntentFilter(currency="BRL"))
    assert encode_cursor(PLACE, tenant_id="t", filters=WiderFilter(currency="BRL")) == cursor
    assert encode_cursor(PLACE, tenant_id="t", filters=WiderFilter(currency="BRL", min_amount=1)) != cursor
