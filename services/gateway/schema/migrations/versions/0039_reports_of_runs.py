"""The report of a run is kept with it."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    """Add the column; runs of before have no report."""
    op.add_column(
        "reconciliation_runs",
        sa.Column("report", sa.Text, comment="Its report, as JSON, made when it was complete; NULL: it is not."),
    )
