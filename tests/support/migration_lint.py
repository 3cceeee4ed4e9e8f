"""What a migration may not do to a table that is in use, found in the SQL that it prints."""

import re
from collections.abc import Iterator

_NAME = r'"?(?:\w+\.)?"?(\w+)"?'
_DOLLAR = re.compile(r"\$\w*\$")
_VOLATILE = re.compile(
    r"DEFAULT\s+\(?\s*(gen_random_uuid|uuid_generate_v\d\w*|clock_timestamp|random|nextval|timeofday)\b", re.I
)
_REPEATABLE = re.compile(
    r"(CREATE OR REPLACE|DROP \w+( \w+)? (CONCURRENTLY )?IF EXISTS|CREATE .*\bIF NOT EXISTS|COMMENT|GRANT|REVOKE|SET|RESET"
    r"|BEGIN|COMMIT|UPDATE alembic_version)\b",
    re.I,
)
_LOCK_MAX_MS = 2_000

_NO_TABLE: list[tuple[str, str]] = [
    (r"^(VACUUM FULL|CLUSTER)\b", "rewrites the table while nobody may use it"),
    (r"^REFRESH MATERIALIZED VIEW (?!CONCURRENTLY)", "locks out the view's readers: refresh it CONCURRENTLY"),
    (r"^REINDEX (?!.*CONCURRENTLY)", "locks out writers: reindex CONCURRENTLY"),
]
"""Statements that are wrong on any table."""

_ALTER: list[tuple[str, str]] = [
    (
        r"ADD (CONSTRAINT \S+ )?CHECK\b(?!.*NOT VALID)",
        "checks all rows under a lock: add it NOT VALID, then VALIDATE it",
    ),
    (
        r"ADD (CONSTRAINT \S+ )?FOREIGN KEY\b(?!.*NOT VALID)",
        "checks all rows under a lock: add it NOT VALID, then VALIDATE it",
    ),
    (
        r"ADD (CONSTRAINT \S+ )?(UNIQUE|PRIMARY KEY)\b(?!.*USING INDEX)",
        "builds an index under a lock: build it CONCURRENTLY, then add it USING INDEX",
    ),
    (r"ADD (CONSTRAINT \S+ )?EXCLUDE\b", "builds an index under a lock"),
    (r"ADD COLUMN .*\bGENERATED\b", "rewrites the table"),
    (r"ADD COLUMN .*\b(SMALL|BIG)?SERIAL\b", "rewrites the table"),
    (r"ADD COLUMN (?!.*\bDEFAULT\b).*\bNOT NULL\b", "fails where there are rows: give it a default"),
    (r"ADD COLUMN .*\b(CHECK|REFERENCES)\b", "checks all rows under a lock: add the constraint by itself, NOT VALID"),
    (r"ALTER COLUMN \S+ (SET DATA )?TYPE\b", "rewrites the table: add a column and fill it in batches"),
    (r"\bRENAME\b", "breaks the processes that still run"),
    (r"DROP COLUMN\b", "breaks the processes that still run: stop using it in one release, drop it in the next"),
    (r"SET (LOGGED|UNLOGGED|TABLESPACE|ACCESS METHOD)\b", "rewrites the table"),
]
"""Clauses of ALTER TABLE that are wrong on a table with rows."""


def split(sql: str) -> list[str]:
    """Split a script into statements without their comments; what stands between dollars belongs to one."""
    found: list[str] = []
    begin = position = 0
    while position < len(sql):
        if (quoted := _DOLLAR.match(sql, position)) is not None:
            position = sql.index(quoted[0], quoted.end()) + len(quoted[0])
        elif sql[position] == "'":
            position = sql.index("'", position + 1) + 1
        elif sql.startswith("--", position):
            position = sql.find("\n", position) % (len(sql) + 1)
        elif sql[position] == ";":
            found.append(sql[begin:position])
            begin = position = position + 1
        else:
            position += 1
    bare = (re.sub(r"^\s*--.*$", "", statement, flags=re.M).strip() for statement in [*found, sql[begin:]])
    return [statement for statement in bare if statement]


def faults(sql: str) -> list[str]:
    """List what the printed SQL of one migration does that could stall a running platform; one sentence each."""
    statements = split(sql)
    new = {
        match[1].lower()
        for statement in statements
        if (match := re.match(rf"CREATE TABLE (?:IF NOT EXISTS )?{_NAME}", statement, re.I))
    }
    return [f"{reason}: {_flat(statement)[:120]}" for statement, reason in _findings(statements, new)]


def _flat(statement: str) -> str:
    return re.sub(r"\s+", " ", statement)


def _is_concurrent(flat: str) -> bool:
    return re.match(r"(CREATE|DROP|REINDEX).*\bCONCURRENTLY\b", flat, re.I) is not None


def _findings(statements: list[str], new: set[str]) -> Iterator[tuple[str, str]]:
    in_transaction = False
    added: set[str] = set()
    validated: set[str] = set()
    # What comes after the last index is in one transaction with the new version, or not at all.
    last = max((place for place, statement in enumerate(statements) if _is_concurrent(_flat(statement))), default=-1)
    for place, statement in enumerate(statements):
        flat = _flat(statement)
        if re.match(r"(BEGIN|COMMIT)$", flat, re.I):
            in_transaction = flat.upper() == "BEGIN"
            added.clear()
            continue
        is_concurrent = _is_concurrent(flat)
        if is_concurrent and in_transaction:
            yield statement, "CONCURRENTLY does not work in a transaction: use autocommit_block"
        if place < last and in_transaction and not _REPEATABLE.match(flat):
            yield statement, "runs again where the index is interrupted: give the index a migration of its own"
        yield from ((statement, reason) for pattern, reason in _NO_TABLE if re.match(pattern, flat, re.I))
        yield from ((statement, reason) for reason in _index_faults(flat, new, is_concurrent=is_concurrent))
        yield from ((statement, reason) for reason in _row_faults(flat, new))
        yield from ((statement, reason) for reason in _timeout_faults(flat, in_transaction=in_transaction))
        altered = re.match(rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?{_NAME} (.*)", flat, re.I)
        if altered is None or altered[1].lower() in new:
            continue
        table, clauses = altered[1].lower(), altered[2]
        yield from ((statement, reason) for pattern, reason in _ALTER if re.search(pattern, clauses, re.I))
        if _VOLATILE.search(clauses):
            yield statement, "a default that differs from row to row rewrites the table"
        if (name := re.match(r"ADD CONSTRAINT (\S+)", clauses, re.I)) is not None:
            added.add(name[1])
        if (name := re.match(r"VALIDATE CONSTRAINT (\S+)", clauses, re.I)) is not None:
            validated.add(table)
            if name[1] in added:
                yield (
                    statement,
                    "keeps the lock of ADD CONSTRAINT while it reads all rows: validate in the next migration",
                )
        if re.search(r"SET NOT NULL", clauses, re.I) and table not in validated:
            yield statement, "reads all rows under a lock: validate CHECK (column IS NOT NULL) in a migration before it"


def _index_faults(flat: str, new: set[str], *, is_concurrent: bool) -> Iterator[str]:
    created = re.match(rf"CREATE (?:UNIQUE )?INDEX .*?\bON (?:ONLY )?{_NAME}", flat, re.I)
    if created is not None and created[1].lower() not in new and not is_concurrent:
        yield "locks out writers while it is built: CREATE INDEX CONCURRENTLY in an autocommit_block"
    if re.match(r"DROP INDEX\b", flat, re.I) and not is_concurrent:
        yield "waits for all readers and stalls those who come after: DROP INDEX CONCURRENTLY in an autocommit_block"


def _row_faults(flat: str, new: set[str]) -> Iterator[str]:
    changed = re.match(rf"(?:WITH .*?)?(?:UPDATE(?: ONLY)?|DELETE FROM) {_NAME}", flat, re.I)
    if changed is not None and changed[1].lower() not in {*new, "alembic_version"}:
        yield "changes any number of rows in one transaction: let a worker do it in batches"
    body = re.match(r"DO (\$\w*\$)(.*)\1", flat, re.I)
    # The conversion into a partitioned table says in its docstring for how long it locks.
    if (
        body is not None
        and body[1] != "$convert$"
        and re.search(r"\b(ALTER|LOCK|UPDATE|DELETE|INDEX)\b", body[2], re.I)
    ):
        yield "hides what it does in a block: write it as statements"


def _timeout_faults(flat: str, *, in_transaction: bool) -> Iterator[str]:
    found = re.match(r"SET (?:LOCAL )?lock_timeout (?:=|TO) '?(\d+)\s*(ms|s|min)?'?$", flat, re.I)
    if found is None:
        return
    milliseconds = int(found[1]) * {"s": 1_000, "min": 60_000}.get((found[2] or "ms").lower(), 1)
    if in_transaction and not 0 < milliseconds <= _LOCK_MAX_MS:
        yield "waits for a lock for so long that those behind it are stalled"
