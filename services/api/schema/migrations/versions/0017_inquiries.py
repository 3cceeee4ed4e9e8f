"""Inquiries of banks are kept beside disputes, which they may become."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Take two more values; the next migration validates them, so that no writer waits."""
    op.execute("ALTER TABLE disputes DROP CONSTRAINT ck_disputes_status")
    op.execute(
        "ALTER TABLE disputes ADD CONSTRAINT ck_disputes_status CHECK (status IN ('OPEN', 'WON', 'LOST', 'INQUIRY', 'INQUIRY_CLOSED')) NOT VALID"
    )
    op.execute("COMMENT ON COLUMN disputes.status IS 'OPEN, WON, LOST, INQUIRY or INQUIRY_CLOSED.'")
