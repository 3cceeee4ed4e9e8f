"""Users who may not log in any more, policies without an exception for the region of a tenant, and roles that change."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add what is unset for all that is there; the runtime role may change roles from now on."""
    op.add_column(
        "users", sa.Column("disabled_at", sa.DateTime(timezone=True), comment="Since when it may not log in.")
    )
    op.add_column(
        "policies",
        sa.Column(
            "admits_home_region",
            sa.Boolean,
            nullable=False,
            server_default=sa.true(),
            comment="Whether a tenant is admitted with the region it carries, whatever the list says.",
        ),
    )
    op.execute("GRANT UPDATE ON roles TO api_app")
    op.execute("GRANT DELETE ON role_permissions TO api_app")
