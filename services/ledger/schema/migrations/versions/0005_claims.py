"""What the api claims of payments and refunds, to compare it with the books.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_WORD = sa.Text(collation="C")
_CURRENCY = sa.CHAR(3, collation="C")


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("entry_id", pg.UUID, nullable=False, comment="The entry that has to stand in the books for it."),
        sa.Column("tenant_id", _WORD, nullable=False, comment="In whose books."),
        sa.Column("amount_minor", sa.BigInteger, nullable=False, comment="How much, in minor units of the currency."),
        sa.Column("currency", _CURRENCY, nullable=False, comment="ISO 4217 code."),
        sa.Column("kind", _WORD, nullable=False, comment="capture or refund: the kind of the entry."),
        sa.Column("subject_id", pg.UUID, nullable=False, comment="The intent of a capture, or the refund."),
        sa.Column("claimed_at", _INSTANT, nullable=False, comment="When the ledger first heard it."),
        sa.Column(
            "is_told",
            sa.Boolean,
            nullable=False,
            server_default=sa.false(),
            comment="Whether it was told as a finding that the books have no entry for it.",
        ),
        # The amount is a part of the key: claims that contradict one another stand side by side, and one of them is wrong.
        sa.PrimaryKeyConstraint("entry_id", "tenant_id", "amount_minor", "currency", name="pk_claims"),
        sa.CheckConstraint("kind IN ('capture', 'refund')", name="ck_claims_kind"),
        sa.CheckConstraint("amount_minor > 0", name="ck_claims_amount_minor"),
        comment="Settled payments and completed refunds as the api tells of them; removed once compared with the books.",
    )
    op.create_index("ix_claims_claimed_at", "claims", ["claimed_at"], postgresql_where=sa.text("NOT is_told"))
    op.create_table(
        "claim_checks",
        sa.Column("chain", sa.SmallInteger, primary_key=True, autoincrement=False, comment="The chain."),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="Its last group whose entries were compared."),
        comment="How far the entries of each chain were compared with what the api claims; begins with the first claim.",
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON claims TO ledger_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON claim_checks TO ledger_app")


def downgrade() -> None:
    op.drop_table("claim_checks")
    op.drop_table("claims")
