"""Requests to the gateway while the caller waits: through which processor a tenant charges, and which calls were made."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, request

_TENANT = {"tenant_id": "00000000-0000-0000-0000-000000000002"}
_CONFIG = _TENANT | {"config_id": "0190f3a4-5b6c-7d8e-9f01-23456789abe1"}


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Through which processor a tenant charges, without its keys."""

    id: UUID
    """The configuration."""
    processor: str
    """`stripe` or `sandbox`."""
    currencies: list[str]
    """The currencies that go this way; empty: all that have no way of their own."""
    secret_key_last4: str
    """The end of the processor's secret key; empty where there is none."""
    webhook_secret_last4: str
    """The end of the secret that the processor signs its webhooks with; empty where there is none."""
    payment_method: str
    """What is charged where a payment names nothing; empty: such a payment is declined."""
    return_url: str
    """Where customers come back to after proving who they are; empty: the processor's client library leads the way."""
    webhook_path: str
    """Where the processor's webhooks are sent to, below the gateway's address; empty where there are none."""
    created_at: datetime
    """When it was added."""
    updated_at: datetime
    """When it last changed."""
    connected_account: str = ""
    """The account that is connected to the platform, through whose key it is charged; empty: it has a key of its own."""
    application_fee_bps: int = 0
    """What the platform takes of each capture, in hundredths of a percent."""
    application_fee_minor: int = 0
    """And in minor units of the payment's currency."""
    refund_application_fee: bool = False
    """Whether the platform gives the same part of it back with a refund."""


class GatewayConfigList(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's gateway configurations, newest first."""

    configs: list[GatewayConfig]


class GatewayConfigDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """No new payment goes this way; those that went keep it."""

    id: UUID


@request(
    "gateway_configs.add",
    owner="gateway",
    published_by=("api",),
    reply=GatewayConfig,
    example=_CONFIG
    | {
        "processor": "stripe",
        "currencies": ["BRL"],
        "secret_key": "sk_test_0190f3a45b6c7d8e",
        "webhook_secret": "whsec_0190f3a45b6c7d8e",
    },
)
class AddGatewayConfig(Message, frozen=True, kw_only=True):
    """Let a tenant charge through a processor account of its own. Requested by the api; the same id and content is success."""

    tenant_id: str
    """The tenant."""
    config_id: UUID
    """The new configuration's id, minted by the api."""
    processor: str
    """`stripe` or `sandbox`."""
    currencies: tuple[str, ...] = ()
    """ISO 4217 codes; the newest configuration that names a currency wins, then the newest that names none."""
    secret_key: str = ""
    """The processor's secret key; never shown again."""
    webhook_secret: str = ""
    """What the processor signs its webhooks with; never shown again."""
    payment_method: str = ""
    """What is charged where a payment names nothing."""
    return_url: str = ""
    """Where customers come back to after proving who they are."""
    connected_account: str = ""
    """Instead of a key: the account, `acct_...`, that is connected to the platform, whose own key is used."""
    application_fee_bps: int = 0
    """What the platform takes of each capture through a connected account, in hundredths of a percent."""
    application_fee_minor: int = 0
    """And in minor units of the payment's currency."""
    refund_application_fee: bool = False
    """Whether the platform gives the same part of it back with a refund."""


@request(
    "gateway_configs.rotate_keys",
    owner="gateway",
    published_by=("api",),
    reply=GatewayConfig,
    example=_CONFIG | {"webhook_secret": "whsec_0190f3a45b6c7d8f"},
)
class RotateGatewayKeys(Message, frozen=True, kw_only=True):
    """Replace the keys of the same processor account. Requested by the api.

    What is empty stays. The previous webhook secret is accepted beside the new one until the next rotation.
    """

    tenant_id: str
    """The tenant."""
    config_id: UUID
    """The configuration."""
    secret_key: str = ""
    """The account's new secret key."""
    webhook_secret: str = ""
    """The new webhook secret."""


@request("gateway_configs.list", owner="gateway", published_by=("api",), reply=GatewayConfigList, example=_TENANT)
class ListGatewayConfigs(Message, frozen=True, kw_only=True):
    """Through which processors does this tenant charge? Requested by the api."""

    tenant_id: str
    """The tenant."""


@request("gateway_configs.delete", owner="gateway", published_by=("api",), reply=GatewayConfigDeleted, example=_CONFIG)
class DeleteGatewayConfig(Message, frozen=True, kw_only=True):
    """Send no new payment this way. Requested by the api; repeated, it is a success."""

    tenant_id: str
    """The tenant."""
    config_id: UUID
    """The configuration."""


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One operation that a processor carries out."""

    id: UUID
    """The attempt; as text, the idempotency key that the processor received."""
    operation: str
    """`authorize`, `capture`, `void`, `expire` or `refund`."""
    processor: str
    """Which processor: `sandbox`, `stripe`, or `stripe:` and a configuration."""
    status: str
    """What is known: `PENDING`, `UNKNOWN`, `ACCEPTED`, `ACTION_REQUIRED`, `APPROVED`, `DECLINED`, `REVERSED`."""
    amount_minor: int
    """Amount in minor units."""
    currency: str
    """ISO 4217 code."""
    gateway_ref: str
    """The processor's reference; empty while it has returned none."""
    reason: str
    """Why it was declined, or why there is no answer; empty otherwise."""
    detail: str
    """A sentence that goes with it."""
    asks: int
    """How often the processor has been called."""
    created_at: datetime
    """When it was recorded, before any call."""
    asked_at: datetime | None
    """When the processor was first called; None when it was not."""
    next_ask_at: datetime | None
    """When it is called again; None once it is decided, or left to a person."""
    decided_at: datetime | None
    """When the processor did it or refused it."""


class AttemptList(msgspec.Struct, frozen=True, kw_only=True):
    """The attempts of one payment, oldest first."""

    attempts: list[AttemptRecord]


@request(
    "attempts.list",
    owner="gateway",
    published_by=("api",),
    reply=AttemptList,
    example=_TENANT | {"payment_intent_id": "0190f3a4-5b6c-7d8e-9f01-23456789abce"},
)
class ListAttempts(Message, frozen=True, kw_only=True):
    """Which operations did processors receive for this payment, and what came of it? Requested by the api."""

    tenant_id: str
    """The tenant."""
    payment_intent_id: UUID
    """The payment."""


class UnknownOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of which it is not known whether the processor has carried it out."""

    id: UUID
    """The attempt; as text, the idempotency key that the processor received."""
    payment_intent_id: UUID
    """The payment."""
    refund_id: UUID | None
    """The refund; None where it is about the payment itself."""
    operation: str
    """`authorize`, `capture`, `void`, `expire`, `refund` or `close`."""
    processor: str
    """Which processor: `sandbox`, `stripe`, or `stripe:` and a configuration."""
    status: str
    """What is known: `UNKNOWN`; or `PENDING`, `ACCEPTED`, `ACTION_REQUIRED`, where its end never came."""
    amount_minor: int
    """Amount in minor units."""
    currency: str
    """ISO 4217 code."""
    gateway_ref: str
    """The processor's reference; empty while it has returned none."""
    reason: str
    """Why there is no answer."""
    detail: str
    """A sentence that goes with it."""
    asks: int
    """How often the processor has been called."""
    created_at: datetime
    """Since when its outcome is awaited."""
    next_ask_at: datetime | None
    """When the gateway looks again; None where it is left to a person."""


class UnknownOutcomeList(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's operations without a known outcome, oldest first."""

    outcomes: list[UnknownOutcome]


@request("attempts.list_unknown", owner="gateway", published_by=("api",), reply=UnknownOutcomeList, example=_TENANT)
class ListUnknownOutcomes(Message, frozen=True, kw_only=True):
    """Of which operations of this tenant is the outcome not known? Requested by the api."""

    tenant_id: str
    """The tenant."""
    limit: int = 50
    """At most; 1 to 500."""


class CircuitReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one process of the gateway calls a processor, or one account at it."""

    process: str
    """The process: its host and number."""
    name: str
    """`sandbox` or `stripe`, or the account: `stripe` for the platform's, `stripe:` and a configuration for a tenant's."""
    is_account: bool
    """Whether it is about one account, and not the processor as a whole."""
    state: Literal["closed", "half_open", "open", "paused"]
    """`closed` (calls go out), `half_open` (one does, as a probe), `open` (none does) or `paused` (none, for it made too many)."""
    since: datetime | None
    """Since when calls do not go out."""
    until: datetime | None
    """When the next call goes out at the earliest."""
    waiting: int
    """Calls that wait for their turn."""
    per_second: float | None
    """How many calls a second this process makes at most to the account; None of a processor as a whole."""
    seen_at: datetime
    """When the process has reported it."""


class CircuitList(msgspec.Struct, frozen=True, kw_only=True):
    """What every process of the gateway has reported: processors as a whole, and accounts that are held up."""

    circuits: list[CircuitReport]


@request("circuits.list", owner="gateway", published_by=("api",), reply=CircuitList, example={})
class ListCircuits(Message, frozen=True, kw_only=True):
    """Which processors and accounts are called at the moment? Requested by the api, for operators of the platform."""


class ClientSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What the processor's client library needs to lead the customer on; it is passed on, and written down nowhere."""

    client_secret: str
    """The secret; empty where the processor waits for no customer."""
    action_url: str = ""
    """Where the customer is sent, with the secret that the address may carry; empty where nowhere."""

    def __repr__(self) -> str:
        """Show that there is one, never which."""
        return f"ClientSecret(known={bool(self.client_secret)})"


@request(
    "payments.client_secret",
    owner="gateway",
    published_by=("api",),
    reply=ClientSecret,
    example=_TENANT | {"payment_intent_id": "0190f3a4-5b6c-7d8e-9f01-23456789abce"},
)
class ReadClientSecret(Message, frozen=True, kw_only=True):
    """With which secret does the customer go on with this payment? Requested by the api for the tenant whose it is."""

    tenant_id: str
    """The tenant."""
    payment_intent_id: UUID
    """The payment."""


class ProcessorEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event that a processor sent, and what came of it."""

    id: str
    """The processor's id of it: `evt_...`."""
    processor: str
    """Which account sent it: `stripe`, or `stripe:` and a configuration."""
    type: str
    """The processor's name for it: `charge.dispute.created`."""
    status: str
    """`RECEIVED`, `HANDLED`, `IGNORED`, `UNMATCHED`, `CONTRADICTED` or `FAILED`."""
    reason: str
    """Why it is unmatched, contradicted or failed, as a word; empty otherwise."""
    payment_intent_id: UUID | None
    """The payment it is about, where we know it."""
    happened_at: datetime
    """When the processor says it happened."""
    received_at: datetime
    """When it came."""


class ProcessorEventList(msgspec.Struct, frozen=True, kw_only=True):
    """Events, newest first."""

    events: list[ProcessorEvent]


@request(
    "processor_events.list",
    owner="gateway",
    published_by=("api",),
    reply=ProcessorEventList,
    example=_TENANT | {"statuses": ["UNMATCHED"]},
)
class ListProcessorEvents(Message, frozen=True, kw_only=True):
    """Which events did processors send about this tenant, and which of them fit nothing? Requested by the api."""

    tenant_id: str
    """The tenant."""
    statuses: tuple[str, ...] = ()
    """These alone; empty: all."""
    limit: int = 50
    """At most; 1 to 500."""


class PaymentsOfReference(msgspec.Struct, frozen=True, kw_only=True):
    """The payments that a reference is about; empty where it is of none."""

    payment_intent_ids: list[UUID]


@request(
    "payments.find_by_reference",
    owner="gateway",
    published_by=("api",),
    reply=PaymentsOfReference,
    example=_TENANT | {"reference": "pi_3NqFb8example"},
)
class FindPaymentsByReference(Message, frozen=True, kw_only=True):
    """Which payments of this tenant does a processor's reference name? Requested by the api."""

    tenant_id: str
    """The tenant."""
    reference: str
    """What the processor calls a payment, charge, refund, dispute or balance transaction."""
