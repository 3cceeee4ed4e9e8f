"""An authorization may charge a saved payment method of a customer."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0027"
down_revision = "0026"

_COLUMNS = (
    sa.Column("customer_id", pg.UUID, comment="The api's customer, where the payment is one's."),
    sa.Column("saved_method_id", pg.UUID, comment="The saved payment method that is charged; NULL: none is."),
    sa.Column(
        "processor_customer",
        sa.Text,
        nullable=False,
        server_default="",
        comment="The processor's customer who has it, or empty.",
    ),
    sa.Column(
        "off_session",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="Whether the customer is not there to prove anything.",
    ),
)


def upgrade() -> None:
    """Add the columns; what there is charges nothing that is saved."""
    for column in _COLUMNS:
        op.add_column("attempts", column)
