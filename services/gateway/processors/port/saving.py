"""The port to what a processor keeps of customers: who they are there, and the payment methods that are saved.

Beside `Processor`, which moves money. Everything here bears to be repeated: under its key, or because it is a reading.
"""

from enum import StrEnum
from typing import Protocol
from uuid import UUID

import msgspec


class SetupStatus(StrEnum):
    """How far a setup is at the processor."""

    REQUIRES_PAYMENT_METHOD = "REQUIRES_PAYMENT_METHOD"
    """The customer has to enter one, for the first time or anew."""
    REQUIRES_ACTION = "REQUIRES_ACTION"
    """The customer must prove who they are."""
    PROCESSING = "PROCESSING"
    """The processor works on it, or has not answered yet."""
    SUCCEEDED = "SUCCEEDED"
    """The payment method is saved."""
    CANCELED = "CANCELED"
    """It was cancelled."""

    @property
    def is_over(self) -> bool:
        """Whether it stays so."""
        return self in (SetupStatus.SUCCEEDED, SetupStatus.CANCELED)


class KeptMethod(msgspec.Struct, frozen=True, kw_only=True):
    """A payment method as the processor keeps it; nothing of it can be charged elsewhere."""

    ref: str
    """The processor's reference of it."""
    type: str
    """`card`."""
    brand: str = ""
    """The card's network."""
    last4: str = ""
    """The end of its number."""
    exp_month: int = 0
    """The last month in which it is valid."""
    exp_year: int = 0
    """And its year."""


class SetupState(msgspec.Struct, frozen=True, kw_only=True):
    """How a setup stands at the processor."""

    ref: str
    """The processor's reference of it."""
    status: SetupStatus
    """How far it is."""
    method: KeptMethod | None = None
    """What is saved, once it is."""
    failure_code: str = ""
    """Why the last try failed, as a word."""
    failure_message: str = ""
    """The same as a sentence."""
    action_url: str = ""
    """Where the customer proves who they are; empty where the client library leads the way."""
    client_secret: str = ""
    """With which the customer goes on; never written down."""

    def __repr__(self) -> str:
        """Show how far it is, and no secret."""
        return f"SetupState({self.ref!r}, {self.status})"


class SetupRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be saved for whom."""

    tenant_id: str
    """The tenant."""
    customer_id: UUID
    """Our customer."""
    setup_id: UUID
    """Our setup; as text, the idempotency key."""
    customer_ref: str
    """The processor's customer."""
    payment_method: str = ""
    """The processor's token of what is saved at once; empty: the customer enters it."""
    return_url: str = ""
    """Where the customer comes back to."""


class NewCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be known to the processor."""

    tenant_id: str
    """The tenant."""
    customer_id: UUID
    """Our customer."""
    name: str
    """Empty: none."""
    email: str
    """Empty: none."""
    idempotency_key: str
    """Called again with it, the processor makes one customer."""


class Vault(Protocol):
    """What one account keeps of customers.

    Every method raises ProcessorUnavailable when the processor has not answered what became of the call.
    """

    async def create_customer(self, new: NewCustomer) -> str:
        """Make a customer; returns the processor's reference.

        Raises:
            SetupRefused: when the processor refuses what the customer is called.
        """
        ...

    async def find_customer(self, *, customer_id: UUID) -> str:
        """Search for the customer that was made for ours; empty where there is none."""
        ...

    async def delete_customer(self, ref: str) -> None:
        """Let the processor forget a customer and all that is attached; one that is gone is forgotten."""
        ...

    async def start_setup(self, request: SetupRequest) -> SetupState:
        """Begin a setup, under its id as the key.

        Raises:
            SetupRefused: when the processor refuses what is requested.
        """
        ...

    async def read_setup(self, ref: str) -> SetupState:
        """Read how a setup stands."""
        ...

    async def detach(self, ref: str) -> None:
        """Let the processor forget a payment method; one that is gone is forgotten."""
        ...
