# ruff: noqa: S608 - statements are put together from our own words
"""Which account plays which role, exchange rates and conversions: each a history to which one only adds.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_WORD = sa.Text(collation="C")
_CURRENCY = sa.CHAR(3, collation="C")

ROLE_LOCK_CLASS = 4003
"""The first of the two numbers of the advisory locks on roles; nothing else in the ledger uses it."""

# Who posts holds the roles of its tenants and then reads how often they were changed, in one round trip. The read has a
# snapshot of its own, so it sees what was committed while the locks were waited for.
_HOLD_ROLES = f"""
CREATE FUNCTION hold_roles(locks int4[], tenants text[])
RETURNS TABLE (tenant_id text, revision int8) LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
BEGIN
    -- In the given order, which is ascending: those who wait for a change never wait in a circle.
    PERFORM pg_advisory_xact_lock_shared({ROLE_LOCK_CLASS}, lock) FROM unnest(locks) AS lock;
    RETURN QUERY SELECT wanted.id, last.revision FROM unnest(tenants) AS wanted(id) CROSS JOIN LATERAL
        (SELECT change.revision FROM role_changes AS change WHERE change.tenant_id = wanted.id
          ORDER BY change.revision DESC LIMIT 1) AS last;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "role_changes",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose chart it changes."),
        sa.Column("revision", sa.BigInteger, nullable=False, comment="The tenant's changes, numbered from 1."),
        sa.Column("role", _WORD, nullable=False, comment="The role in the posting rules: CASH."),
        sa.Column("account_id", pg.UUID, nullable=False, comment="The account that plays it from then on."),
        sa.Column("changed_at", _INSTANT, nullable=False, comment="When it was changed."),
        sa.Column("changed_by", sa.Text, nullable=False, comment="Who changed it."),
        sa.PrimaryKeyConstraint("tenant_id", "revision", name="pk_role_changes"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_role_changes_account"
        ),
        sa.CheckConstraint("revision > 0", name="ck_role_changes_revision"),
        comment="Who let which account play which role, and since when; never changed or removed. A role without a change "
        "is played by the platform's own account.",
    )
    op.create_index("ix_role_changes_role", "role_changes", ["tenant_id", "role", "revision"])
    op.create_table(
        "exchange_rates",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Who goes by it."),
        sa.Column("id", pg.UUID, nullable=False, comment="Identifies it within the tenant."),
        sa.Column("from_currency", _CURRENCY, nullable=False, comment="ISO 4217 code: what a unit of is worth rate."),
        sa.Column("to_currency", _CURRENCY, nullable=False, comment="ISO 4217 code: what rate counts."),
        sa.Column("rate", sa.Numeric, nullable=False, comment="Units of to_currency, not minor ones; exact."),
        sa.Column("effective_at", _INSTANT, nullable=False, comment="From when it holds, until the next of its pair."),
        sa.Column("source", sa.Text, nullable=False, comment="Where it comes from: ECB."),
        sa.Column("recorded_at", _INSTANT, nullable=False, comment="When it was recorded."),
        sa.Column("recorded_by", sa.Text, nullable=False, comment="Who recorded it."),
        sa.PrimaryKeyConstraint("tenant_id", "from_currency", "to_currency", "effective_at", name="pk_exchange_rates"),
        sa.CheckConstraint("rate > 0", name="ck_exchange_rates_rate"),
        sa.CheckConstraint("from_currency <> to_currency", name="ck_exchange_rates_pair"),
        comment="Exchange rates as they were recorded; a correction is a later one, none is changed or removed.",
    )
    op.create_index(
        "ix_exchange_rates_effective_at",
        "exchange_rates",
        ["tenant_id", "effective_at", "from_currency", "to_currency"],
    )
    op.create_table(
        "conversions",
        sa.Column("tenant_id", _WORD, nullable=False, comment="Whose money was exchanged."),
        sa.Column("id", pg.UUID, nullable=False, comment="Links its two entries; chosen by whoever asked for it."),
        sa.Column(
            "digest", pg.BYTEA, nullable=False, comment="SHA-256 of what was asked: tells a replay from a conflict."
        ),
        sa.Column("from_account_id", pg.UUID, nullable=False, comment="Where the sold amount was taken from."),
        sa.Column("to_account_id", pg.UUID, nullable=False, comment="Where the bought amount went."),
        sa.Column("from_currency", _CURRENCY, nullable=False, comment="ISO 4217 code of what was sold."),
        sa.Column("to_currency", _CURRENCY, nullable=False, comment="ISO 4217 code of what was bought."),
        sa.Column("sold_minor", sa.BigInteger, nullable=False, comment="What was given, in minor units."),
        sa.Column("bought_minor", sa.BigInteger, nullable=False, comment="What was received, in minor units."),
        sa.Column(
            "valued_minor",
            sa.BigInteger,
            nullable=False,
            comment="What was received, at the rate, in minor units of from_currency.",
        ),
        sa.Column(
            "rates", pg.JSONB, nullable=False, comment="The recorded rates by which it was made, in their order."
        ),
        sa.Column("occurred_at", _INSTANT, nullable=False, comment="When it happened; the rates are those of then."),
        sa.Column("recorded_at", _INSTANT, nullable=False, comment="When it was recorded."),
        sa.Column("recorded_by", sa.Text, nullable=False, comment="Who asked for it."),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_conversions"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "from_account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_conversions_from_account"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "to_account_id"], ["accounts.tenant_id", "accounts.id"], name="fk_conversions_to_account"
        ),
        sa.CheckConstraint("sold_minor > 0 AND bought_minor > 0 AND valued_minor > 0", name="ck_conversions_amounts"),
        sa.CheckConstraint("octet_length(digest) = 32", name="ck_conversions_digest"),
        comment="Exchanges of currencies; their entries have ids that follow from this one. Never changed or removed.",
    )
    op.execute(_HOLD_ROLES)
    for table in ("role_changes", "exchange_rates", "conversions"):
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute("GRANT SELECT, INSERT ON role_changes, exchange_rates, conversions TO ledger_app")


def downgrade() -> None:
    op.execute("DROP FUNCTION hold_roles(int4[], text[])")
    for table in ("conversions", "exchange_rates", "role_changes"):
        op.drop_table(table)
