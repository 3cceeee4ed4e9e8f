"""Payments: the list, and everything about one of them."""

from functools import partial

from services.api.console.declared import Act, Column, Detail, Filter, Kind, Listing, Page, Panel
from services.api.console.pages.payment import show_payment

_STATES = (
    "CREATED",
    "PROCESSING",
    "REQUIRES_ACTION",
    "AUTHORIZED",
    "SETTLED",
    "PARTIALLY_REFUNDED",
    "REFUNDED",
    "VOIDED",
    "FAILED",
    "EXPIRED",
)
_INTENT = {"intent_id": "id"}

LIST = Listing(
    operation="listPaymentIntents",
    filters=(
        Filter(name="status", title="Status", choices=_STATES),
        Filter(name="customer_ref_prefix", title="Customer reference begins with"),
        Filter(name="currency", title="Currency"),
        Filter(name="order_id", title="Order"),
        Filter(name="amount", title="Amount, in 30 days"),
        Filter(name="from", title="From", kind="date"),
        Filter(name="to", title="To", kind="date"),
    ),
    fixed={"pageSize": "25", "total": "false"},
    columns=(
        Column(member="amount", title="Amount", kind=Kind.MONEY, link="/console/payments/{id}"),
        Column(member="status", title="Status", kind=Kind.STATE),
        Column(member="customer_ref", title="Customer reference"),
        Column(member="order_id", title="Order", is_minor=True),
        Column(member="description", title="Description", is_minor=True),
        Column(member="created_at", title="Created", kind=Kind.TIME),
    ),
    acts=(Act(operation="createPaymentIntent", title="New payment"),),
    empty="No payment is like this. Clear the filters, or make a payment.",
    live="payments",
    bulk=(
        Act(operation="confirmPaymentIntent", title="Confirm"),
        Act(operation="capturePaymentIntent", title="Capture"),
        Act(operation="refundPaymentIntent", title="Refund", is_danger=True),
        Act(operation="voidPaymentIntent", title="Void", is_danger=True),
    ),
    file=tuple(
        Column(member=member)
        for member in (
            *("id", "status", "currency", "amount", "authorized_amount", "captured_amount", "refunded_amount"),
            *("disputed_amount", "customer_ref", "customer", "order_id", "description", "payment_method_type"),
            *("gateway_ref", "failure_code", "decline_code", "created_at", "updated_at"),
        )
    ),
)

DETAIL = Detail(
    operation="getPaymentIntent",
    parameter="intent_id",
    title="id",
    template="payment.html",
    query={"expand": "entries,events"},
    live="{id}",
    fields=(
        Column(member="status", title="Status", kind=Kind.STATE),
        Column(member="amount", title="Amount", kind=Kind.MONEY),
        Column(member="captured_amount", title="Captured", kind=Kind.MONEY),
        Column(member="refunded_amount", title="Refunded", kind=Kind.MONEY),
        Column(member="disputed_amount", title="Disputed", kind=Kind.MONEY),
        Column(member="customer_ref", title="Customer reference"),
        Column(member="customer", title="Customer", kind=Kind.CODE, link="/console/customers/{customer}"),
        Column(member="order_id", title="Order"),
        Column(member="description", title="Description"),
        Column(member="payment_method_type", title="Payment method"),
        Column(member="capture_method", title="Capture"),
        Column(member="gateway_ref", title="Reference at the processor", kind=Kind.CODE),
        Column(member="failure_code", title="Failure"),
        Column(member="failure_message", title="Message of the processor"),
        Column(member="decline_code", title="Decline code"),
        Column(member="advice_code", title="Advice"),
        Column(member="created_at", title="Created", kind=Kind.TIME),
        Column(member="updated_at", title="Updated", kind=Kind.TIME),
        Column(member="expires_at", title="Expires", kind=Kind.TIME),
        Column(member="id", title="ID", kind=Kind.CODE),
        Column(member="metadata", title="Metadata", kind=Kind.JSON),
    ),
    acts=(
        Act(
            operation="confirmPaymentIntent",
            title="Confirm",
            path=_INTENT,
            when=("status", ("CREATED", "FAILED")),
        ),
        Act(operation="capturePaymentIntent", title="Capture", path=_INTENT, when=("status", ("AUTHORIZED",))),
        Act(
            operation="refundPaymentIntent",
            title="Refund",
            path=_INTENT,
            when=("status", ("SETTLED", "PARTIALLY_REFUNDED")),
            is_danger=True,
        ),
        Act(
            operation="voidPaymentIntent",
            title="Void",
            path=_INTENT,
            when=("status", ("CREATED", "AUTHORIZED", "PROCESSING", "REQUIRES_ACTION")),
            is_danger=True,
        ),
    ),
    panels=(
        Panel(
            title="Attempts at the processor",
            operation="listPaymentIntentAttempts",
            path=_INTENT,
            columns=(
                Column(member="operation", title="Operation"),
                Column(member="status", title="Status", kind=Kind.STATE),
                Column(member="amount", title="Amount", kind=Kind.MONEY),
                Column(member="gateway_ref", title="Reference at the processor", kind=Kind.CODE),
                Column(member="reason", title="Reason"),
                Column(member="created_at", title="Created", kind=Kind.TIME, is_minor=True),
                Column(member="decided_at", title="Decided", kind=Kind.TIME, is_minor=True),
            ),
            empty="Nothing was requested of the processor yet.",
        ),
        Panel(
            title="Refunds",
            operation="listRefunds",
            path=_INTENT,
            columns=(
                Column(member="amount", title="Amount", kind=Kind.MONEY),
                Column(member="status", title="Status", kind=Kind.STATE),
                Column(member="reason", title="Reason"),
                Column(member="failure_message", title="Failure"),
                Column(member="gateway_ref", title="Reference at the processor", kind=Kind.CODE),
                Column(member="created_at", title="Created", kind=Kind.TIME),
            ),
            empty="Nothing was refunded.",
        ),
        Panel(
            title="Disputes",
            operation="listDisputes",
            path=_INTENT,
            columns=(
                Column(member="amount", title="Amount", kind=Kind.MONEY),
                Column(member="status", title="Status", kind=Kind.STATE),
                Column(member="reason", title="Reason"),
                Column(member="evidence_due_at", title="Evidence due", kind=Kind.TIME),
                Column(member="opened_at", title="Opened", kind=Kind.TIME),
            ),
            empty="Nobody disputes this payment.",
        ),
        Panel(
            title="Discrepancies",
            operation="listDiscrepancies",
            query={"payment_intent_id": "id"},
            columns=(
                Column(member="discrepancy_type", title="Type", link="/console/discrepancies/{id}"),
                Column(member="state", title="State", kind=Kind.STATE),
                Column(member="detail", title="Detail"),
                Column(member="created_at", title="First seen", kind=Kind.TIME),
            ),
            empty="Reconciliation found nothing wrong with it.",
        ),
    ),
)

PAYMENTS = Page(
    key="payments",
    title="Payments",
    needs="listPaymentIntents",
    group="Payments",
    show=LIST,
    one=partial(show_payment, DETAIL),
    letter="p",
)
