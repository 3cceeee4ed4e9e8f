"""Feature flags per tenant, and tables that say themselves when access changes.

`access.changed` is said by triggers and not by commands: whoever changes a tenant, a policy or a flag, be it an operator at
the SQL prompt, every process of the api hears of it as soon as it is committed, and nobody can forget to say so.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SAY = """
CREATE FUNCTION say_access_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = api AS $$
DECLARE
    changed text := '';
BEGIN
    IF TG_ARGV[0] <> '' THEN
        changed := coalesce(to_jsonb(NEW), to_jsonb(OLD)) ->> TG_ARGV[0];
    END IF;
    INSERT INTO outbox (event_id, contract, tenant_id, correlation_id, traceparent, occurred_at, body)
    VALUES (gen_random_uuid(), 'event:api:access.changed', changed, replace(gen_random_uuid()::text, '-', ''), '', now(),
            jsonb_build_object('tenant_id', changed)::text);
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "feature_flags",
        sa.Column("name", sa.Text(), nullable=False, comment="The feature, as the code's registry calls it."),
        sa.Column(
            "tenant_id", sa.Text(), nullable=False, comment="For whom; empty: for all that have no row of their own."
        ),
        sa.Column("is_enabled", sa.Boolean(), nullable=False, comment="Whether it may be used."),
        sa.Column("updated_by", sa.Text(), nullable=False, comment="Subject of the operator who set it."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it was set."),
        sa.PrimaryKeyConstraint("name", "tenant_id"),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 64", name="ck_feature_flags_name"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON feature_flags TO api_app")
    op.execute(_SAY)
    # A new tenant is remembered by nobody yet, so it need not be forgotten.
    for table, operations, column in (
        ("tenants", "UPDATE OR DELETE", "id"),
        ("policies", "INSERT OR UPDATE OR DELETE", ""),
        ("feature_flags", "INSERT OR UPDATE OR DELETE", "tenant_id"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_access_changed AFTER {operations} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION say_access_changed('{column}')"
        )


def downgrade() -> None:
    for table in ("feature_flags", "policies", "tenants"):
        op.execute(f"DROP TRIGGER {table}_access_changed ON {table}")
    op.execute("DROP FUNCTION say_access_changed()")
    op.drop_table("feature_flags")
