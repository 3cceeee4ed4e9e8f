"""REST shapes of customers: what clients send and see."""

from typing import Annotated

import msgspec

from libs.common.clock import iso
from libs.common.contracts.gateway_customers import SavedMethod, Setup
from services.api.customers.domain import Customer

_encoder = msgspec.json.Encoder()

type _Reference = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=128, description="Your own reference of the customer, unique among your customers."
    ),
]
type _Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, description="A person's or a company's name.")]
type _Email = Annotated[
    str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+(?!\n)$", max_length=254, description="Where to write to.")
]
type _Metadata = Annotated[
    dict[Annotated[str, msgspec.Meta(min_length=1, max_length=40)], Annotated[str, msgspec.Meta(max_length=500)]],
    msgspec.Meta(max_length=50, description="Your own pairs: 50 keys of 40 characters, values of 500."),
]


class CreateCustomer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who pays more than once."""

    reference: _Reference
    name: _Name | None = None
    email: _Email | None = None
    metadata: _Metadata | None = None


class ChangeCustomer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes; members that are missing stay as they are, `null` clears `name` and `email`."""

    reference: _Reference | msgspec.UnsetType = msgspec.UNSET
    name: _Name | msgspec.UnsetType | None = msgspec.UNSET
    email: _Email | msgspec.UnsetType | None = msgspec.UNSET
    metadata: _Metadata | msgspec.UnsetType = msgspec.UNSET


class CustomerBody(msgspec.Struct, frozen=True, kw_only=True):
    """A customer as clients see it."""

    id: str
    reference: str
    name: str | None
    email: str | None
    metadata: dict[str, str]
    created_at: str
    updated_at: str


class StartSetupIntent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be saved; nothing is needed."""

    currency: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^[A-Z]{3}(?!\n)$",
                description="What it will be charged in: it decides the processor account, as for payments.",
            ),
        ]
        | None
    ) = None
    payment_method: (
        Annotated[
            str,
            msgspec.Meta(
                min_length=1,
                max_length=255,
                pattern=r"^[!-~]+(?!\n)$",
                description="The processor's token of what is saved at once; absent: the customer enters it in the "
                "processor's client library.",
            ),
        ]
        | None
    ) = None
    return_url: (
        Annotated[
            str,
            msgspec.Meta(
                max_length=2048,
                pattern=r"^https?://[!-~]+(?!\n)$",
                description="Where the customer comes back to after proving who they are.",
            ),
        ]
        | None
    ) = None


class SetupIntentBody(msgspec.Struct, frozen=True, kw_only=True):
    """How far the saving of a payment method is."""

    id: str
    customer: str
    status: Annotated[
        str,
        msgspec.Meta(
            description="`REQUIRES_PAYMENT_METHOD`, `REQUIRES_ACTION`, `PROCESSING`, `SUCCEEDED` or `CANCELED`."
        ),
    ]
    payment_method: Annotated[str, msgspec.Meta(description="What was saved, once it is.")] | None
    processor: Annotated[str, msgspec.Meta(description="The account that it is saved at.")]
    failure_code: Annotated[str, msgspec.Meta(description="Why the last try failed: `expired_card`.")] | None
    failure_message: str | None
    created_at: str


class SetupActionBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the customer does next, with what the processor's client library needs for it."""

    type: Annotated[str, msgspec.Meta(description="`redirect` or `use_stripe_sdk`.")]
    url: Annotated[str, msgspec.Meta(description="Where to send the customer; not with `use_stripe_sdk`.")] = ""
    client_secret: Annotated[
        str, msgspec.Meta(description="For the customer's own browser only: do not log or store it.")
    ] = ""


class SavedMethodBody(msgspec.Struct, frozen=True, kw_only=True):
    """A payment method that a processor keeps for a customer; no number of a card is known here."""

    id: str
    customer: str
    type: Annotated[str, msgspec.Meta(description="`card`.")]
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    processor: Annotated[str, msgspec.Meta(description="The account that has it; payments by it go there.")]
    created_at: str


class CustomerList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of customers, newest first."""

    data: list[CustomerBody]
    next_cursor: str | None


def customer_body(customer: Customer) -> CustomerBody:
    """Show a customer as clients see it."""
    return CustomerBody(
        id=str(customer.id),
        reference=customer.reference,
        name=customer.name,
        email=customer.email,
        metadata=customer.metadata,
        created_at=iso(customer.created_at),
        updated_at=iso(customer.updated_at),
    )


def setup_body(setup: Setup) -> SetupIntentBody:
    """Show a setup as clients see it."""
    return SetupIntentBody(
        id=str(setup.id),
        customer=str(setup.customer_id),
        status=setup.status,
        payment_method=None if setup.payment_method_id is None else str(setup.payment_method_id),
        processor=setup.processor,
        failure_code=setup.failure_code or None,
        failure_message=setup.failure_message or None,
        created_at=iso(setup.created_at),
    )


def method_body(method: SavedMethod) -> SavedMethodBody:
    """Show a saved payment method as clients see it."""
    return SavedMethodBody(
        id=str(method.id),
        customer=str(method.customer_id),
        type=method.type,
        brand=method.brand or None,
        last4=method.last4 or None,
        exp_month=method.exp_month or None,
        exp_year=method.exp_year or None,
        processor=method.processor,
        created_at=iso(method.created_at),
    )


def render_customer(customer: Customer) -> bytes:
    """Write a customer as clients see it."""
    return _encoder.encode(customer_body(customer))
