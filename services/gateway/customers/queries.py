"""Reads of what is saved of customers."""

from libs.common.contracts.gateway_customers import FindSavedMethod, ListSavedMethods, SavedMethod, SavedMethodList
from libs.common.contracts.gateway_errors import SavedMethodNotFound
from libs.common.db import Database
from services.gateway.customers import sql
from services.gateway.customers.domain import shown_method

_METHODS_MAX = 200
"""Payment methods of one customer that are shown: Stripe lets 200 cards be attached."""


async def list_methods(database: Database, request: ListSavedMethods) -> SavedMethodList:
    """List what is saved of a customer, newest first."""
    found = await sql.methods(database, request.tenant_id, request.customer_id, limit=_METHODS_MAX)
    return SavedMethodList(methods=[shown_method(method) for method in found])


async def find_method(database: Database, request: FindSavedMethod) -> SavedMethod:
    """Read one saved payment method.

    Raises:
        SavedMethodNotFound: when the customer has none of this id, or it is detached.
    """
    found = await sql.method(database, request.tenant_id, request.customer_id, request.payment_method_id)
    if found is None:
        raise SavedMethodNotFound
    return shown_method(found)
