"""What stands around an object: the version, the mode, the account, and thin events that show no object."""

import json
from typing import Any

import pytest

from libs.common.ids import new_id
from services.gateway import metrics
from services.gateway.processors.stripe import API_VERSION
from tests.support.stripe_tenant import Tenant


async def thin(tenant: Tenant, kind: str, related: dict[str, Any] | None, **changes: Any) -> str:
    event_id = f"evt_{new_id().hex}"
    body = {"id": event_id, "object": "v2.core.event", "type": kind, "created": "2025-11-22T08:26:40.000Z"} | changes
    await tenant.inbox.keep(
        json.dumps(body | {"livemode": False, "related_object": related}),
        tenant_id=tenant.tenant_id,
        processor="stripe",
    )
    return event_id


@pytest.mark.parametrize(
    ("envelope", "status", "reason", "counted"),
    [
        ({"api_version": API_VERSION, "livemode": False}, "HANDLED", "", "shown"),
        ({"api_version": "2020-08-27"}, "HANDLED", "", "other_version"),
        ({"livemode": True}, "IGNORED", "wrong_mode", "wrong_mode"),
        ({"account": "acct_of_somebody"}, "IGNORED", "foreign_account", "foreign_account"),
    ],
    ids=["pinned", "version", "mode", "account"],
)
async def test_each_envelope_has_its_own_end_and_count(
    tenant: Tenant, envelope: dict[str, Any], status: str, reason: str, counted: str
) -> None:
    await tenant.own()
    attempt = await tenant.unanswered()
    now = tenant.intent(attempt)
    tenant.objects["payment_intent", now["id"]] = now
    # Of another version only the id counts: the rest may have another shape.
    shown = {"id": now["id"]} if counted == "other_version" else now
    before = metrics.STRIPE_ENVELOPES.labels(counted)._value.get()
    event_id = await tenant.receive("payment_intent.amount_capturable_updated", shown, **envelope)
    await tenant.work()
    event = await tenant.event(event_id)
    assert (event.status, event.reason) == (status, reason)
    assert await tenant.published() == (["payment.authorized"] if status == "HANDLED" else [])
    assert metrics.STRIPE_ENVELOPES.labels(counted)._value.get() == before + 1


async def test_event_that_names_its_own_account_takes_effect(tenant: Tenant) -> None:
    await tenant.own("acct_own")
    attempt = await tenant.unanswered()
    await tenant.receive("payment_intent.amount_capturable_updated", tenant.intent(attempt), account="acct_own")
    await tenant.work()
    assert await tenant.published() == ["payment.authorized"]


async def test_thin_event_is_handled_by_the_object_that_it_names(tenant: Tenant) -> None:
    attempt = await tenant.unanswered()
    now = tenant.intent(attempt)
    tenant.objects["payment_intent", now["id"]] = now
    related = {"id": now["id"], "type": "payment_intent", "url": "https://elsewhere.example/"}
    before = metrics.STRIPE_ENVELOPES.labels("thin")._value.get()
    event_id = await thin(tenant, "v1.payment_intent.amount_capturable_updated", related)
    await tenant.work()
    assert (await tenant.event(event_id)).status == "HANDLED"
    assert await tenant.published() == ["payment.authorized"]
    # Where the object could not be read at the first try, the event was opened again.
    assert metrics.STRIPE_ENVELOPES.labels("thin")._value.get() >= before + 1


async def test_thin_events_that_come_to_nothing_have_named_ends(tenant: Tenant) -> None:
    await tenant.own()
    ping = await thin(tenant, "v2.core.event_destination.ping", None)
    bare = await thin(tenant, "v1.payout.paid", None)
    lost = await thin(tenant, "v1.payout.paid", {"id": "po_of_another", "type": "payout"})
    foreign = await thin(tenant, "v1.payout.paid", {"id": "po_1", "type": "payout"}, context="acct_of_somebody")
    await tenant.work()
    ends = [
        (event.status, event.reason) for event in [await tenant.event(each) for each in (ping, bare, lost, foreign)]
    ]
    assert ends == [
        ("IGNORED", ""),
        ("FAILED", "unreadable"),
        ("RECEIVED", "object_unknown"),
        ("IGNORED", "foreign_account"),
    ]
