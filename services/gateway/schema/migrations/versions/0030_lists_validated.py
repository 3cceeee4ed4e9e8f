"""The kinds of lists are valid in every row."""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Read all rows, without the lock of the change before."""
    op.execute("ALTER TABLE processor_readings VALIDATE CONSTRAINT ck_processor_readings_list")
