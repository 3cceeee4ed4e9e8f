"""What reconciliation reads of payments: in the order of their ids, each tenant's alone, with all that was given back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.contracts import gateway
from libs.common.contracts.api_facts import ListPaymentFacts, PaymentColumns, PaymentFact, PaymentFactPage
from libs.common.errors import Invalid
from libs.common.ids import new_id
from services.api.payments import FactConsumers
from services.api.payments.queries import payment_facts
from services.api.payments.sql import facts
from tests.integration.api.conftest import Api
from tests.integration.api.payments.test_operations import do, settled


async def ask(api: Api, tenant_id: str, **of: object) -> PaymentFactPage:
    return await FactConsumers(api.database).on_list_payment_facts(
        ListPaymentFacts(tenant_id=tenant_id, **of)  # type: ignore[arg-type]
    )


async def created(api: Api, tenant_id: str) -> UUID:
    return UUID((await api.client(tenant_id).create())["id"])


async def disputed(api: Api, tenant_id: str, payment: str) -> UUID:
    message = gateway.DisputeOpened(
        payment_intent_id=UUID(payment),
        dispute_id=new_id(),
        amount_minor=700,
        currency="BRL",
        reason="fraudulent",
        gateway_ref="dp_1",
        evidence_due_at=None,
        happened_at=datetime.now(UTC),
    )
    await api.handle(tenant_id, message, by=api.consumers.on_dispute_opened)
    return message.dispute_id


async def test_fact_has_all_that_was_given_back(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    payment = await settled(api, client, tenant_id)
    refunds = [(await do(client, payment, "refund", {"amount": amount})).json["id"] for amount in ("1.00", "2.00")]
    done = gateway.RefundSucceeded(
        payment_intent_id=UUID(payment),
        refund_id=UUID(refunds[0]),
        amount_minor=100,
        currency="BRL",
        gateway_ref="re_1",
        refunded_at=datetime.now(UTC),
    )
    await api.handle(tenant_id, done, by=api.consumers.on_refund_succeeded)
    dispute = await disputed(api, tenant_id, payment)
    new = await created(api, tenant_id)
    fact, bare = (await ask(api, tenant_id)).items
    assert (fact.payment_intent_id, fact.status, fact.captured_minor, fact.amount_minor, fact.currency) == (
        *(UUID(payment), "PARTIALLY_REFUNDED", 15050, 15050, "BRL"),
    )
    assert [(str(r.refund_id), r.amount_minor, r.status, r.gateway_ref) for r in fact.refunds] == [
        (refunds[0], 100, "COMPLETED", "re_1"),
        (refunds[1], 200, "PENDING", ""),
    ]
    assert [(d.dispute_id, d.amount_minor, d.status, d.gateway_ref) for d in fact.disputes] == [
        (dispute, 700, "OPEN", "dp_1")
    ]
    assert (bare.payment_intent_id, bare.status, bare.captured_minor, bare.gateway_ref) == (new, "CREATED", 0, "")
    assert (bare.refunds, bare.disputes, bare.payment_method_type) == ((), (), "card")
    [row] = await api.database.fetch("SELECT max(updated_at) AS at FROM disputes WHERE id = $1", dispute)
    assert fact.updated_at >= row["at"]


@pytest.mark.parametrize("limit", [1, 2, 5, 2000])
async def test_pages_join_to_all_payments_once(api: Api, tenant_id: str, limit: int) -> None:
    mine = [await created(api, tenant_id) for _ in range(5)]
    await created(api, f"{tenant_id}-b")
    found: list[PaymentFact] = []
    after: UUID | None = None
    while True:
        page = await ask(api, tenant_id, after=after, until=mine[-1], limit=limit)
        assert 0 < len(page.items) <= limit
        found += page.items
        # Paid meanwhile, beyond the range.
        await created(api, tenant_id)
        if page.next_after is None:
            break
        after = page.next_after
    assert [fact.payment_intent_id for fact in found] == mine
    assert (await ask(api, tenant_id, after=mine[-1], until=mine[-1])).items == ()


async def test_named_payments_are_the_tenants_own(api: Api, tenant_id: str) -> None:
    one, two, _ = [await created(api, tenant_id) for _ in range(3)]
    foreign = await created(api, f"{tenant_id}-b")
    page = await ask(api, tenant_id, ids=(two, foreign, one, one, new_id()), after=two, limit=1)
    assert ([fact.payment_intent_id for fact in page.items], page.next_after) == ([one, two], None)


async def test_older_payments_are_found_by_what_was_given_back_lately(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    one, two, three, _ = [await settled(api, client, tenant_id) for _ in range(4)]
    lately = datetime.now(UTC) + timedelta(milliseconds=2)
    while datetime.now(UTC) < lately:
        pass
    end = lately + timedelta(hours=1)
    await do(client, one, "refund", {"amount": "1.00"})
    await disputed(api, tenant_id, three)
    new = await settled(api, client, tenant_id)
    await do(client, new, "refund", {"amount": "1.00"})
    first = await ask(api, tenant_id, changed_from=lately, changed_until=end, limit=1)
    assert ([str(fact.payment_intent_id) for fact in first.items], str(first.next_after)) == ([one], one)
    rest = await ask(api, tenant_id, changed_from=lately, changed_until=end, after=first.next_after)
    assert [str(fact.payment_intent_id) for fact in rest.items] == [three]
    assert (await ask(api, tenant_id, changed_from=end, changed_until=end + timedelta(hours=1))).items == ()
    assert two not in {str(fact.payment_intent_id) for fact in (*first.items, *rest.items)}


async def test_page_ends_before_a_payment_whose_parts_are_too_many(api: Api, tenant_id: str) -> None:
    client = api.client(tenant_id)
    payments = [await settled(api, client, tenant_id) for _ in range(2)]
    for payment in payments:
        for _ in range(2):
            await do(client, payment, "refund", {"amount": "1.00"})
    ids = [UUID(payment) for payment in payments]
    for parts_max, kept, is_whole in ((4, 2, True), (3, 1, True), (1, 1, False)):
        for request in (ListPaymentFacts(tenant_id=tenant_id), ListPaymentFacts(tenant_id=tenant_id, ids=tuple(ids))):
            page = await payment_facts(api.database, request, parts_max=parts_max)
            assert [fact.payment_intent_id for fact in page.items] == ids[:kept]
            assert page.next_after == (None if kept == 2 else ids[0])
            assert page.items[0].is_whole is is_whole
            assert len(page.items[0].refunds) == min(2, parts_max)


@pytest.mark.parametrize(
    "of",
    [
        {"limit": 0},
        {"limit": 2001},
        {"ids": (UUID(int=1),) * 501},
        {"changed_from": datetime(2026, 1, 1, tzinfo=UTC)},
        {"ids": (UUID(int=1),), "in_columns": True},
    ],
)
async def test_request_beyond_a_limit_is_refused(api: Api, tenant_id: str, of: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await ask(api, tenant_id, **of)


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 2000])
async def test_columns_have_each_payment_of_a_range_once(api: Api, tenant_id: str, limit: int) -> None:
    client = api.client(tenant_id)
    refunded, plain, contested = [await settled(api, client, tenant_id) for _ in range(3)]
    await do(client, refunded, "refund", {"amount": "1.00"})
    await disputed(api, tenant_id, contested)
    new = str(await created(api, tenant_id))
    await created(api, f"{tenant_id}-b")
    found: list[tuple[str, ...]] = []
    others: list[str] = []
    after: UUID | None = None
    while True:
        page = await ask(api, tenant_id, after=after, until=UUID(new), limit=limit, in_columns=True)
        columns = page.columns
        assert columns is not None
        assert page.items == ()
        lists = (columns.payment_intent_ids, columns.captured_minor, columns.currencies)
        found += zip(*(each.split(",") if each else [] for each in lists), strict=True)
        others += columns.others.split(",") if columns.others else []
        # Paid meanwhile, beyond the range.
        await created(api, tenant_id)
        if page.next_after is None:
            break
        after = page.next_after
    assert found == [(plain, "15050", "BRL"), (new, "0", "BRL")]
    assert others == [refunded, contested]
    nothing = await ask(api, tenant_id, after=UUID(new), until=UUID(new), in_columns=True)
    assert (nothing.columns, nothing.next_after) == (PaymentColumns(), None)


async def test_page_is_read_in_the_order_of_an_index(api: Api) -> None:
    values = facts.IN_RANGE.arguments(
        {"tenant_id": "t", "after": UUID(int=0), "until": UUID(int=9), "limit": 9, "parts_max": 9}
    )
    async with api.database.transaction() as tx:
        await tx.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = await tx.fetchval(f"EXPLAIN (FORMAT JSON) {facts.IN_RANGE.text}", *values)
    for index in ("ix_payment_intents_tenant", "ix_refunds_payment_intent", "ix_disputes_payment_intent"):
        assert index in plan
