"""The tables of accounts at processors: whose they are, and through which of them a tenant charges."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg


def configs_table(metadata: sa.MetaData) -> sa.Table:
    """Describe through which processors tenants charge."""
    return sa.Table(
        "gateway_configs",
        metadata,
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Who charges this way."),
        sa.Column(
            "id", pg.UUID, nullable=False, comment="The configuration; part of the processor's name in attempts."
        ),
        sa.Column("processor", sa.Text, nullable=False, comment="stripe or sandbox."),
        sa.Column(
            "currencies", pg.ARRAY(sa.Text), nullable=False, comment="ISO 4217 codes that go this way; empty: all."
        ),
        sa.Column("sealed_key", pg.BYTEA, nullable=False, comment="The secret key, sealed; empty for the sandbox."),
        sa.Column("key_last4", sa.Text, nullable=False, comment="The end of the secret key, to be shown."),
        sa.Column(
            "sealed_webhook_secrets",
            pg.ARRAY(pg.BYTEA),
            nullable=False,
            comment="What webhooks are signed with, sealed: the current secret, then the one before it.",
        ),
        sa.Column(
            "webhook_last4", sa.Text, nullable=False, comment="The end of the current webhook secret, to be shown."
        ),
        sa.Column("payment_method", sa.Text, nullable=False, comment="What is charged where a payment names nothing."),
        sa.Column(
            "return_url", sa.Text, nullable=False, comment="Where customers come back to after proving who they are."
        ),
        sa.Column(
            "connected_account",
            sa.Text,
            nullable=False,
            server_default="",
            comment="The account connected to the platform, instead of a key; or empty.",
        ),
        sa.Column(
            "application_fee_bps",
            sa.Integer,
            nullable=False,
            server_default="0",
            comment="What the platform takes of a capture, in hundredths of a percent.",
        ),
        sa.Column(
            "application_fee_minor",
            sa.BigInteger,
            nullable=False,
            server_default="0",
            comment="And in minor units of its currency.",
        ),
        sa.Column(
            "refund_application_fee",
            sa.Boolean,
            nullable=False,
            server_default="false",
            comment="Whether the platform gives the same part of it back with a refund.",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="When it was added."),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, comment="When it last changed."),
        sa.Column(
            "deleted_at",
            sa.DateTime(timezone=True),
            comment="From when on no new payment goes this way; payments that did are still captured and refunded by it.",
        ),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.CheckConstraint("processor IN ('stripe', 'sandbox')", name="ck_gateway_configs_processor"),
        sa.Index("ix_gateway_configs_tenant", "tenant_id", "created_at"),
        # By which each event of a connected account finds whose it is.
        sa.Index(
            "ix_gateway_configs_connected", "connected_account", postgresql_where=sa.text("connected_account <> ''")
        ),
    )


def stripe_accounts_table(metadata: sa.MetaData) -> sa.Table:
    """Describe the accounts at Stripe."""
    return sa.Table(
        "stripe_accounts",
        metadata,
        sa.Column("account_id", sa.Text, nullable=False, comment="Stripe's id of the account: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose it is; the platform's own for its own."),
        sa.Column(
            "processor", sa.Text, comment="Its name in attempts: stripe, or stripe:<id>; NULL: one that is awaited."
        ),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False, comment="When Stripe named it."),
        sa.Column(
            "booked_from",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("'epoch'"),
            comment="From when on its statement is booked; what is older was booked by the events of before.",
        ),
        sa.Column(
            "opening_due",
            sa.Boolean,
            nullable=False,
            server_default="false",
            comment="Whether what stood on it before is still to be booked.",
        ),
        sa.Column("opened_at", sa.DateTime(timezone=True), comment="When that was booked; NULL: not, or by hand."),
        sa.PrimaryKeyConstraint("account_id", "is_live", name="pk_stripe_accounts"),
        sa.UniqueConstraint("processor", "tenant_id", name="uq_stripe_accounts_processor"),
        comment="The Stripe accounts that tenants charge through, each by one configuration.",
    )


def processor_accounts_table(metadata: sa.MetaData) -> sa.Table:
    """Describe which configuration names which account."""
    return sa.Table(
        "processor_accounts",
        metadata,
        sa.Column("processor", sa.Text, nullable=False, comment="Its name in attempts: stripe, or stripe:<id>."),
        sa.Column("tenant_id", sa.Text, nullable=False, comment="Whose it is; the platform's own for its own."),
        sa.Column("account_id", sa.Text, nullable=False, comment="Stripe's id of the account: acct_..."),
        sa.Column("is_live", sa.Boolean, nullable=False, comment="Live or test mode, which share nothing."),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False, comment="When Stripe named it."),
        sa.PrimaryKeyConstraint("processor", "tenant_id", name="pk_processor_accounts"),
        comment="Of which Stripe account each configuration is, whether it owns the account or not.",
    )


def circuits_table(metadata: sa.MetaData) -> sa.Table:
    """Describe which processors each process calls at the moment."""
    return sa.Table(
        "circuits",
        metadata,
        sa.Column("process", sa.Text, nullable=False, comment="The process of the gateway: its host and number."),
        sa.Column("name", sa.Text, nullable=False, comment="The processor, or the account, as attempts name it."),
        sa.Column("is_account", sa.Boolean, nullable=False, comment="Whether it is about one account alone."),
        sa.Column("state", sa.Text, nullable=False, comment="closed, half_open, open or paused."),
        sa.Column("since", sa.DateTime(timezone=True), comment="Since when calls do not go out."),
        sa.Column("until", sa.DateTime(timezone=True), comment="When the next call goes out at the earliest."),
        sa.Column("waiting", sa.Integer, nullable=False, comment="Calls that wait for their turn."),
        sa.Column("per_second", sa.Double, comment="Calls a second that the process makes at most to the account."),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="When it was reported."),
        sa.PrimaryKeyConstraint("process", "name", "is_account", name="pk_circuits"),
        sa.CheckConstraint("state IN ('closed', 'half_open', 'open', 'paused')", name="ck_circuits_state"),
        comment="What each process of the gateway reports of the processors that it calls; renewed every few seconds.",
    )
