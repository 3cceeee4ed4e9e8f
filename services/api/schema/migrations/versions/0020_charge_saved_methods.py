"""A payment may charge a saved payment method of a customer."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0020"
down_revision = "0019"

_COLUMNS = (
    sa.Column("customer_id", pg.UUID, comment="The customer whose payment it is, or NULL."),
    sa.Column("saved_method_id", pg.UUID, comment="The customer's saved payment method that is charged, or NULL."),
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
        op.add_column("payment_intents", column)
