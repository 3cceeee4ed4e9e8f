"""Processor accounts, attempts and events, as clients write and see them."""

from datetime import datetime
from typing import Annotated

import msgspec

from libs.common.clock import iso
from libs.common.contracts.gateway_requests import (
    AttemptRecord,
    GatewayConfig,
    ProcessorEvent,
    UnknownOutcome,
)
from libs.common.money import format_minor

_Key = Annotated[
    str, msgspec.Meta(max_length=255, description="The account's secret or restricted key; never shown again.")
]


_WebhookSecret = Annotated[
    str,
    msgspec.Meta(max_length=255, description="What Stripe signs its webhooks with, `whsec_...`; never shown again."),
]


class CreateGatewayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A processor account to charge through."""

    processor: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=32, extra_json_schema={"enum": ["stripe", "sandbox"]}),
    ]
    currencies: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=3, max_length=3)]],
        msgspec.Meta(max_length=200, description="Currencies that go this way; empty: all that no other one names."),
    ] = []
    secret_key: _Key = ""
    webhook_secret: _WebhookSecret = ""
    payment_method: Annotated[
        str, msgspec.Meta(max_length=255, description="What is charged where a payment names nothing.")
    ] = ""
    return_url: Annotated[
        str, msgspec.Meta(max_length=2000, description="Where customers come back to after proving who they are.")
    ] = ""
    connected_account: Annotated[
        str,
        msgspec.Meta(
            max_length=255,
            description="Instead of a key: the Stripe account, `acct_...`, that is connected to the platform's.",
        ),
    ] = ""
    application_fee_bps: Annotated[
        int,
        msgspec.Meta(
            ge=0, le=10_000, description="What the platform takes of each capture, in hundredths of a percent."
        ),
    ] = 0
    application_fee_minor: Annotated[
        int,
        msgspec.Meta(ge=0, le=99_999_999, description="And in minor units of the payment's currency."),
    ] = 0
    refund_application_fee: Annotated[
        bool,
        msgspec.Meta(description="Whether the platform gives the same part of its fee back with a refund."),
    ] = False


class RotateKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New keys of the same account; what is missing stays."""

    secret_key: _Key = ""
    webhook_secret: _WebhookSecret = ""


class GatewayConfigBody(msgspec.Struct, frozen=True, kw_only=True):
    """A processor account that a tenant charges through, without its keys."""

    id: str
    processor: str
    currencies: list[str]
    secret_key_last4: str
    webhook_secret_last4: str
    payment_method: str
    return_url: str
    webhook_path: str
    """Where Stripe's webhooks are sent to, below the gateway's public address."""
    created_at: str
    updated_at: str
    connected_account: str = ""
    application_fee_bps: int = 0
    application_fee_minor: int = 0
    refund_application_fee: bool = False


class AttemptBody(msgspec.Struct, frozen=True, kw_only=True):
    """One operation that was requested of a processor."""

    id: str
    operation: str
    processor: str
    status: str
    amount: str
    currency: str
    gateway_ref: str
    reason: str
    detail: str
    asks: int
    created_at: str
    asked_at: str | None
    next_ask_at: str | None
    decided_at: str | None


class UnknownOutcomeBody(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of which it is not known whether the processor has carried it out."""

    id: str
    payment_intent_id: str
    refund_id: str | None
    operation: str
    processor: str
    status: str
    amount: str
    currency: str
    gateway_ref: str
    reason: str
    detail: str
    asks: int
    created_at: str
    next_ask_at: str | None
    """When the processor is called or read again; null where that has ended."""
    is_left_to_person: bool
    """Whether an operator of the platform has to decide."""


class GatewayEventBody(msgspec.Struct, frozen=True, kw_only=True):
    """One event that a processor sent, and what came of it."""

    id: str
    processor: str
    type: str
    status: str
    reason: str
    payment_intent_id: str | None
    happened_at: str
    received_at: str


def config_body(config: GatewayConfig) -> GatewayConfigBody:
    """Show a configuration as clients see it."""
    shown = msgspec.structs.asdict(config)
    return GatewayConfigBody(
        **{
            **shown,
            "id": str(config.id),
            "created_at": iso(config.created_at),
            "updated_at": iso(config.updated_at),
        }
    )


def attempt_body(attempt: AttemptRecord) -> AttemptBody:
    """Show an attempt as clients see it."""
    return AttemptBody(
        id=str(attempt.id),
        operation=attempt.operation,
        processor=attempt.processor,
        status=attempt.status,
        amount=format_minor(attempt.amount_minor, attempt.currency),
        currency=attempt.currency,
        gateway_ref=attempt.gateway_ref,
        reason=attempt.reason,
        detail=attempt.detail,
        asks=attempt.asks,
        created_at=iso(attempt.created_at),
        asked_at=_when(attempt.asked_at),
        next_ask_at=_when(attempt.next_ask_at),
        decided_at=_when(attempt.decided_at),
    )


def unknown_outcome_body(outcome: UnknownOutcome) -> UnknownOutcomeBody:
    """Show an operation without a known outcome as clients see it."""
    return UnknownOutcomeBody(
        id=str(outcome.id),
        payment_intent_id=str(outcome.payment_intent_id),
        refund_id=str(outcome.refund_id) if outcome.refund_id else None,
        operation=outcome.operation,
        processor=outcome.processor,
        status=outcome.status,
        amount=format_minor(outcome.amount_minor, outcome.currency),
        currency=outcome.currency,
        gateway_ref=outcome.gateway_ref,
        reason=outcome.reason,
        detail=outcome.detail,
        asks=outcome.asks,
        created_at=iso(outcome.created_at),
        next_ask_at=_when(outcome.next_ask_at),
        is_left_to_person=outcome.next_ask_at is None,
    )


def gateway_event_body(event: ProcessorEvent) -> GatewayEventBody:
    """Show an event as clients see it."""
    return GatewayEventBody(
        id=event.id,
        processor=event.processor,
        type=event.type,
        status=event.status,
        reason=event.reason,
        payment_intent_id=str(event.payment_intent_id) if event.payment_intent_id else None,
        happened_at=iso(event.happened_at),
        received_at=iso(event.received_at),
    )


def _when(at: datetime | None) -> str | None:
    return None if at is None else iso(at)
