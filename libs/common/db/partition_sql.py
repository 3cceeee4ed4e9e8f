"""What migrations run to keep a table in partitions by time: the functions of a schema, and the conversion of a table.

A partitioned table is a range over a UUIDv7 column. Such ids sort by their time, so a day or a month is a range of ids, a
row's partition follows from its id alone, and a unique key that contains the id is unique over all partitions. Ids of
another kind, or of a time without a partition, are in the default partition.

Landed migrations run these statements: never change them, add the next version beside them.
"""

from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa

MOVED_MAX = 50_000
"""Rows that one call moves at most between the default partition and another one, while writers wait (measured: 0.4 s)."""


def rules_table(metadata: sa.MetaData) -> sa.Table:
    """Describe `partition_rules` for a service's models; `install_functions` creates exactly this."""
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


_RULES = """
CREATE TABLE partition_rules (
    parent text PRIMARY KEY,
    period text NOT NULL CONSTRAINT ck_partition_rules_period CHECK (period IN ('day', 'month')),
    key_column text NOT NULL,
    age_column text NOT NULL,
    kept_days_min integer NOT NULL CONSTRAINT ck_partition_rules_kept_days_min CHECK (kept_days_min > 0),
    keeps_young boolean NOT NULL,
    options text NOT NULL DEFAULT ''
)
"""

_FIRST_ID = """
CREATE OR REPLACE FUNCTION first_id(instant timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (lpad(to_hex(greatest(0, floor(extract(epoch FROM instant) * 1000))::bigint), 12, '0') || repeat('0', 20))::uuid
$$
"""

_TIME_OF_ID = """
CREATE FUNCTION time_of_id(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT to_timestamp(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$
"""

# The bounds are read from the catalogue, not from names: a table that was attached under a name of its own ages like the
# others. The default partition has none. OFFSET 0: a bound is read of the partitions of this table alone, since reading
# one waits for whoever has locked its table.
_PARTITIONS = r"""
CREATE FUNCTION partitions_of(parent_name text)
RETURNS TABLE (name text, begins uuid, ends uuid) LANGUAGE sql STABLE STRICT AS $$
    SELECT c.relname, substring(b.bound FROM 'FROM \(''([^'']+)''\)')::uuid,
           substring(b.bound FROM 'TO \(''([^'']+)''\)')::uuid
      FROM (SELECT c.oid, c.relname::text, c.relpartbound FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
             WHERE i.inhparent = parent_name::regclass OFFSET 0) AS c
     CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound OFFSET 0) AS b
     WHERE b.bound <> 'DEFAULT'
$$
"""

# Returns made, exists, busy (another process is at it) or crowded (more rows than one call may move are in the default
# partition: they stay there, and leave by their age).
_MAKE = """
CREATE FUNCTION make_partition(parent_name text, at timestamptz, periods_ahead integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    rule partition_rules;
    begins timestamptz;
    low uuid;
    high uuid;
    child text;
    present bigint;
BEGIN
    SELECT * INTO STRICT rule FROM partition_rules WHERE parent = parent_name;
    begins := date_trunc(rule.period, at) + periods_ahead * ('1 ' || rule.period)::interval;
    low := first_id(begins);
    high := first_id(begins + ('1 ' || rule.period)::interval);
    child := parent_name || to_char(begins, CASE rule.period WHEN 'day' THEN '_YYYY_MM_DD' ELSE '_YYYY_MM' END);
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions {schema}.' || parent_name, 0)) THEN
        RETURN 'busy';
    END IF;
    IF EXISTS (SELECT FROM partitions_of(parent_name) AS p
                WHERE p.ends > low AND (p.begins IS NULL OR p.begins < high)) THEN
        RETURN 'exists';
    END IF;
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %1$I WHERE %2$I >= %3$L AND %2$I < %4$L LIMIT {moved_max} + 1) AS r',
                   parent_name || '_default', rule.key_column, low, high) INTO present;
    IF present > {moved_max} THEN
        RETURN 'crowded';
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)%s', child,
                   parent_name, CASE WHEN rule.options = '' THEN '' ELSE format(' WITH (%s)', rule.options) END);
    -- Where rows of the period exist, or may come at this moment, they are moved while nobody reads or writes: a reader whose
    -- plan knows the old partitions only would miss what moves into the new one.
    IF present > 0 OR begins <= clock_timestamp() THEN
        EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent_name);
        EXECUTE format('WITH moved AS (DELETE FROM %1$I WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING *) '
                       'INSERT INTO %5$I SELECT * FROM moved', parent_name || '_default', rule.key_column, low, high, child);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent_name, child, low, high);
    RETURN 'made';
END $$
"""

# Returns the name of the partition that it dropped, 'busy', 'crowded' (too many of its rows are younger than their ids), or
# NULL when there is none. Rows that came after `before`, though their ids are older, go to the default partition first.
_DROP = """
CREATE FUNCTION drop_partition(parent_name text, before timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    rule partition_rules;
    child text;
    since timestamptz;
    young bigint := 0;
BEGIN
    SELECT * INTO STRICT rule FROM partition_rules WHERE parent = parent_name;
    since := least(before, now() - make_interval(days => rule.kept_days_min));
    IF NOT pg_try_advisory_xact_lock(hashtextextended('partitions {schema}.' || parent_name, 0)) THEN
        RETURN 'busy';
    END IF;
    SELECT p.name INTO child FROM partitions_of(parent_name) AS p WHERE p.ends <= first_id(since) ORDER BY p.ends LIMIT 1;
    IF child IS NULL THEN
        RETURN NULL;
    END IF;
    IF rule.keeps_young THEN
        -- The count then reads the end of the partition only, where its youngest rows are.
        PERFORM brin_summarize_new_values(i.indexrelid) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
           JOIN pg_am AS a ON a.oid = c.relam WHERE i.indrelid = child::regclass AND a.amname = 'brin';
    END IF;
    -- Before the count, so that no writer adds a row after it.
    EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', parent_name);
    IF rule.keeps_young THEN
        EXECUTE format('SELECT count(*) FROM (SELECT FROM %I WHERE %I >= %L LIMIT {moved_max} + 1) AS r', child,
                       rule.age_column, since) INTO young;
        IF young > {moved_max} THEN
            RETURN 'crowded';
        END IF;
    END IF;
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent_name, child);
    IF young > 0 THEN
        EXECUTE format('INSERT INTO %I SELECT * FROM %I WHERE %I >= %L', parent_name, child, rule.age_column, since);
    END IF;
    EXECUTE format('DROP TABLE %I', child);
    RETURN child;
END $$
"""

# The default partition has few rows, and an index on their age.
_PRUNE = """
CREATE FUNCTION prune_default_partition(parent_name text, before timestamptz, rows_max integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    rule partition_rules;
    pruned bigint;
BEGIN
    SELECT * INTO STRICT rule FROM partition_rules WHERE parent = parent_name;
    EXECUTE format('DELETE FROM %1$I WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$I WHERE %2$I < %3$L LIMIT %4$s))',
                   parent_name || '_default', rule.age_column,
                   least(before, now() - make_interval(days => rule.kept_days_min)), rows_max);
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END $$
"""


def install_functions(execute: Callable[[str], object], *, schema: str) -> None:
    """Create `partition_rules` and the functions that work by it; the runtime role may run them and nothing else."""
    role = f"{schema}_app"
    execute(_RULES)
    for column in rules_table(sa.MetaData()).columns:
        execute(f"COMMENT ON COLUMN partition_rules.{column.name} IS '{column.comment}'")
    execute("COMMENT ON TABLE partition_rules IS '" + (rules_table(sa.MetaData()).comment or "") + "'")
    execute(f"GRANT SELECT ON partition_rules TO {role}")
    execute(_FIRST_ID)
    execute("COMMENT ON FUNCTION first_id(timestamptz) IS 'The least UUIDv7 that can be minted at an instant.'")
    execute(_TIME_OF_ID)
    execute("COMMENT ON FUNCTION time_of_id(uuid) IS 'When a UUIDv7 was minted.'")
    execute(_PARTITIONS)
    execute("COMMENT ON FUNCTION partitions_of(text) IS 'The partitions of a table but the default one, with bounds.'")
    for text, signature, comment in (
        (_MAKE, "make_partition(text, timestamptz, integer)", "Makes the partition of a period, ahead of its time."),
        (_DROP, "drop_partition(text, timestamptz)", "Drops the oldest partition that ended before an instant."),
        (_PRUNE, "prune_default_partition(text, timestamptz, integer)", "Deletes old rows of the default partition."),
    ):
        execute(text.replace("{schema}", schema).replace("{moved_max}", str(MOVED_MAX)))
        execute(f"COMMENT ON FUNCTION {signature} IS '{comment}'")
        execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {role}")


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """A table that becomes a partitioned one."""

    table: str
    """Its name, which the partitioned table takes over."""
    primary_key: Sequence[str]
    """The columns of its primary key, the key column among them."""
    key_column: str
    """The UUIDv7 column whose time it goes by."""
    age_column: str
    """When a row came to be."""
    period: str
    """day or month."""
    kept_days_min: int
    """Partitions younger than this are never dropped, whatever the runtime role asks for."""
    keeps_young: bool = False
    """Whether rows that came later than their ids say outlive their partition, in the default one."""
    rights: str
    """What the runtime role may do with it."""
    comment: str = ""
    """What the table is for."""
    indexes: Sequence[str] = ()
    """The names of its other indexes, which every partition gets."""


_CONVERT = """
DO $convert$
DECLARE
    definitions text[];
    definition text;
    boundary timestamptz := date_trunc('{period}', now() AT TIME ZONE 'UTC' + interval '2 days') AT TIME ZONE 'UTC'
                            + interval '1 {period}';
    is_empty boolean;
BEGIN
    LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;
    SELECT array_agg(pg_get_indexdef(i.oid)) INTO definitions
      FROM unnest(ARRAY[{indexes}]::text[]) AS name JOIN pg_class AS i
        ON i.relname = name AND i.relnamespace = '{schema}'::regnamespace;
    ALTER TABLE {table} RENAME TO {table}_before;
    ALTER TABLE {table}_before RENAME CONSTRAINT {table}_pkey TO {table}_before_pkey;
    FOREACH definition IN ARRAY ARRAY[{indexes}]::text[] LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', definition, definition || '_before');
    END LOOP;
    CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)
        PARTITION BY RANGE ({key});
    ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY ({primary_key});
    FOREACH definition IN ARRAY coalesce(definitions, ARRAY[]::text[]) LOOP
        EXECUTE definition;
    END LOOP;
    CREATE TABLE {table}_default PARTITION OF {table} DEFAULT;
    CREATE INDEX {table}_default_age ON {table}_default ({age});
    SELECT NOT EXISTS (SELECT FROM {table}_before) INTO is_empty;
    IF is_empty THEN
        DROP TABLE {table}_before;
    ELSE
        WITH odd AS (DELETE FROM {table}_before WHERE {key} >= first_id(boundary) RETURNING *)
        INSERT INTO {table}_default SELECT * FROM odd;
        EXECUTE format('ALTER TABLE {table} ATTACH PARTITION {table}_before FOR VALUES FROM (MINVALUE) TO (%L)',
                       first_id(boundary));
    END IF;
    INSERT INTO partition_rules (parent, period, key_column, age_column, kept_days_min, keeps_young)
    VALUES ('{table}', '{period}', '{key}', '{age}', {kept_days_min}, {keeps_young});
END $convert$
"""


def convert(execute: Callable[[str], object], conversion: Conversion, *, schema: str) -> None:
    """Make a partitioned table out of an ordinary one, within the migration's transaction; no row is copied.

    The old table becomes the partition of all that was up to now, under the name `<table>_before`; where it is empty it is
    dropped. Readers and writers of the table wait from the rename to the end of the transaction: for one pass over the
    old table, in which PostgreSQL checks that each row belongs there (measured: 0.1 s per million rows in memory).
    """
    execute(
        _CONVERT.format(
            schema=schema,
            table=conversion.table,
            primary_key=", ".join(conversion.primary_key),
            key=conversion.key_column,
            age=conversion.age_column,
            period=conversion.period,
            kept_days_min=conversion.kept_days_min,
            keeps_young=conversion.keeps_young,
            indexes=", ".join(f"'{name}'" for name in conversion.indexes),
        )
    )
    if conversion.comment:
        execute(f"COMMENT ON TABLE {conversion.table} IS '{conversion.comment}'")
    execute(f"GRANT {conversion.rights} ON {conversion.table} TO {schema}_app")


INBOX = Conversion(
    table="inbox",
    primary_key=("event_id", "queue"),
    key_column="event_id",
    age_column="received_at",
    period="day",
    kept_days_min=2,
    keeps_young=True,
    rights="SELECT, INSERT",
    indexes=("ix_inbox_received_at",),
)
"""The inbox, which every service has."""

PUBLISHED = Conversion(
    table="outbox_published",
    primary_key=("batch_id", "seq"),
    key_column="batch_id",
    age_column="published_at",
    period="day",
    kept_days_min=1,
    rights="SELECT, INSERT",
)
"""What was published, which every service has."""
