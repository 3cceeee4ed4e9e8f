"""Keys of programs of a tenant."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0027"
down_revision = "0026"


def _instant(name: str, comment: str, *, nullable: bool = True) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)


def upgrade() -> None:
    """Make the table; a key that ends is forgotten by every process at once, and that it was used changes nothing."""
    op.create_table(
        "api_keys",
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id"), nullable=False, comment="Whose it is."),
        sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7; audit lines name it as key:<id>."),
        sa.Column("name", sa.Text, nullable=False, comment="The tenant's own name of it."),
        sa.Column("mode", sa.Text, nullable=False, comment="test or live, as its prefix has it."),
        sa.Column("hint", sa.Text, nullable=False, comment="The last four characters of its secret."),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False, comment="SHA-256 of its secret."),
        sa.Column("scopes", pg.ARRAY(sa.Text), nullable=False, comment="Permissions that it has, sorted."),
        sa.Column("created_by", sa.Text, nullable=False, comment="Subject of whoever made it."),
        _instant("created_at", "When it was made.", nullable=False),
        _instant("expires_at", "Until when it is valid; NULL: until it is revoked."),
        _instant("revoked_at", "When it was revoked."),
        _instant("last_used_at", "When it was used last, a minute more or less."),
        sa.Column("rotated_to", pg.UUID, comment="The key that replaces it."),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.CheckConstraint("mode IN ('test', 'live')", name="ck_api_keys_mode"),
    )
    op.create_index("uq_api_keys_secret", "api_keys", ["secret_hash"], unique=True)
    op.create_index("ix_api_keys_created", "api_keys", ["tenant_id", sa.text("created_at DESC"), sa.text("id DESC")])
    op.execute(
        "CREATE TRIGGER api_keys_access_changed AFTER DELETE OR UPDATE OF revoked_at, expires_at, scopes ON api.api_keys "
        "FOR EACH ROW EXECUTE FUNCTION api.say_access_changed('tenant_id')"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON api_keys TO api_app")
