"""Accounts at processors, and what processors have reported."""

from services.api.console.declared import Act, Column, Filter, Kind, Listing, Page

_CONFIG = {"config_id": "id"}

ACCOUNTS = Listing(
    operation="listGatewayConfigs",
    columns=(
        Column(member="processor", title="Processor"),
        Column(member="currencies", title="Currencies", kind=Kind.LIST),
        Column(member="connected_account", title="Connected account", kind=Kind.CODE),
        Column(member="secret_key_last4", title="Key ends in"),
        Column(member="webhook_secret_last4", title="Webhook secret ends in"),
        Column(member="webhook_path", title="Webhook path", kind=Kind.CODE, is_minor=True),
        Column(member="application_fee_bps", title="Fee in 1/100 %", is_minor=True),
        Column(member="updated_at", title="Changed", kind=Kind.TIME, is_minor=True),
    ),
    acts=(Act(operation="createGatewayConfig", title="New account"),),
    row_acts=(
        Act(operation="rotateGatewayKeys", title="New keys", path=_CONFIG),
        Act(operation="deleteGatewayConfig", title="Remove", path=_CONFIG, is_danger=True),
    ),
    empty="No account of your own: payments go through the account of the platform. Add one to charge through yours.",
)

EVENTS = Listing(
    operation="listGatewayEvents",
    filters=(
        Filter(
            name="status",
            title="Status",
            choices=("RECEIVED", "HANDLED", "IGNORED", "UNMATCHED", "CONTRADICTED", "FAILED"),
        ),
    ),
    fixed={"limit": "100"},
    columns=(
        Column(member="type", title="Event"),
        Column(member="status", title="Status", kind=Kind.STATE),
        Column(member="reason", title="Reason"),
        Column(
            member="payment_intent_id",
            title="Payment",
            kind=Kind.CODE,
            link="/console/payments/{payment_intent_id}",
        ),
        Column(member="processor", title="Processor", is_minor=True),
        Column(member="happened_at", title="Happened", kind=Kind.TIME, is_minor=True),
        Column(member="received_at", title="Received", kind=Kind.TIME),
        Column(member="id", title="ID", kind=Kind.CODE, is_minor=True),
    ),
    empty="Processors have reported nothing like this.",
)

OUTCOMES = Listing(
    operation="listUnknownOutcomes",
    fixed={"limit": "100"},
    columns=(
        Column(
            member="payment_intent_id",
            title="Payment",
            kind=Kind.CODE,
            link="/console/payments/{payment_intent_id}",
        ),
        Column(member="operation", title="Operation"),
        Column(member="amount", title="Amount", kind=Kind.MONEY),
        Column(member="status", title="Status", kind=Kind.STATE),
        Column(member="reason", title="Reason", is_minor=True),
        Column(member="created_at", title="Since", kind=Kind.TIME),
        Column(member="next_ask_at", title="Next look", kind=Kind.TIME),
        Column(member="is_left_to_person", title="An operator decides", kind=Kind.FLAG),
        Column(member="asks", title="Calls", kind=Kind.COUNT, is_minor=True),
        Column(member="processor", title="Processor", is_minor=True),
        Column(member="id", title="Attempt", kind=Kind.CODE, is_minor=True),
    ),
    empty="Processors have answered every call, or still may: nothing is to be done.",
)

PROCESSORS = Page(
    key="processors", title="Processors", needs="listGatewayConfigs", group="Payments", show=ACCOUNTS, letter="x"
)
"""Accounts at processors."""
PROCESSOR_EVENTS = Page(
    key="processor-events", title="Processor events", needs="listGatewayEvents", group="Payments", show=EVENTS
)
"""What processors have reported."""
UNKNOWN_OUTCOMES = Page(
    key="unknown-outcomes", title="Unknown outcomes", needs="listUnknownOutcomes", group="Payments", show=OUTCOMES
)
"""Operations of which it is not known whether the processor has carried them out."""
