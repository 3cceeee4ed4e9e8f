"""Tables of who may do what: users and their identity providers, policies and API keys."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.api.schema.columns import instant


def users_table(metadata: sa.MetaData) -> sa.Table:
    """Describe people who log in with a password."""
    return sa.Table(
        "users",
        metadata,
        sa.Column("id", pg.UUID, primary_key=True, comment="UUIDv7; the first half of every token's jti."),
        sa.Column("email", sa.Text, nullable=False, unique=True, comment="Login name, lower case."),
        sa.Column("password_hash", sa.Text, nullable=False, comment="argon2id in PHC string format."),
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id"), comment="Its tenant; none for a global admin."),
        sa.Column("roles", pg.ARRAY(sa.Text), nullable=False, comment="Names of its roles."),
        instant("created_at", "When it was made."),
        instant("disabled_at", "Since when it may not log in.", nullable=True),
        instant("tokens_from", "Tokens that were issued before are refused.", nullable=True),
        sa.Index("ix_users_created", "tenant_id", "created_at", "id"),
        sa.Index("ix_users_tokens", "tenant_id", "tokens_from", postgresql_where=sa.text("tokens_from IS NOT NULL")),
    )


def policies_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what narrows permissions."""
    return sa.Table(
        "policies",
        metadata,
        sa.Column(
            "permission",
            sa.Text,
            sa.ForeignKey("permissions.name"),
            primary_key=True,
            comment="The permission that this narrows; without a policy it is denied.",
        ),
        sa.Column("effect", sa.Text, nullable=False, comment="allow or deny."),
        sa.Column(
            "allowed_plans", pg.ARRAY(sa.Text), nullable=False, comment="Plans, each admitting higher ones; {}: all."
        ),
        sa.Column("allowed_regions", pg.ARRAY(sa.Text), nullable=False, comment="Regions; {}: all."),
        sa.Column(
            "admits_home_region",
            sa.Boolean,
            nullable=False,
            server_default=sa.true(),
            comment="Whether a tenant is admitted with the region it carries, whatever the list says.",
        ),
        sa.CheckConstraint("effect IN ('allow', 'deny')", name="ck_policies_effect"),
    )


def api_keys_table(metadata: sa.MetaData) -> sa.Table:
    """Describe keys of programs: of their secrets only digests are kept."""
    return sa.Table(
        "api_keys",
        metadata,
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id"), nullable=False, comment="Whose it is."),
        sa.Column("id", pg.UUID, nullable=False, comment="UUIDv7; audit lines name it as key:<id>."),
        sa.Column("name", sa.Text, nullable=False, comment="The tenant's own name of it."),
        sa.Column("mode", sa.Text, nullable=False, comment="test or live, as its prefix has it."),
        sa.Column("hint", sa.Text, nullable=False, comment="The last four characters of its secret."),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False, comment="SHA-256 of its secret."),
        sa.Column("scopes", pg.ARRAY(sa.Text), nullable=False, comment="Permissions that it has, sorted."),
        sa.Column("created_by", sa.Text, nullable=False, comment="Subject of whoever made it."),
        instant("created_at", "When it was made."),
        instant("expires_at", "Until when it is valid; NULL: until it is revoked.", nullable=True),
        instant("revoked_at", "When it was revoked.", nullable=True),
        instant("last_used_at", "When it was used last, a minute more or less.", nullable=True),
        sa.Column("rotated_to", pg.UUID, comment="The key that replaces it."),
        sa.Column("responsible", sa.Text, comment="The person who made it or its first maker; NULL: by created_by."),
        sa.PrimaryKeyConstraint("id", "tenant_id"),
        sa.CheckConstraint("mode IN ('test', 'live')", name="ck_api_keys_mode"),
        sa.Index("uq_api_keys_secret", "secret_hash", unique=True),
        sa.Index("ix_api_keys_created", "tenant_id", sa.text("created_at DESC"), sa.text("id DESC")),
    )


def identity_providers_table(metadata: sa.MetaData) -> sa.Table:
    """Describe where users of a tenant log in, beside their passwords."""
    return sa.Table(
        "identity_providers",
        metadata,
        sa.Column(
            "tenant_id", sa.Text, sa.ForeignKey("tenants.id"), primary_key=True, comment="Whose users log in there."
        ),
        sa.Column("issuer", sa.Text, nullable=False, comment="Its name, an address, as its tokens have it."),
        sa.Column("client_id", sa.Text, nullable=False, comment="What we are called there."),
        sa.Column("client_secret", sa.LargeBinary, comment="By what it knows us, sealed; NULL: by PKCE alone."),
        instant("created_at", "When the tenant got one."),
        instant("updated_at", "When it was changed last."),
    )


def user_identities_table(metadata: sa.MetaData) -> sa.Table:
    """Describe by which subject a user is known to the tenant's identity provider."""
    return sa.Table(
        "user_identities",
        metadata,
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id"), nullable=False, comment="Whose user it is."),
        sa.Column("subject", sa.Text, nullable=False, comment="What the tenant's identity provider calls the user."),
        sa.Column("user_id", pg.UUID, sa.ForeignKey("users.id"), nullable=False, comment="The user."),
        sa.Column("issuer", sa.Text, nullable=False, comment="The identity provider of that time."),
        instant("bound_at", "When the user logged in by it first."),
        sa.PrimaryKeyConstraint("tenant_id", "subject"),
        sa.UniqueConstraint("tenant_id", "user_id", name="uq_user_identities_user"),
    )
