"""Nobody has decided about what a key of theirs proposed, in any row."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Read all rows, without the lock of the change before."""
    op.execute("ALTER TABLE proposals VALIDATE CONSTRAINT ck_proposals_responsible")
