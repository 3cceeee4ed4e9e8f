"""Which processors, and accounts at them, each process of the gateway calls at the moment: for operators."""

from alembic import op

revision = "0067"
down_revision = "0066"


def upgrade() -> None:
    """Add the table. A request of a tenant sees nothing of it, as of everything that is of all tenants."""
    op.execute(
        """
        CREATE TABLE circuits (
            process text NOT NULL,
            name text NOT NULL,
            is_account boolean NOT NULL,
            state text NOT NULL,
            since timestamptz,
            until timestamptz,
            waiting integer NOT NULL,
            per_second double precision,
            seen_at timestamptz NOT NULL,
            CONSTRAINT pk_circuits PRIMARY KEY (process, name, is_account),
            CONSTRAINT ck_circuits_state CHECK (state IN ('closed', 'half_open', 'open', 'paused'))
        )
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON circuits TO gateway_app")
    op.execute("CREATE POLICY service ON circuits TO gateway_owner, gateway_app USING (true)")
    op.execute("ALTER TABLE circuits ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE circuits FORCE ROW LEVEL SECURITY")
