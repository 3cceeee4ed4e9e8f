"""When the suite stated what of a tenant, so that events in any order lead to the same tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the columns; of the tenants that are there the suite has stated nothing."""
    for member in ("name", "plan", "region", "status"):
        comment = f"When the suite stated its {member}; NULL: never."
        op.add_column("tenants", sa.Column(f"{member}_stated_at", sa.DateTime(timezone=True), comment=comment))
