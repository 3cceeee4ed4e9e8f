"""The check of reasons holds for months that were closed before as well."""

from alembic import op

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    """Validate it: apart from where it was added, whose lock would be kept meanwhile."""
    op.execute("ALTER TABLE reconciliation_periods VALIDATE CONSTRAINT ck_reconciliation_periods_overridden")
