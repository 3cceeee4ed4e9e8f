"""REST shapes of customers: what clients send and see."""

from typing import Annotated

import msgspec

from libs.common.clock import iso
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


def render_customer(customer: Customer) -> bytes:
    """Write a customer as clients see it."""
    return _encoder.encode(customer_body(customer))
