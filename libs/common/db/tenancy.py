"""For which tenant the database serves the task at hand: row-level security sees to it that it reads and writes no other's rows.

A request of a tenant runs as the role `<schema>_requests`, which the runtime role may become, with the tenant in the setting
`app.tenant`; both are set for one transaction, in the message that begins it. Everything else runs as the runtime role
itself, which the policies do not limit: consumers and workers, which handle many tenants in one transaction, and admission,
which has to find out whose a request is.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from libs.common.db.connections import Connection, PooledConnection

_tenant: ContextVar[str | None] = ContextVar("tenant of the database", default=None)


def limit_to(tenant_id: str) -> None:
    """Limit what the task at hand does from now on to the rows of one tenant; empty: to those that belong to none."""
    _tenant.set(tenant_id)


def lift() -> None:
    """Work for all tenants from now on: for a task that was begun by one request and works for others too."""
    _tenant.set(None)


@contextmanager
def limited_to(tenant_id: str) -> Iterator[None]:
    """Limit what is done inside the block to the rows of one tenant; empty: to those that belong to none."""
    token = _tenant.set(tenant_id)
    try:
        yield
    finally:
        _tenant.reset(token)


@contextmanager
def across_tenants() -> Iterator[None]:
    """Work for all tenants inside the block, in the midst of one tenant's request."""
    token = _tenant.set(None)
    try:
        yield
    finally:
        _tenant.reset(token)


@asynccontextmanager
async def lifted(tx: Connection) -> AsyncIterator[None]:
    """Let one tenant's transaction read and write the rows of all tenants inside the block; where it fails the transaction is over."""
    driver = getattr(tx, "_con", tx)
    assert isinstance(driver, PooledConnection)
    if not driver.opening:
        yield
        return
    await tx.execute("SET LOCAL ROLE NONE")
    yield
    await tx.execute(driver.opening)


def limit_of_task() -> str | None:
    """Return the tenant to which the task at hand is limited, None where it is not."""
    return _tenant.get()


def opening(schema: str, tenant_id: str) -> str:
    """Write what follows BEGIN in a transaction of one tenant; both settings end with it.

    The literal reads the same whatever `standard_conforming_strings` is.
    """
    literal = tenant_id.replace("\\", "\\\\").replace("'", "''")
    return f"SET LOCAL ROLE {schema}_requests;SET LOCAL app.tenant=E'{literal}';"
