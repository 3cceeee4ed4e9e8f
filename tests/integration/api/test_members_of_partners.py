"""Each member of each partner's message: missing, null, of another type, huge or unknown, over the real queue.

What the partners do send is taken, everything else is a dead letter, and the queue goes on.
"""

import asyncio
import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from libs.common.contracts.foreign import FORMS, SUBSCRIPTIONS, Form
from tests.integration.api.conftest import Api
from tests.support.partners import Partners
from tests.support.samples import some

pytestmark = pytest.mark.integration
VARIANTS: dict[str, Any] = {
    "null": None,
    "number": 7,
    "object": {"a": 1},
    "true": True,
    "huge": "x" * 1000,
}
NEEDED = {"orderId", "tenantId", "tenant_id", "aggregateId", "totalAmount"}
"""Without these nothing can be done; what else is missing has a default or changes nothing."""
UNREAD = {"items", "aggregateType"}
TAKEN = {("totalAmount", "number"), ("payload", "object")}
"""What is another value, and no other type."""


def cases() -> Iterator[tuple[str, Form, dict[str, Any], bool]]:
    """Yield what each is called, with its form and body, and whether it is taken."""
    for form in FORMS:
        body = form.example
        yield f"{form.exchange} {form.routing_key} unknown", form, body | {"unknown": {"a": [1]}}, True
        for path in [(name,) for name in body] + [("payload", name) for name in body.get("payload", ())]:
            called = f"{form.exchange} {form.routing_key} {'.'.join(path)}"
            name = path[-1]
            yield f"{called} missing", form, changed(body, path), name not in NEEDED
            variants = VARIANTS | ({"huge number": 10**40} if name == "totalAmount" else {})
            for how, value in variants.items():
                is_taken = name in UNREAD or (name, how) in TAKEN or (how == "null" and name not in NEEDED)
                yield f"{called} {how}", form, changed(body, path, value), is_taken


def changed(body: dict[str, Any], path: tuple[str, ...], *value: Any) -> dict[str, Any]:
    """Return a body with another value at a path, or without any."""
    after = copy.deepcopy(body)
    within = after
    for name in path[:-1]:
        within = within[name]
    del within[path[-1]]
    if value:
        within[path[-1]] = value[0]
    return after


def counted(routing_key: str, outcome: str) -> float:
    labels = {"message": routing_key, "outcome": outcome}
    return REGISTRY.get_sample_value("partner_messages_total", labels) or 0


async def dead_letters(partners: Partners, queue: str, end: str) -> list[str]:
    """Take the dead letters of a queue up to the one that is called `end`; returns what they are called."""
    found: list[str] = []
    async with asyncio.timeout(60):
        while end not in found:
            letter = await partners.dead_letter(queue)
            if letter is None:
                await asyncio.sleep(0.02)
                continue
            assert letter.headers["x-detail"], letter.message_id
            found.append(str(letter.message_id))
    return found[:-1]


async def test_every_member_is_taken_as_partners_send_it_or_refused(partnered: tuple[Api, Partners]) -> None:
    _, partners = partnered
    whole, end = list(cases()), uuid4().hex
    assert len(whole) > 350
    # Of each member of each message something that is taken, and something that is not.
    every = some(whole, name="members", by=lambda case: (*case[0].split()[:3], case[3]))
    keys = {form.routing_key for form in FORMS}
    before = {key: counted(key, "dead") for key in keys}
    for called, form, body, _ in every:
        await partners.publish(form.exchange, form.routing_key, body, content_type=form.content_type, message_id=called)
    dead: list[str] = []
    for subscription in SUBSCRIPTIONS:
        form = subscription.forms[0]
        await partners.publish(form.exchange, form.routing_key, b"{", message_id=end)
        dead += await dead_letters(partners, subscription.queue, end)
    assert sorted(dead) == sorted(called for called, _, _, is_taken in every if not is_taken)
    refused = Counter(form.routing_key for _, form, _, is_taken in every if not is_taken)
    # With the two at the end.
    refused.update(subscription.forms[0].routing_key for subscription in SUBSCRIPTIONS)
    assert {key: counted(key, "dead") - before[key] for key in keys} == dict(refused)
