"""The check of the other side's currency holds for matches of before as well."""

from alembic import op

revision = "0054"
down_revision = "0053"


def upgrade() -> None:
    """Validate it: apart from where it was added, whose lock would be kept meanwhile."""
    op.execute("ALTER TABLE line_matches VALIDATE CONSTRAINT ck_line_matches_other")
