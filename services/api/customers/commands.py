"""Customers are created, changed and deleted: each in one transaction with its key and its line of the audit log."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway_customers import ForgetCustomer
from libs.common.db import Connection, Database, run_again
from libs.common.ids import new_id
from libs.common.messaging import Publication, publish
from libs.common.observability.correlation import Correlation
from services.api.audit import AuditRecord, write_line
from services.api.customers import sql
from services.api.customers.domain import Customer, changed
from services.api.errors import CustomerNotFound, CustomerReferenceTaken
from services.api.idempotency import Answer, Claim, keys

_OK, _CREATED, _DELETED = 200, 201, 204


class NewCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant requests, already validated."""

    reference: str
    """1 to 128 characters."""
    name: str | None
    """Up to 255 characters."""
    email: str | None
    """Up to 254 characters."""
    metadata: dict[str, str]
    """Up to 50 pairs."""


class By(msgspec.Struct, frozen=True, kw_only=True):
    """Who requests a change, and how the audit log calls it."""

    tenant_id: str
    """The tenant that it is for."""
    actor: str
    """Subject of the token."""
    correlation: Correlation
    """The request."""
    action: str
    """What the audit log calls it."""


class Customers:
    """Decides about customers. Each command answers None when another request holds its key."""

    def __init__(self, database: Database, *, clock: Clock, render: Callable[[Customer], bytes]) -> None:
        self._database = database
        self._clock = clock
        self._render = render

    async def create(self, new: NewCustomer, *, by: By, claim: Claim | None) -> Answer | None:
        """Create a customer.

        Raises:
            CustomerReferenceTaken: when another customer of the tenant has the reference.
        """
        now = self._clock.now()
        customer = Customer(
            tenant_id=by.tenant_id, id=new_id(now), created_at=now, updated_at=now, **msgspec.structs.asdict(new)
        )

        async def write(tx: Connection) -> Answer:
            if not await sql.insert(tx, customer):
                raise CustomerReferenceTaken(new.reference)
            await self._record(tx, customer.id, by)
            return Answer(_CREATED, self._render(customer))

        return await self._once(customer.id, claim, write)

    async def change(
        self, customer_id: UUID, changes: dict[str, object], *, by: By, claim: Claim | None
    ) -> Answer | None:
        """Change a customer; members that are not named stay as they are.

        Raises:
            CustomerNotFound: when the tenant has no such customer.
            CustomerReferenceTaken: when another customer of the tenant has the reference.
        """

        async def write(tx: Connection) -> Answer:
            before = await sql.lock(tx, by.tenant_id, customer_id)
            if before is None:
                raise CustomerNotFound
            after = changed(before, changes, at=self._clock.now())
            if after != before:
                if not await sql.update(tx, after):
                    raise CustomerReferenceTaken(after.reference)
                # Which members, not what they were: the log outlives the customer.
                await self._record(tx, customer_id, by, changed=",".join(sorted(changes)))
            return Answer(_OK, self._render(after))

        return await self._once(customer_id, claim, write)

    async def delete(self, customer_id: UUID, *, by: By, claim: Claim | None) -> Answer | None:
        """Delete a customer and erase what names a person.

        Raises:
            CustomerNotFound: when the tenant has no such customer.
        """

        async def write(tx: Connection) -> Answer:
            if not await sql.delete(tx, by.tenant_id, customer_id, at=self._clock.now()):
                raise CustomerNotFound
            await self._record(tx, customer_id, by)
            # The gateway learns it in the same commit: what is saved of the customer is charged no more, and forgotten.
            message = ForgetCustomer(customer_id=customer_id)
            await publish(tx, [Publication.of(message, occurred_at=self._clock.now(), correlation=by.correlation)])
            return Answer(_DELETED, b"")

        return await self._once(customer_id, claim, write)

    async def _once(
        self, subject: UUID, claim: Claim | None, write: Callable[[Connection], Awaitable[Answer]]
    ) -> Answer | None:
        async def commit() -> Answer | None:
            async with self._database.transaction() as tx:
                if claim is None:
                    return await write(tx)
                if not await keys.claim_within(tx, claim, subject_id=subject):
                    return None
                answer = await write(tx)
                await keys.complete_within(tx, claim, answer, at=self._clock.now())
            return answer

        return await run_again(commit)

    async def _record(self, tx: Connection, customer_id: UUID, by: By, **detail: str) -> None:
        now = self._clock.now()
        await write_line(
            tx,
            AuditRecord(
                tenant_id=by.tenant_id,
                id=new_id(now),
                actor=by.actor,
                action=by.action,
                target=str(customer_id),
                outcome="success",
                detail=detail,
                correlation_id=by.correlation.correlation_id,
                at=now,
            ),
        )
