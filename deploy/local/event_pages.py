"""`docs/events`: a page for each event that endpoints and other teams receive, with what to do when it comes."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

from deploy.local.json_documents import Json, choices_written_out, resolved
from deploy.local.layout import ROOT
from deploy.local.message_page import type_name
from libs.common.contracts import PUBLIC_EXCHANGE, REGISTRY

FOLDER = ROOT / "docs" / "events"
_INDEX = FOLDER / "README.md"
_HEAD = """# Events

Written by `just docs`; what is written by hand here is lost. Each is sent to the endpoints that list it
([webhooks](../webhooks.md): signatures, order, repetition), and most to other teams on `payments.x` ([messages](../messages.md)).
Each arrives at least once: deduplicate by its id. One that arrives late has a lower `sequence` than what you know.

| Event | What has happened |
|---|---|
"""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What the contracts do not tell about an event."""

    then: tuple[str, ...] = ()
    """The events of the same payment, dispute or endpoint that may follow."""
    do: str
    """What a receiver does, in a sentence or two."""


_PAID_LATE = (
    "Where the money was taken in the last moment all the same, `payment.captured` follows, which is rare: listen on."
)
ADVICE = {
    "payment.intent.created": Advice(
        then=("payment.requires_action", "payment.authorized", "payment.failed", "payment.expired", "payment.voided"),
        do="Nothing is paid yet: deliver nothing.",
    ),
    "payment.requires_action": Advice(
        then=("payment.authorized", "payment.failed", "payment.expired", "payment.voided"),
        do="Show the customer what there is to do: `GET /v1/payment-intents/{intent_id}/next-action` has the page, the code or the slip.",
    ),
    "payment.authorized": Advice(
        then=("payment.captured", "payment.voided", "payment.expired", "payment.failed"),
        do="With manual capture, capture or void it before the hold ends; else it is captured by itself.",
    ),
    "payment.captured": Advice(
        then=("payment.settled",), do="Wait for `payment.settled`: the books follow within seconds."
    ),
    "payment.settled": Advice(
        then=("payment.refunded", "refund.failed", "dispute.inquiry_opened", "dispute.opened"),
        do="It is paid, and in the books: deliver.",
    ),
    "payment.voided": Advice(
        then=("payment.captured",), do=f"Nothing was taken: release what was reserved. {_PAID_LATE}"
    ),
    "payment.expired": Advice(
        then=("payment.captured", "payment.authorized"),
        do=f"The hold, the code or the slip has ended: release what was reserved. {_PAID_LATE}",
    ),
    "payment.failed": Advice(
        then=("payment.authorized", "payment.requires_action", "payment.captured"),
        do="Tell the customer why, by `failure_message`, and offer another payment method: a declined payment is confirmed again with "
        f"one. {_PAID_LATE}",
    ),
    "payment.refunded": Advice(
        then=("payment.refunded", "refund.failed"),
        do="Compare `refunded_amount` with what was captured: several refunds of a payment are several events.",
    ),
    "refund.failed": Advice(
        then=("payment.refunded",),
        do="The money did not reach the customer, and the payment stands as before the refund: refund it again, or in another way.",
    ),
    "dispute.inquiry_opened": Advice(
        then=("dispute.inquiry_closed", "dispute.opened"),
        do="Nothing was taken yet: answer the bank at the processor before `evidence_due_at`, or refund the payment.",
    ),
    "dispute.inquiry_closed": Advice(then=("dispute.opened",), do="Nothing: the inquiry ended without a dispute."),
    "dispute.opened": Advice(
        then=("dispute.won", "dispute.lost"),
        do="The amount was taken back until it is decided: hand in evidence at the processor before `evidence_due_at`. Do not refund it too.",
    ),
    "dispute.won": Advice(
        then=("dispute.lost",), do="The money is back. A bank may appeal, and `dispute.lost` follow."
    ),
    "dispute.lost": Advice(then=("dispute.won",), do="The money is gone; an appeal that is won is `dispute.won`."),
    "reconciliation.discrepancy_found": Advice(
        do="Look at `GET /v1/reconciliation/discrepancies`: it is sent once for each new group, not for each discrepancy."
    ),
    "webhook.test": Advice(do="Verify the signature, answer 200 and do nothing: somebody has tried the endpoint."),
    "webhook_endpoint.failing": Advice(
        then=("webhook_endpoint.disabled",), do="Mend the endpoint that it names; nothing that it missed is lost."
    ),
    "webhook_endpoint.disabled": Advice(
        do="Mend the endpoint, enable it by `PATCH /v1/webhooks/{endpoint_id}` and replay what it missed ([webhooks](../webhooks.md))."
    ),
}
"""Of each event."""


def texts(openapi: Json) -> dict[Path, str]:
    """Return every page, the index among them."""
    openapi = choices_written_out(openapi)
    events = {name: methods["post"] for name, methods in openapi["webhooks"].items()}
    index = _HEAD + "".join(f"| [`{name}`]({name}.md) | {event['summary']} |\n" for name, event in events.items())
    return {_INDEX: index} | {
        FOLDER / f"{name}.md": "".join(_page(openapi, name, event)) for name, event in events.items()
    }


def known_files() -> set[Path]:
    """Return the pages that are there."""
    return set(FOLDER.glob("*.md"))


def _page(openapi: Json, name: str, event: Json) -> Iterator[str]:
    advice = ADVICE[name]
    content = event["requestBody"]["content"]["application/json"]
    body = resolved(openapi, content["schema"])
    data = resolved(openapi, body["properties"]["data"])
    public = [m for m in REGISTRY.values() if m.contract.public and m.contract.name == name]
    yield f"# `{name}`\n\n{event['summary']}\n\n**What to do.** {advice.do}\n"
    if advice.then:
        yield f"\n**What may follow.** {', '.join(f'[`{then}`]({then}.md)' for then in advice.then)}.\n"
    yield "\n## To an endpoint\n\nThe body that is signed ([webhooks](../webhooks.md)); `data` is described below.\n\n"
    yield _block(next(iter(content["examples"].values()))["value"])
    if public:
        yield f"\n## To another team\n\nOn `{PUBLIC_EXCHANGE}` with the routing key `{name}` ([messages](../messages.md)):\n\n"
        yield _block(public[0].example)
    yield "\n## Fields of `data`\n\n| Field | Type | Required | |\n|---|---|---|---|\n"
    required = data.get("required", ())
    for field, member in data.get("properties", {}).items():
        words = member.get("description", "").replace("|", "\\|")
        yield f"| `{field}` | {type_name(member)} | {'yes' if field in required else ''} | {words} |\n"


def _block(value: Json) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=1)}\n```\n"


__all__ = ["ADVICE", "known_files", "texts"]
