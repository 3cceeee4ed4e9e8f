"""Tokens that a user got before a new password, other roles or being disabled are refused."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"

_WHEN = {"users_access_changed": ("IS NOT NULL", "tenant_id"), "users_operators_changed": ("IS NULL", "")}
"""Operators belong to no tenant, and may act for all."""


def upgrade() -> None:
    """Add what is unset for all that is there, and say each change of it."""
    op.add_column(
        "users",
        sa.Column("tokens_from", sa.DateTime(timezone=True), comment="Tokens that were issued before are refused."),
    )
    for name, (whose, column) in _WHEN.items():
        op.execute(
            f"CREATE TRIGGER {name} AFTER UPDATE OF tokens_from ON api.users FOR EACH ROW "
            f"WHEN (NEW.tokens_from IS DISTINCT FROM OLD.tokens_from AND NEW.tenant_id {whose}) "
            f"EXECUTE FUNCTION api.say_access_changed('{column}')"
        )
