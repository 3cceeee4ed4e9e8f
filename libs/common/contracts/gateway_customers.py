"""What a processor has of a customer: payment methods that are saved, and setups by which they are saved.

The api owns the customer. No message has a card's number: of a card its brand, its last four digits and its expiry are known.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from libs.common.contracts.base import Message, command, request

_TENANT = "00000000-0000-0000-0000-000000000002"
_CUSTOMER = {"tenant_id": _TENANT, "customer_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf1"}
_SETUP = _CUSTOMER | {"setup_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf2"}
_METHOD = _CUSTOMER | {"payment_method_id": "0190f3a4-5b6c-7d8e-9f01-23456789abf3"}


class SavedMethod(msgspec.Struct, frozen=True, kw_only=True):
    """A payment method that a processor keeps for a customer."""

    id: UUID
    """Our id of it."""
    customer_id: UUID
    """Whose it is."""
    type: str
    """`card`."""
    brand: str
    """The card's network: `visa`; empty where it is not a card."""
    last4: str
    """The end of the card's number."""
    exp_month: int
    """The last month in which it is valid; 0 where it is not a card."""
    exp_year: int
    """And its year."""
    processor: str
    """The account that has it, and alone can charge it."""
    created_at: datetime
    """When it was saved."""


class SavedMethodList(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's saved payment methods, newest first."""

    methods: list[SavedMethod]


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How far the saving of a payment method is."""

    id: UUID
    """The setup, minted by the api."""
    customer_id: UUID
    """Whose payment method is saved."""
    status: str
    """`REQUIRES_PAYMENT_METHOD`, `REQUIRES_ACTION`, `PROCESSING`, `SUCCEEDED` or `CANCELED`."""
    processor: str
    """The account that it is saved at."""
    payment_method_id: UUID | None = None
    """What was saved, once it is."""
    failure_code: str = ""
    """Why the last try failed, as a word; empty where it did not."""
    failure_message: str = ""
    """The same as a sentence."""
    created_at: datetime
    """When it was begun."""


class SetupSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What the processor's client library needs to save a payment method; it is passed on, and written down nowhere."""

    client_secret: str
    """The secret; empty where nothing is left to be done."""
    action_url: str = ""
    """Where the customer proves who they are instead; empty where the client library leads the way."""

    def __repr__(self) -> str:
        """Show that there is one, never which."""
        return f"SetupSecret(known={bool(self.client_secret)})"


class MethodDetached(msgspec.Struct, frozen=True, kw_only=True):
    """It is charged no more."""

    id: UUID


@request(
    "customers.start_setup",
    owner="gateway",
    published_by=("api",),
    reply=Setup,
    example=_SETUP | {"name": "Ana Souza", "email": "ana@example.com", "currency": "BRL"},
    timeout_seconds=18.0,
)
class StartSetup(Message, frozen=True, kw_only=True):
    """Begin to save a payment method of a customer. Requested by the api; the same id again goes on with the same setup."""

    tenant_id: str
    """The tenant."""
    customer_id: UUID
    """The api's customer."""
    setup_id: UUID
    """The new setup's id, minted by the api."""
    name: str = ""
    """What the processor's customer is called; empty: nothing."""
    email: str = ""
    """The address of the processor's customer; empty: none."""
    currency: str = ""
    """The currency that it will be charged in: it decides the account, as for payments; empty: the tenant's newest."""
    payment_method: str = ""
    """The processor's token of what is saved, at once; empty: the customer enters it in the processor's client library."""
    return_url: str = ""
    """Where the customer comes back to after proving who they are; empty: as the tenant's gateway is set."""


@request("customers.get_setup", owner="gateway", published_by=("api",), reply=Setup, example=_SETUP)
class GetSetup(Message, frozen=True, kw_only=True):
    """How far is a setup? Read from the processor while it is not over. Requested by the api."""

    tenant_id: str
    """The tenant."""
    customer_id: UUID
    """The customer."""
    setup_id: UUID
    """The setup."""


@request("customers.setup_secret", owner="gateway", published_by=("api",), reply=SetupSecret, example=_SETUP)
class ReadSetupSecret(Message, frozen=True, kw_only=True):
    """With which secret does the customer go on with a setup? Requested by the api for the tenant whose it is."""

    tenant_id: str
    """The tenant."""
    customer_id: UUID
    """The customer."""
    setup_id: UUID
    """The setup."""


@request("customers.list_methods", owner="gateway", published_by=("api",), reply=SavedMethodList, example=_CUSTOMER)
class ListSavedMethods(Message, frozen=True, kw_only=True):
    """Which payment methods of a customer are saved? Requested by the api."""

    tenant_id: str
    """The tenant."""
    customer_id: UUID
    """The customer."""


@request("customers.find_method", owner="gateway", published_by=("api",), reply=SavedMethod, example=_METHOD)
class FindSavedMethod(Message, frozen=True, kw_only=True):
    """Is this a saved payment method of this customer? Requested by the api before a payment names it."""

    tenant_id: str
    """The tenant."""
    customer_id: UUID
    """The customer."""
    payment_method_id: UUID
    """The payment method."""


@request(
    "customers.detach_method",
    owner="gateway",
    published_by=("api",),
    reply=MethodDetached,
    example=_METHOD,
    timeout_seconds=14.0,
)
class DetachSavedMethod(Message, frozen=True, kw_only=True):
    """Charge a saved payment method no more, and let the processor forget it. Requested by the api; again is success."""

    tenant_id: str
    """The tenant."""
    customer_id: UUID
    """The customer."""
    payment_method_id: UUID
    """The payment method."""


@command("customer.forget", owner="gateway", published_by=("api",), example={"customer_id": _CUSTOMER["customer_id"]})
class ForgetCustomer(Message, frozen=True, kw_only=True):
    """Let processors forget a customer and all that is saved of them. Published by the api when the customer is deleted;
    sent twice, it happens once."""

    customer_id: UUID
    """The customer."""


__all__ = [
    "DetachSavedMethod",
    "FindSavedMethod",
    "ForgetCustomer",
    "GetSetup",
    "ListSavedMethods",
    "MethodDetached",
    "ReadSetupSecret",
    "SavedMethod",
    "SavedMethodList",
    "Setup",
    "SetupSecret",
    "StartSetup",
]
