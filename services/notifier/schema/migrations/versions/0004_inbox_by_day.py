"""The inbox in partitions by day, dropped by age; readers and writers of it wait for one pass over its rows.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

from libs.common.db import partition_sql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    partition_sql.install_functions(op.execute, schema="notifier")
    partition_sql.convert(op.execute, partition_sql.INBOX, schema="notifier")


def downgrade() -> None:
    raise NotImplementedError("partitions are not taken back; write a new migration")
