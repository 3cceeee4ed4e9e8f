"""Refunds and disputes are read as lists too."""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Take two more values; the next migration validates them, so that no writer waits."""
    op.execute("ALTER TABLE processor_readings DROP CONSTRAINT ck_processor_readings_list")
    op.execute(
        "ALTER TABLE processor_readings ADD CONSTRAINT ck_processor_readings_list CHECK (list IN ('movements', 'payouts', 'events', 'refunds', 'disputes')) NOT VALID"
    )
    op.execute(
        "COMMENT ON COLUMN processor_readings.list IS 'Which list is read: movements, payouts, events, refunds, disputes.'"
    )
