"""Every field of an intent, a refund and a dispute survives its row, and immutable ones survive every change."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.common.contracts.gateway_methods import PaymentMethodType
from libs.common.db import Database
from libs.common.ids import new_id
from services.api.audit import AuditRecord
from services.api.idempotency import Answer, Claim, key_row
from services.api.payments.domain import (
    CaptureMethod,
    Dispute,
    DisputeStatus,
    PaymentIntent,
    Refund,
    RefundStatus,
    Status,
)
from services.api.payments.sql import groups, intents, refunds
from services.api.payments.sql.intents import CHANGING, IMMUTABLE
from services.api.payments.sql.refunds import DISPUTE_CHANGING, REFUND_CHANGING
from tests.support.databases import TestDatabase

NOW = datetime.now(UTC).replace(microsecond=1000)
LATER = NOW + timedelta(hours=1)
ANSWER = Answer(200, b"{}")


@pytest.fixture
async def database(api_database: TestDatabase) -> AsyncIterator[Database]:
    async with api_database.open("api") as opened:
        yield opened


def an_intent(tenant_id: str) -> PaymentIntent:
    """An intent whose every field differs from its default."""
    return PaymentIntent(
        tenant_id=tenant_id,
        id=new_id(NOW),
        amount_minor=9_000,
        currency="BRL",
        status=Status.SETTLED,
        capture_method=CaptureMethod.MANUAL,
        payment_method="pm_card_visa",
        return_url="https://merchant.example/back",
        customer_ref="CUST-001",
        description="two chairs",
        metadata={"a": "1"},
        order_id=f"order-{tenant_id}",
        gateway_ref="pi_1",
        payment_method_type=PaymentMethodType.BOLETO,
        billing_details="{}",
        customer_id=UUID(int=1),
        saved_method_id=UUID(int=2),
        off_session=True,
        attempt=1,
        unsent_attempts=1,
        action_url="https://merchant.example/1",
        next_action="{}",
        expires_at=NOW,
        capturing_minor=8_000,
        is_voiding=True,
        captured_minor=7_000,
        refunding_minor=600,
        refunded_minor=500,
        disputed_minor=400,
        failure_code="declined",
        failure_message="The issuer declined.",
        decline_code="insufficient_funds",
        advice_code="try_again_later",
        network_decline_code="51",
        network_advice_code="02",
        version=3,
        created_at=NOW,
        updated_at=NOW,
        authorized_at=NOW,
        settled_at=NOW,
    )


def changes_of(intent: PaymentIntent) -> PaymentIntent:
    """The same intent with another value in every field."""
    return PaymentIntent(
        tenant_id=intent.tenant_id,
        id=intent.id,
        amount_minor=8_999,
        currency="USD",
        status=Status.REFUNDED,
        capture_method=CaptureMethod.AUTOMATIC,
        payment_method="pm_2",
        return_url="https://merchant.example/2/back",
        customer_ref="CUST-002",
        description="a table",
        metadata={"b": "2"},
        order_id="order-2",
        gateway_ref="pi_2",
        customer_id=UUID(int=3),
        saved_method_id=UUID(int=4),
        attempt=2,
        unsent_attempts=2,
        action_url="https://merchant.example/2",
        next_action="[]",
        expires_at=LATER,
        capturing_minor=8_001,
        is_voiding=False,
        captured_minor=7_001,
        refunding_minor=601,
        refunded_minor=501,
        disputed_minor=401,
        failure_code="expired",
        failure_message="The authorization expired.",
        decline_code="expired_card",
        advice_code="confirm_card_data",
        network_decline_code="54",
        network_advice_code="01",
        version=4,
        created_at=LATER,
        updated_at=LATER,
        authorized_at=LATER,
        settled_at=LATER,
    )


def a_refund(intent: PaymentIntent) -> Refund:
    return Refund(
        tenant_id=intent.tenant_id,
        id=new_id(NOW),
        payment_intent_id=intent.id,
        amount_minor=600,
        currency="BRL",
        reason="damaged",
        status=RefundStatus.COMPLETED,
        gateway_ref="re_1",
        failure_code="returned",
        failure_message="The bank returned it.",
        created_at=NOW,
        updated_at=NOW,
    )


def a_dispute(intent: PaymentIntent) -> Dispute:
    return Dispute(
        tenant_id=intent.tenant_id,
        id=new_id(NOW),
        payment_intent_id=intent.id,
        amount_minor=400,
        currency="BRL",
        reason="fraudulent",
        status=DisputeStatus.WON,
        gateway_ref="dp_1",
        evidence_due_at=NOW,
        opened_at=NOW,
        updated_at=NOW,
        reversals=2,
    )


async def written(database: Database, intent: PaymentIntent) -> None:
    """Write an intent as a request does."""
    claim = Claim(
        tenant_id=intent.tenant_id,
        operation="create",
        key="k",
        fingerprint=b"f",
        fingerprint_earlier=b"e",
        claimed_at=NOW,
        lease_until=NOW,
        expires_at=LATER,
    )
    audit = AuditRecord(
        tenant_id=intent.tenant_id,
        id=new_id(NOW),
        actor="a",
        action="b",
        target="c",
        outcome="success",
        correlation_id="d",
        at=NOW,
    )
    written = groups.Written(
        intent=intent,
        key_row=key_row(claim, subject_id=intent.id, answer=ANSWER),
        audit=audit,
        publications=[],
        events=[],
    )
    assert await groups.create(database, [written]) == [True]


def differing(one: Any, other: Any) -> set[str]:
    return {name for name in type(one).__struct_fields__ if getattr(one, name) != getattr(other, name)}


def test_examples_leave_no_field_at_its_default() -> None:
    intent = an_intent("t")
    for example in (intent, a_refund(intent), a_dispute(intent)):
        for field in msgspec.structs.fields(type(example)):
            assert getattr(example, field.name) != field.default, field.name
    assert differing(intent, changes_of(intent)) == set(PaymentIntent.__struct_fields__) - {"tenant_id", "id"}


async def test_each_field_of_an_intent_survives_its_row(database: Database, tenant_id: str) -> None:
    intent = an_intent(tenant_id)
    await written(database, intent)
    assert await intents.get(database, tenant_id, intent.id) == intent


async def test_change_touches_every_field_but_immutable_ones(database: Database, tenant_id: str) -> None:
    intent = an_intent(tenant_id)
    await written(database, intent)
    async with database.transaction() as tx:
        await intents.save(tx, [changes_of(intent)], answers=[], publications=[], events=[], at=NOW)
    after = await intents.get(database, tenant_id, intent.id)
    assert differing(intent, after) == set(CHANGING)
    assert not differing(intent, after) & IMMUTABLE
    assert after is not None
    assert not differing(after, changes_of(intent)) & set(CHANGING)


async def test_each_field_of_a_refund_survives_its_row(database: Database, tenant_id: str) -> None:
    intent = an_intent(tenant_id)
    refund = a_refund(intent)
    changed = Refund(
        tenant_id=tenant_id,
        id=refund.id,
        payment_intent_id=UUID(int=9),
        amount_minor=601,
        currency="USD",
        reason="late",
        status=RefundStatus.FAILED,
        gateway_ref="re_2",
        failure_code="lost",
        failure_message="It is lost.",
        created_at=LATER,
        updated_at=LATER,
    )
    async with database.transaction() as tx:
        await refunds.save_refunds(tx, [refund])
    assert await refunds.refund(database, tenant_id, refund.id) == refund
    async with database.transaction() as tx:
        await refunds.save_refunds(tx, [changed])
    assert differing(refund, await refunds.refund(database, tenant_id, refund.id)) == set(REFUND_CHANGING)


async def test_each_field_of_a_dispute_survives_its_row(database: Database, tenant_id: str) -> None:
    intent = an_intent(tenant_id)
    dispute = a_dispute(intent)
    changed = Dispute(
        tenant_id=tenant_id,
        id=dispute.id,
        payment_intent_id=UUID(int=9),
        amount_minor=401,
        currency="USD",
        reason="duplicate",
        status=DisputeStatus.LOST,
        gateway_ref="dp_2",
        evidence_due_at=LATER,
        opened_at=LATER,
        updated_at=LATER,
        reversals=3,
    )
    async with database.transaction() as tx:
        await refunds.save_disputes(tx, [dispute])
    assert await refunds.disputes_of(database, tenant_id, intent.id, limit=1) == [dispute]
    async with database.transaction() as tx:
        await refunds.save_disputes(tx, [changed])
    [after] = await refunds.disputes_of(database, tenant_id, intent.id, limit=1)
    assert differing(dispute, after) == set(DISPUTE_CHANGING)
