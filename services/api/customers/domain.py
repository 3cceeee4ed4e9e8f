"""What a customer is, and how it changes."""

from datetime import datetime
from uuid import UUID

import msgspec


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who pays a tenant more than once."""

    tenant_id: str
    """Whose customer."""
    id: UUID
    """UUIDv7, minted by us."""
    reference: str
    """The merchant's own reference, 1 to 128 characters; unique among the tenant's customers."""
    name: str | None
    """Up to 255 characters."""
    email: str | None
    """Up to 254 characters."""
    metadata: dict[str, str]
    """The merchant's own pairs: up to 50 keys of 40 characters, values of 500."""
    created_at: datetime
    """When the merchant created it."""
    updated_at: datetime
    """When it last changed."""


class CustomerFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which customers a list shows; None means all."""

    reference: str | None = None
    """Exactly this reference."""
    email: str | None = None
    """Exactly this address."""


def changed(customer: Customer, changes: dict[str, object], *, at: datetime) -> Customer:
    """Return a customer with what a merchant changes; the same one where nothing differs."""
    after = msgspec.structs.replace(customer, **changes)
    return customer if after == customer else msgspec.structs.replace(after, updated_at=at)
