"""An attempt may also cancel a payment that was declined."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Name the operation where the others are."""
    op.execute(
        "COMMENT ON COLUMN attempts.operation IS 'What is asked: authorize, capture, void, expire, refund, close.'"
    )
