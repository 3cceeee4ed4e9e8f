"""The audit log and the timelines in partitions by month; their readers and writers wait for one pass over their rows.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

from libs.common.db import partition_sql
from libs.common.db.partition_sql import Conversion

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_AUDIT = Conversion(
    table="audit_log",
    primary_key=("id", "tenant_id"),
    key_column="id",
    age_column="created_at",
    period="month",
    kept_days_min=90,
    rights="SELECT, INSERT",
    indexes=("ix_audit_log_created",),
)
_TIMELINES = Conversion(
    table="payment_intent_events",
    primary_key=("payment_intent_id", "id", "tenant_id"),
    key_column="payment_intent_id",
    age_column="occurred_at",
    period="month",
    kept_days_min=90,
    rights="SELECT, INSERT",
)


def upgrade() -> None:
    partition_sql.convert(op.execute, _AUDIT, schema="api")
    partition_sql.convert(op.execute, _TIMELINES, schema="api")


def downgrade() -> None:
    raise NotImplementedError("partitions are not taken back; write a new migration")
