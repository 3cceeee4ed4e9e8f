"""Payment intents know how the customer pays, who pays, and what the customer has to do."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add the columns; everything before was paid by card."""
    for name, default, comment in (
        ("payment_method_type", "card", "How the customer pays."),
        ("billing_details", "", "Who pays, as JSON, or empty."),
    ):
        op.add_column(
            "payment_intents", sa.Column(name, sa.Text, nullable=False, server_default=default, comment=comment)
        )
    op.add_column(
        "payment_intents",
        sa.Column("next_action", sa.Text, comment="What the customer has to do, as JSON, while that is required."),
    )
