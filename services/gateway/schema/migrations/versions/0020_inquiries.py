"""Inquiries of banks are kept beside disputes, which they may become."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Take two more values; the next migration validates them, so that no writer waits."""
    op.execute("ALTER TABLE disputes DROP CONSTRAINT ck_disputes_state")
    op.execute(
        "ALTER TABLE disputes ADD CONSTRAINT ck_disputes_state CHECK (state IN ('open', 'won', 'lost', 'inquiry', 'inquiry_closed')) NOT VALID"
    )
    op.execute("COMMENT ON COLUMN disputes.state IS 'How far it is: open, won, lost, inquiry, inquiry_closed.'")
    op.execute("COMMENT ON COLUMN disputes.decided_at IS 'When it was won, lost, or closed; NULL while it is open.'")
