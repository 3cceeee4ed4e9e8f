"""Which payment method a request names: a token of the processor, or one that is saved of a customer."""

from uuid import UUID

from libs.common.contracts.gateway_customers import FindSavedMethod
from libs.common.db import Database
from libs.common.errors import NotFound
from libs.common.ids import parse_id
from services.api.customers import queries as customers
from services.api.errors import CustomerNotFound, CustomerRequired, CustomerUnknown, PaymentMethodNotOfCustomer
from services.api.http.requests import Ask


def saved_method(*, payment_method: str | None, off_session: bool | None, customer_id: UUID | None) -> UUID | None:
    """Read which saved payment method is charged; no token of a processor is a UUID.

    Raises:
        CustomerRequired: for a saved payment method without its customer, or nobody to charge off session.
    """
    named = parse_id(payment_method or "")
    if named is not None and customer_id is None:
        raise CustomerRequired("a saved payment method is charged for its customer", "customer")
    if off_session and named is None:
        raise CustomerRequired("only a saved payment method is charged off session", "off_session")
    return named


async def require_customer(
    database: Database, ask: Ask, *, tenant_id: str, customer_id: UUID | None, saved_method_id: UUID | None
) -> None:
    """Refuse a customer or a saved payment method of somebody else, each by its name.

    Raises:
        CustomerUnknown: when the tenant has no such customer.
        PaymentMethodNotOfCustomer: when it is not saved of this customer.
    """
    if customer_id is None:
        return
    try:
        await customers.get(database, tenant_id, customer_id)
        if saved_method_id is not None:
            await ask(FindSavedMethod(tenant_id=tenant_id, customer_id=customer_id, payment_method_id=saved_method_id))
    except CustomerNotFound as fault:
        raise CustomerUnknown from fault
    except NotFound as fault:
        raise PaymentMethodNotOfCustomer from fault
