"""Users of a tenant are listed by an index, and those whose tokens of before are refused are found by another one."""

from alembic import op

revision = "0032"
down_revision = "0031"

_INDEXES = {
    "ix_users_created": "users (tenant_id, created_at, id)",
    "ix_users_tokens": "users (tenant_id, tokens_from) WHERE tokens_from IS NOT NULL",
}


def upgrade() -> None:
    """Build the indexes while people log in."""
    with op.get_context().autocommit_block():
        for name, columns in _INDEXES.items():
            # One that was left half built by a lost connection is no index.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {columns}")
