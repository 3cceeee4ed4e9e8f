"""What we remember of a customer at a processor: references, how far setups are, and what is saved. Pure."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from libs.common.contracts import gateway_customers as contract
from libs.common.ids import derived_id
from services.gateway.processors.port.saving import KeptMethod, SetupState, SetupStatus

KEY_LIFETIME = timedelta(hours=23)
"""How long a processor certainly remembers an idempotency key; afterwards a customer is searched for before it is made."""
AGAIN_AFTER = timedelta(minutes=10)
"""When a processor is called again that could not be called to forget something."""
_NO_SOURCE = UUID(int=0)


class KnownCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer of ours at one account."""

    tenant_id: str
    """Whose customer."""
    customer_id: UUID
    """The api's id."""
    processor: str
    """The account, as attempts name it."""
    customer_ref: str
    """The processor's reference; empty while it has given none."""
    created_at: datetime
    """When it was first to be made there."""
    deleted_at: datetime | None
    """When the merchant deleted the customer."""

    @property
    def idempotency_key(self) -> str:
        """The key under which the processor makes one customer, however often it is called."""
        return str(derived_id(self.customer_id, f"customer:{self.tenant_id}:{self.processor}"))


class KnownSetup(msgspec.Struct, frozen=True, kw_only=True):
    """A setup, as we remember it."""

    tenant_id: str
    """Whose customer it is for."""
    id: UUID
    """Minted by the api."""
    customer_id: UUID
    """Whose payment method is saved."""
    processor: str
    """The account that it is saved at."""
    setup_ref: str
    """The processor's reference; empty while it has given none."""
    status: SetupStatus
    """How far it is, as far as we know."""
    method_id: UUID | None
    """What was saved."""
    failure_code: str
    """Why the last try failed."""
    failure_message: str
    """The same as a sentence."""
    created_at: datetime
    """When it was begun."""


class KnownMethod(msgspec.Struct, frozen=True, kw_only=True):
    """A saved payment method."""

    tenant_id: str
    """Whose customer's."""
    id: UUID
    """From `method_id`: saved again, it is the same."""
    customer_id: UUID
    """Whose it is."""
    processor: str
    """The account that has it."""
    method_ref: str
    """The processor's reference."""
    type: str
    """`card`."""
    brand: str
    """The card's network."""
    last4: str
    """The end of its number."""
    exp_month: int
    """The last month in which it is valid."""
    exp_year: int
    """And its year."""
    created_at: datetime
    """When it was saved."""


class Chargeable(msgspec.Struct, frozen=True, kw_only=True):
    """What a processor is called with to charge a saved payment method."""

    processor: str
    """The account that has it."""
    method_ref: str
    """The processor's reference of it."""
    customer_ref: str
    """The processor's reference of the customer."""


def method_id(*, tenant_id: str, processor: str, ref: str) -> UUID:
    """Name a payment method that a processor keeps; the same one each time that it is reported."""
    return derived_id(derived_id(_NO_SOURCE, f"saved methods of {tenant_id}"), f"{processor}:{ref}")


def method_of(setup: KnownSetup, kept: KeptMethod, *, at: datetime) -> KnownMethod:
    """Return what a setup has saved."""
    return KnownMethod(
        tenant_id=setup.tenant_id,
        id=method_id(tenant_id=setup.tenant_id, processor=setup.processor, ref=kept.ref),
        customer_id=setup.customer_id,
        processor=setup.processor,
        method_ref=kept.ref,
        type=kept.type,
        brand=kept.brand,
        last4=kept.last4,
        exp_month=kept.exp_month,
        exp_year=kept.exp_year,
        created_at=at,
    )


def learnt(setup: KnownSetup, state: SetupState, method: KnownMethod | None) -> KnownSetup:
    """Return a setup as the processor shows it."""
    return msgspec.structs.replace(
        setup,
        setup_ref=state.ref,
        status=state.status,
        method_id=None if method is None else method.id,
        failure_code=state.failure_code,
        failure_message=state.failure_message,
    )


def shown_setup(setup: KnownSetup) -> contract.Setup:
    """Show a setup to the api."""
    return contract.Setup(
        id=setup.id,
        customer_id=setup.customer_id,
        status=setup.status,
        processor=setup.processor,
        payment_method_id=setup.method_id,
        failure_code=setup.failure_code,
        failure_message=setup.failure_message,
        created_at=setup.created_at,
    )


def shown_method(method: KnownMethod) -> contract.SavedMethod:
    """Show a saved payment method to the api, without the processor's reference."""
    return contract.SavedMethod(
        id=method.id,
        customer_id=method.customer_id,
        type=method.type,
        brand=method.brand,
        last4=method.last4,
        exp_month=method.exp_month,
        exp_year=method.exp_year,
        processor=method.processor,
        created_at=method.created_at,
    )
