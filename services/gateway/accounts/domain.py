"""Through which processor account a tenant charges: what a configuration is, and which one a payment takes. Pure."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from libs.common.contracts.gateway_errors import ProcessorAccountChanged
from libs.common.contracts.gateway_requests import GatewayConfig


class ProcessorKind(StrEnum):
    """The processors that there are adapters for."""

    SANDBOX = "sandbox"
    """Moves no money."""
    STRIPE = "stripe"
    """Stripe."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration, as we remember it."""

    tenant_id: str
    """Who charges this way."""
    id: UUID
    """The configuration."""
    processor: ProcessorKind
    """Which adapter."""
    currencies: tuple[str, ...]
    """ISO 4217 codes that go this way; empty: all."""
    sealed_key: bytes
    """The secret key, sealed; empty for the sandbox."""
    key_last4: str
    """Its end."""
    sealed_webhook_secrets: tuple[bytes, ...]
    """The webhook secrets, sealed: the current one, then the one before it."""
    webhook_last4: str
    """The end of the current one."""
    payment_method: str
    """What is charged where a payment names nothing."""
    return_url: str
    """Where customers come back to."""
    connected_account: str = ""
    """The account that is connected to the platform, through whose key it is charged; empty: it has a key of its own."""
    application_fee_bps: int = 0
    """What the platform takes of each capture, in hundredths of a percent."""
    application_fee_minor: int = 0
    """And in minor units of the payment's currency."""
    refund_application_fee: bool = False
    """Whether the platform gives the same part of it back with a refund."""
    created_at: datetime
    """When it was added."""
    updated_at: datetime
    """When it last changed."""
    deleted_at: datetime | None = None
    """From when on no new payment goes this way."""

    @property
    def name(self) -> str:
        """The processor's name in attempts: the account is part of it, since only that one knows the key."""
        return self.processor if self.processor is ProcessorKind.SANDBOX else account_name(self.id)


class Ownership(msgspec.Struct, frozen=True, kw_only=True):
    """Who charges through a Stripe account."""

    account_id: str
    """Stripe's id of the account: `acct_...`."""
    is_live: bool
    """Live or test mode."""
    tenant_id: str
    """Whose it is."""
    processor: str
    """Its name in attempts."""


PAUSED = "paused"
"""The state of an account that has made too many calls, beside those of circuits."""


class CircuitSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this process calls a processor, or one account at it."""

    name: str
    """The processor, or the account."""
    is_account: bool
    """Whether it is one account."""
    state: str
    """A state of a circuit, or `paused`."""
    since: datetime | None
    """Since when calls do not go out."""
    until: datetime | None
    """When the next one does at the earliest."""
    waiting: int
    """Calls that wait for their turn."""
    per_second: float | None
    """Calls a second that this process makes at most to an account."""


def is_live(secret_key: str) -> bool:
    """Return the mode of a key of Stripe."""
    return secret_key.partition("_")[2].startswith("live_")


def of_another_account() -> ProcessorAccountChanged:
    """Refuse a key of another account or mode: every payment that went this way would be unknown to it."""
    sentence = "must be a key of the same Stripe account and mode as before; add a configuration for another one"
    return ProcessorAccountChanged(f"secret_key {sentence}", errors=(("/secret_key", sentence),))


def account_name(config_id: UUID) -> str:
    """Name the Stripe account of a configuration."""
    return f"{ProcessorKind.STRIPE}:{config_id}"


def config_of(name: str) -> UUID | None:
    """Read the configuration out of a processor's name; None for the platform's own account and for the sandbox."""
    kind, _, rest = name.partition(":")
    if kind != ProcessorKind.STRIPE or not rest:
        return None
    try:
        return UUID(rest)
    except ValueError:
        return None


def kind_of(name: str) -> ProcessorKind | None:
    """Read the kind of processor out of its name; None for one that there is no adapter for."""
    try:
        return ProcessorKind(name.partition(":")[0])
    except ValueError:
        return None


def route(configs: Sequence[Config], *, currency: str, default: str) -> str:
    """Choose the processor for a payment: the newest that names its currency, else the newest that names none; for what is
    saved without a currency the newest of all.

    `configs` are a tenant's, newest first; `default` is the platform's own.
    """
    active = [config for config in configs if config.deleted_at is None]
    if not currency and active:
        return active[0].name
    named = next((config for config in active if currency in config.currencies), None)
    chosen = named or next((config for config in active if not config.currencies), None)
    return default if chosen is None else chosen.name


def shown(config: Config) -> GatewayConfig:
    """Show a configuration without its keys."""
    return GatewayConfig(
        id=config.id,
        processor=config.processor,
        currencies=list(config.currencies),
        secret_key_last4=config.key_last4,
        webhook_secret_last4=config.webhook_last4,
        payment_method=config.payment_method,
        return_url=config.return_url,
        webhook_path=_webhook_path(config),
        connected_account=config.connected_account,
        application_fee_bps=config.application_fee_bps,
        application_fee_minor=config.application_fee_minor,
        refund_application_fee=config.refund_application_fee,
        created_at=config.created_at,
        updated_at=config.updated_at,
    )


def _webhook_path(config: Config) -> str:
    if config.processor is not ProcessorKind.STRIPE:
        return ""
    return f"/webhooks/stripe/{'connect' if config.connected_account else config.id}"
