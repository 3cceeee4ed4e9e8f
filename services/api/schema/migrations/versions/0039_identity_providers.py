"""Identity providers of tenants, and by which subject each user is known there."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0039"
down_revision = "0038"

_SEALED = {"identity_providers": ("tenant_id", "client_secret"), "user_identities": ("tenant_id,subject", "")}
"""Each table, with its key and the text of which the SHA-256 is sealed."""


def _instant(name: str, comment: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, comment=comment)


def upgrade() -> None:
    """Make both tables, each with the rows of one tenant for its requests; each change of them is sealed."""
    op.create_table(
        "identity_providers",
        sa.Column(
            "tenant_id", sa.Text, sa.ForeignKey("tenants.id"), primary_key=True, comment="Whose users log in there."
        ),
        sa.Column("issuer", sa.Text, nullable=False, comment="Its name, an address, as its tokens have it."),
        sa.Column("client_id", sa.Text, nullable=False, comment="What we are called there."),
        sa.Column("client_secret", sa.LargeBinary, comment="By what it knows us, sealed; NULL: by PKCE alone."),
        _instant("created_at", "When the tenant got one."),
        _instant("updated_at", "When it was changed last."),
    )
    op.create_table(
        "user_identities",
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id"), nullable=False, comment="Whose user it is."),
        sa.Column("subject", sa.Text, nullable=False, comment="What the tenant's identity provider calls the user."),
        sa.Column("user_id", pg.UUID, sa.ForeignKey("users.id"), nullable=False, comment="The user."),
        sa.Column("issuer", sa.Text, nullable=False, comment="The identity provider of that time."),
        _instant("bound_at", "When the user logged in by it first."),
        sa.PrimaryKeyConstraint("tenant_id", "subject"),
        sa.UniqueConstraint("tenant_id", "user_id", name="uq_user_identities_user"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON identity_providers TO api_app, api_requests")
    op.execute("GRANT SELECT, INSERT, DELETE ON user_identities TO api_app, api_requests")
    for table, (key, digested) in _SEALED.items():
        op.execute(f"CREATE POLICY service ON {table} TO api_owner, api_app USING (true)")
        op.execute(
            f"CREATE POLICY tenant ON {table} TO api_requests USING (tenant_id = current_setting('app.tenant', true))"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            "INSERT INTO sealed_tables (subject, key_columns, tenant_column, digested, left_out, completed_at) "  # noqa: S608
            f"VALUES ('{table}', '{{{key}}}', 'tenant_id', '{{{digested}}}', '{{}}', clock_timestamp())"
        )
        for event, condition in (("INSERT", ""), ("UPDATE", "WHEN (OLD IS DISTINCT FROM NEW) "), ("DELETE", "")):
            op.execute(
                f"CREATE TRIGGER seal_{event.lower()} AFTER {event} ON api.{table} "
                f"FOR EACH ROW {condition}EXECUTE FUNCTION api.seal_change()"
            )
