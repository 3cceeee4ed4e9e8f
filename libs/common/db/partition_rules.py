"""The table that says which tables of a schema are partitioned, and how.

A partitioned table is a range over a UUIDv7 column. Such ids sort by their time, so a day or a month is a range of ids, a
row's partition follows from its id alone, and a unique key that contains the id is unique over all partitions. Ids of
another kind, or of a time without a partition, are in the default partition. The functions that make and drop partitions
stand in each service's `schema/functions`.
"""

import sqlalchemy as sa


def rules_table(metadata: sa.MetaData) -> sa.Table:
    """Describe `partition_rules` for a service's tables."""
    return sa.Table(
        "partition_rules",
        metadata,
        sa.Column("parent", sa.Text, primary_key=True, comment="The partitioned table."),
        sa.Column("period", sa.Text, nullable=False, comment="day or month: the time that one partition covers."),
        sa.Column("key_column", sa.Text, nullable=False, comment="The UUIDv7 column whose time it goes by."),
        sa.Column("age_column", sa.Text, nullable=False, comment="When a row came to be, whatever its id says."),
        sa.Column(
            "kept_days_min", sa.Integer, nullable=False, comment="Partitions younger than this are never dropped."
        ),
        sa.Column(
            "keeps_young",
            sa.Boolean,
            nullable=False,
            comment="Whether rows that came later than their ids say outlive their partition.",
        ),
        sa.Column("options", sa.Text, nullable=False, server_default="", comment="Storage parameters of a partition."),
        sa.CheckConstraint("period IN ('day', 'month')", name="ck_partition_rules_period"),
        sa.CheckConstraint("kept_days_min > 0", name="ck_partition_rules_kept_days_min"),
        comment="Which tables make_partition and drop_partition work on; written by migrations only.",
    )


__all__ = ["rules_table"]
