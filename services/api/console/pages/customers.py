"""Customers, and the payment methods that are saved of them."""

from services.api.console.declared import Act, Column, Detail, Filter, Kind, Listing, Page, Panel

_CUSTOMER = {"customer_id": "id"}

LIST = Listing(
    operation="listCustomers",
    filters=(Filter(name="reference", title="Reference"), Filter(name="email", title="Email")),
    columns=(
        Column(member="reference", title="Reference", link="/console/customers/{id}"),
        Column(member="name", title="Name"),
        Column(member="email", title="Email"),
        Column(member="created_at", title="Created", kind=Kind.TIME, is_minor=True),
    ),
    acts=(Act(operation="createCustomer", title="New customer"),),
    file=(
        Column(member="id"),
        Column(member="reference"),
        Column(member="name"),
        Column(member="email"),
        Column(member="created_at"),
    ),
    empty="No customer is like this. Clear the filters, or make a customer to save payment methods for.",
)

DETAIL = Detail(
    operation="getCustomer",
    parameter="customer_id",
    title="reference",
    fields=(
        Column(member="reference", title="Reference"),
        Column(member="name", title="Name"),
        Column(member="email", title="Email"),
        Column(member="id", title="ID", kind=Kind.CODE),
        Column(member="created_at", title="Created", kind=Kind.TIME),
        Column(member="updated_at", title="Updated", kind=Kind.TIME),
        Column(member="metadata", title="Metadata", kind=Kind.JSON),
    ),
    acts=(
        Act(
            operation="createPaymentIntent",
            title="New payment",
            path={"customer": "id", "customer_ref": "reference"},
        ),
        Act(operation="createSetupIntent", title="Save a payment method", path=_CUSTOMER),
        Act(operation="changeCustomer", title="Change", path=_CUSTOMER),
        Act(operation="deleteCustomer", title="Delete", path=_CUSTOMER, is_danger=True),
    ),
    panels=(
        Panel(
            title="Saved payment methods",
            operation="listSavedPaymentMethods",
            path=_CUSTOMER,
            columns=(
                Column(member="type", title="Type"),
                Column(member="brand", title="Brand"),
                Column(member="last4", title="Ends in"),
                Column(member="exp_month", title="Expiry month"),
                Column(member="exp_year", title="Expiry year"),
                Column(member="processor", title="Processor"),
                Column(member="created_at", title="Saved", kind=Kind.TIME, is_minor=True),
                Column(member="id", title="ID", kind=Kind.CODE),
            ),
            acts=(
                Act(
                    operation="createPaymentIntent",
                    title="Charge",
                    path={"customer": "customer", "payment_method": "id", "customer_ref": "reference"},
                ),
                Act(
                    operation="detachSavedPaymentMethod",
                    title="Remove",
                    path={"customer_id": "customer", "payment_method_id": "id"},
                    is_danger=True,
                ),
            ),
            empty="Nothing is saved. Save a payment method, or have the customer do so while they pay.",
        ),
        Panel(
            title="Payments with this reference",
            operation="listPaymentIntents",
            query={"customer_ref": "reference"},
            columns=(
                Column(member="amount", title="Amount", kind=Kind.MONEY, link="/console/payments/{id}"),
                Column(member="status", title="Status", kind=Kind.STATE),
                Column(member="order_id", title="Order", is_minor=True),
                Column(member="created_at", title="Created", kind=Kind.TIME),
            ),
            empty="No payment has this customer reference.",
        ),
    ),
)

CUSTOMERS = Page(
    key="customers", title="Customers", needs="listCustomers", group="Payments", show=LIST, one=DETAIL, letter="c"
)
"""Customers."""
