"""What operators did by command.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operator_actions",
        sa.Column("id", pg.UUID(), nullable=False, comment="UUIDv7."),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When."),
        sa.Column("actor", sa.Text(), nullable=False, comment="Who, as the machine knows them."),
        sa.Column("action", sa.Text(), nullable=False, comment="What was done: refused.given_up, refused.retried."),
        sa.Column("subject", sa.Text(), nullable=False, comment="To what: the destination."),
        sa.Column("detail", sa.Text(), nullable=False, comment="JSON: the reason, how many messages, and their ids."),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("GRANT SELECT, INSERT ON operator_actions TO ledger_app")


def downgrade() -> None:
    raise NotImplementedError("history is not taken back; write a new migration")
