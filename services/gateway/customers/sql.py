"""How we remember what processors keep of customers: the only SQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection, Database
from libs.common.db.statements import Statement, columns_of, reader_of, values_of
from services.gateway.customers.domain import Chargeable, KnownCustomer, KnownMethod, KnownSetup

_CUSTOMER, _SETUP, _METHOD = columns_of(KnownCustomer), columns_of(KnownSetup), columns_of(KnownMethod)
_customer, _setup, _method = reader_of(KnownCustomer), reader_of(KnownSetup), reader_of(KnownMethod)

# Until the end of the transaction: a setup and the deletion of its customer see each other, whichever is first.
_LOCK = Statement("SELECT pg_advisory_xact_lock(hashtextextended(:tenant_id || ':' || :customer_id::uuid::text, 0))")

# Before anything is made at a processor for a customer, under the lock.
_IS_DELETED = Statement("""
SELECT 1 FROM processor_customers
 WHERE customer_id = :customer_id AND tenant_id = :tenant_id AND deleted_at IS NOT NULL LIMIT 1
""")

# Again is no error: the row is read afterwards.
_ADD_CUSTOMER = Statement("""
INSERT INTO processor_customers (tenant_id, customer_id, processor, created_at)
VALUES (:tenant_id, :customer_id, :processor, :at) ON CONFLICT (customer_id, processor, tenant_id) DO NOTHING
""")

# By its primary key.
_GET_CUSTOMER = Statement(
    """
SELECT {columns} FROM processor_customers
 WHERE customer_id = :customer_id AND processor = :processor AND tenant_id = :tenant_id
""",
    columns=_CUSTOMER,
)

# Whoever is first counts: both have the same reference, since they called under one key.
_NAME_CUSTOMER = Statement("""
UPDATE processor_customers SET customer_ref = :ref
 WHERE customer_id = :customer.customer_id AND processor = :customer.processor AND tenant_id = :customer.tenant_id
   AND customer_ref = ''
""")

# The same setup again is no error: it goes on with the account that it was begun at.
_ADD_SETUP = Statement(
    "INSERT INTO payment_setups ({columns}, updated_at) VALUES ({values}, :setup.created_at) ON CONFLICT (id, tenant_id) DO NOTHING",
    columns=_SETUP,
    values=values_of("setup", KnownSetup),
)

# By tenant and customer too: whoever knows an id of another one's finds nothing.
_GET_SETUP = Statement(
    """
SELECT {columns} FROM payment_setups
 WHERE id = :setup_id AND tenant_id = :tenant_id AND (customer_id = :customer_id OR :customer_id::uuid IS NULL)
""",
    columns=_SETUP,
)

# What is over stays so, whatever an earlier reading or notice reports that comes late.
_RECORD_SETUP = Statement("""
UPDATE payment_setups
   SET setup_ref = :setup.setup_ref, status = :setup.status, method_id = :setup.method_id,
       failure_code = :setup.failure_code, failure_message = :setup.failure_message, updated_at = :at
 WHERE id = :setup.id AND tenant_id = :setup.tenant_id AND status NOT IN ('SUCCEEDED', 'CANCELED')
""")

# What is detached stays so. Of a customer who was deleted meanwhile it is saved as detached, and forgotten with them.
_SAVE_METHOD = Statement(
    """
INSERT INTO saved_methods ({columns}, detached_at)
SELECT {values}, (SELECT max(c.deleted_at) FROM processor_customers AS c
                   WHERE c.customer_id = :method.customer_id AND c.tenant_id = :method.tenant_id)
ON CONFLICT (id, tenant_id) DO NOTHING
""",
    columns=_METHOD,
    values=", ".join(
        f":method.{name}::{kind}"
        for name, kind in zip(
            KnownMethod.__struct_fields__,
            ("text", "uuid", "uuid", "text", "text", "text", "text", "text", "int", "int", "timestamptz"),
            strict=True,
        )
    ),
)

# By `ix_saved_methods_customer`.
_METHODS = Statement(
    """
SELECT {columns} FROM saved_methods WHERE customer_id = :customer_id AND tenant_id = :tenant_id AND detached_at IS NULL
 ORDER BY created_at DESC, id DESC LIMIT :limit
""",
    columns=_METHOD,
)

# By its primary key; of this customer alone, and only while it is attached.
_FIND_METHOD = Statement(
    """
SELECT {columns} FROM saved_methods
 WHERE id = :method_id AND tenant_id = :tenant_id AND customer_id = :customer_id AND detached_at IS NULL
""",
    columns=_METHOD,
)

# As `_FIND_METHOD`, with what the processor calls its customer.
_CHARGEABLE = Statement("""
SELECT m.processor, m.method_ref, c.customer_ref FROM saved_methods AS m
  JOIN processor_customers AS c
    ON c.customer_id = m.customer_id AND c.processor = m.processor AND c.tenant_id = m.tenant_id
 WHERE m.id = :method_id AND m.tenant_id = :tenant_id AND m.customer_id = :customer_id AND m.detached_at IS NULL
   AND c.customer_ref <> ''
""")

# The first time counts: again is success, and calls nobody who has forgotten it.
_DETACH = Statement(
    """
UPDATE saved_methods
   SET release_at = CASE WHEN detached_at IS NULL THEN :release_at ELSE release_at END, detached_at = coalesce(detached_at, :at)
 WHERE id = :method_id AND tenant_id = :tenant_id AND customer_id = :customer_id
RETURNING {columns}, release_at IS NOT NULL AS is_kept
""",
    columns=_METHOD,
)

# By `ix_saved_methods_ref`: the processor has forgotten it, so it is not called.
_GONE = Statement("""
UPDATE saved_methods SET detached_at = coalesce(detached_at, :at), release_at = NULL
 WHERE processor = :processor AND method_ref = :ref
""")

# With the next try written down before the call, so that one that always fails keeps nobody from their turn.
_CLAIM_METHODS = Statement(
    """
UPDATE saved_methods AS m SET release_at = :again_at
  FROM (SELECT id, tenant_id FROM saved_methods WHERE release_at <= :now ORDER BY release_at LIMIT :limit
           FOR UPDATE SKIP LOCKED) AS due
 WHERE m.id = due.id AND m.tenant_id = due.tenant_id
RETURNING {columns}
""",
    columns=", ".join(f"m.{name}" for name in KnownMethod.__struct_fields__),
)

# The processor has answered.
_RELEASED = Statement(
    "UPDATE saved_methods SET release_at = NULL WHERE id = :method.id AND tenant_id = :method.tenant_id"
)

# Under the lock: of all accounts that know the customer. One row says so where none does, for a setup that comes late.
_DELETE = Statement("""
WITH recorded AS (
    INSERT INTO processor_customers (tenant_id, customer_id, processor, created_at, deleted_at)
    VALUES (:tenant_id, :customer_id, '', :at, :at) ON CONFLICT (customer_id, processor, tenant_id) DO NOTHING
), methods AS (
    UPDATE saved_methods SET detached_at = coalesce(detached_at, :at)
     WHERE customer_id = :customer_id AND tenant_id = :tenant_id
)
UPDATE processor_customers SET deleted_at = :at, forget_at = :at
 WHERE customer_id = :customer_id AND tenant_id = :tenant_id AND processor <> '' AND deleted_at IS NULL
""")

# As `_CLAIM_METHODS`.
_CLAIM_CUSTOMERS = Statement(
    """
UPDATE processor_customers AS c SET forget_at = :again_at
  FROM (SELECT customer_id, processor, tenant_id FROM processor_customers WHERE forget_at <= :now
         ORDER BY forget_at LIMIT :limit FOR UPDATE SKIP LOCKED) AS due
 WHERE c.customer_id = due.customer_id AND c.processor = due.processor AND c.tenant_id = due.tenant_id
RETURNING {columns}
""",
    columns=", ".join(f"c.{name}" for name in KnownCustomer.__struct_fields__),
)

# The processor has forgotten the customer, and all that was attached.
_FORGOTTEN = Statement("""
WITH methods AS (
    UPDATE saved_methods SET release_at = NULL
     WHERE customer_id = :customer.customer_id AND tenant_id = :customer.tenant_id AND processor = :customer.processor
)
UPDATE processor_customers SET forget_at = NULL
 WHERE customer_id = :customer.customer_id AND processor = :customer.processor AND tenant_id = :customer.tenant_id
""")


async def open_setup(database: Database, setup: KnownSetup) -> tuple[KnownSetup, KnownCustomer] | None:
    """Write a setup and its customer down, or find them as they stand; None when the customer was deleted, or the
    setup is another one's."""
    who = {"tenant_id": setup.tenant_id, "customer_id": setup.customer_id}
    async with database.transaction() as tx:
        await _LOCK.fetch(tx, **who)
        if await _IS_DELETED.fetchrow(tx, **who) is not None:
            return None
        await _ADD_SETUP.execute(tx, setup=setup)
        row = await _GET_SETUP.fetchrow(tx, setup_id=setup.id, **who)
        if row is None:
            return None
        known = _setup(row)
        await _ADD_CUSTOMER.execute(tx, processor=known.processor, at=setup.created_at, **who)
        customer = await _GET_CUSTOMER.fetchrow(tx, processor=known.processor, **who)
        assert customer is not None, "it was added in this transaction"
    return known, _customer(customer)


async def name_customer(database: Database, customer: KnownCustomer, ref: str) -> None:
    """Write down what the processor calls a customer."""
    async with database.transaction() as tx:
        await _NAME_CUSTOMER.execute(tx, customer=customer, ref=ref)


async def setup(
    database: Database, tenant_id: str, setup_id: UUID, *, customer_id: UUID | None = None
) -> KnownSetup | None:
    """Read a setup; of this customer, where one is named."""
    row = await _GET_SETUP.fetchrow(database, setup_id=setup_id, tenant_id=tenant_id, customer_id=customer_id)
    return None if row is None else _setup(row)


async def record(database: Database, setup: KnownSetup, method: KnownMethod | None, *, at: datetime) -> KnownSetup:
    """Write down how a setup stands, and what it has saved; returns it as it is remembered."""
    async with database.transaction() as tx:
        await _LOCK.fetch(tx, tenant_id=setup.tenant_id, customer_id=setup.customer_id)
        if method is not None:
            await _SAVE_METHOD.execute(tx, method=method)
        await _RECORD_SETUP.execute(tx, setup=setup, at=at)
        row = await _GET_SETUP.fetchrow(tx, setup_id=setup.id, tenant_id=setup.tenant_id, customer_id=setup.customer_id)
    assert row is not None, "nothing removes a setup"
    return _setup(row)


async def methods(database: Database, tenant_id: str, customer_id: UUID, *, limit: int) -> list[KnownMethod]:
    """Read what is saved of a customer, newest first."""
    rows = await _METHODS.fetch(database, tenant_id=tenant_id, customer_id=customer_id, limit=limit)
    return [_method(row) for row in rows]


async def method(database: Database, tenant_id: str, customer_id: UUID, method_id: UUID) -> KnownMethod | None:
    """Read one saved payment method of a customer; None where there is none, or it is detached."""
    row = await _FIND_METHOD.fetchrow(database, tenant_id=tenant_id, customer_id=customer_id, method_id=method_id)
    return None if row is None else _method(row)


async def chargeable(database: Database, tenant_id: str, customer_id: UUID, method_id: UUID) -> Chargeable | None:
    """Read with what a saved payment method is charged; None where there is none, or it is detached."""
    row = await _CHARGEABLE.fetchrow(database, tenant_id=tenant_id, customer_id=customer_id, method_id=method_id)
    return None if row is None else Chargeable(**dict(row))


async def detach(
    database: Database, tenant_id: str, customer_id: UUID, method_id: UUID, *, at: datetime, release_at: datetime
) -> tuple[KnownMethod, bool] | None:
    """Charge a method no more, and let the processor be called at `release_at`; None where there is none.

    Returns whether the processor still keeps it, too.
    """
    async with database.transaction() as tx:
        row = await _DETACH.fetchrow(
            tx,
            tenant_id=tenant_id,
            customer_id=customer_id,
            method_id=method_id,
            at=at,
            release_at=release_at,
        )
    return None if row is None else (_method(row), bool(row["is_kept"]))


async def claim_methods(database: Database, *, now: datetime, again_at: datetime, limit: int) -> list[KnownMethod]:
    """Read detached methods that their processors are to forget; they are due again at `again_at`."""
    async with database.transaction() as tx:
        rows = await _CLAIM_METHODS.fetch(tx, now=now, again_at=again_at, limit=limit)
    return [_method(row) for row in rows]


async def released(database: Database, method: KnownMethod) -> None:
    """Note that the processor has forgotten a method."""
    async with database.transaction() as tx:
        await _RELEASED.execute(tx, method=method)


async def gone(database: Database, processor: str, ref: str, *, at: datetime) -> bool:
    """Note that a method was detached at the processor; False where it is none of ours."""
    async with database.transaction() as tx:
        return await _GONE.execute(tx, processor=processor, ref=ref, at=at) > 0


async def claim_customers(database: Database, *, now: datetime, again_at: datetime, limit: int) -> list[KnownCustomer]:
    """Read deleted customers that their processors are to forget; they are due again at `again_at`."""
    async with database.transaction() as tx:
        rows = await _CLAIM_CUSTOMERS.fetch(tx, now=now, again_at=again_at, limit=limit)
    return [_customer(row) for row in rows]


async def forgotten(database: Database, customer: KnownCustomer) -> None:
    """Note that a processor has forgotten a customer."""
    async with database.transaction() as tx:
        await _FORGOTTEN.execute(tx, customer=customer)


async def delete(tx: Connection, customers: Sequence[tuple[str, UUID]], *, at: datetime) -> None:
    """Note that customers (tenant, id) were deleted: nothing of them is charged from now on, and processors are to forget them."""
    for tenant_id, customer_id in sorted(customers, key=str):
        await _LOCK.fetch(tx, tenant_id=tenant_id, customer_id=customer_id)
        await _DELETE.execute(tx, tenant_id=tenant_id, customer_id=customer_id, at=at)
