"""The states of disputes are valid in every row."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Read all rows, without the lock of the change before."""
    op.execute("ALTER TABLE disputes VALIDATE CONSTRAINT ck_disputes_state")
