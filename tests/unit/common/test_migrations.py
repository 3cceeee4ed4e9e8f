"""A migration stalls nobody: each new one is read for what would lock a table in use."""

import os
import subprocess
import sys

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from libs.common.db.migrate import statements
from tests.support.databases import ROOT, SERVICES
from tests.support.migration_lint import faults, split


def _migrations(service: str) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "services" / service / "schema" / "migrations"))
    return ScriptDirectory.from_config(config)


def _new_migrations() -> list[tuple[str, str, str]]:
    return sorted(
        (service, str(script.down_revision), script.revision)
        for service in SERVICES
        for script in _migrations(service).walk_revisions()
        if script.down_revision is not None
    )


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_one_line_with_one_head(service: str) -> None:
    revisions = list(_migrations(service).walk_revisions())
    assert len(_migrations(service).get_heads()) == 1
    assert [script.down_revision for script in revisions] == [*(script.revision for script in revisions[1:]), None]


def test_new_migrations_stall_nobody() -> None:
    found = {
        f"{service} {revision}": faults(statements(service=service, revisions=f"{before}:{revision}"))
        for service, before, revision in _new_migrations()
    }
    assert {migration: reasons for migration, reasons in found.items() if reasons} == {}


@pytest.mark.parametrize(
    "bad",
    [
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);",
        "ALTER TABLE api.t ADD CHECK (a > 0);",
        "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (id);",
        "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a);",
        "ALTER TABLE t ADD PRIMARY KEY (a);",
        "BEGIN; ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; COMMIT;",
        "CREATE INDEX i ON t (a);",
        "CREATE UNIQUE INDEX i ON t (a);",
        "DROP INDEX i;",
        "BEGIN; CREATE INDEX CONCURRENTLY i ON t (a); COMMIT;",
        "BEGIN; CREATE TABLE u (a int); COMMIT; CREATE INDEX CONCURRENTLY i ON t (a);",
        "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid();",
        "ALTER TABLE t ADD COLUMN a timestamptz DEFAULT clock_timestamp() NOT NULL;",
        "ALTER TABLE t ADD COLUMN a int NOT NULL;",
        "ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (b + 1) STORED;",
        "ALTER TABLE t ADD COLUMN a int REFERENCES u (id);",
        "ALTER TABLE t ALTER COLUMN a TYPE bigint;",
        "ALTER TABLE t ALTER COLUMN a SET NOT NULL;",
        "ALTER TABLE t RENAME COLUMN a TO b;",
        "ALTER TABLE t DROP COLUMN a;",
        "UPDATE t SET a = 1;",
        "DELETE FROM t;",
        "BEGIN; SET LOCAL lock_timeout = '60s'; COMMIT;",
        "BEGIN; SET lock_timeout = 0; COMMIT;",
        "DO $$ BEGIN LOCK TABLE t; END $$;",
        "REFRESH MATERIALIZED VIEW v;",
        "VACUUM FULL t;",
    ],
)
def test_statement_that_stalls_is_reported(bad: str) -> None:
    assert len(faults(bad)) == 1


@pytest.mark.parametrize(
    "good",
    [
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;",
        "BEGIN; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER COLUMN a SET NOT NULL; COMMIT;",
        "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i;",
        "SET lock_timeout = 0; DROP INDEX CONCURRENTLY IF EXISTS i; CREATE INDEX CONCURRENTLY i ON t (a); RESET lock_timeout;",
        "ALTER TABLE t ADD COLUMN a int DEFAULT 0 NOT NULL;",
        "ALTER TABLE t ADD COLUMN a text;",
        "ALTER TABLE t ADD COLUMN a timestamptz DEFAULT now();",
        "CREATE TABLE t (a int); CREATE INDEX i ON t (a); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0); INSERT INTO t VALUES (1);",
        "BEGIN; UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001'; COMMIT;",
        "BEGIN; SET LOCAL lock_timeout = '1s'; COMMIT;",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM t; UPDATE t SET a = 1; $$;",
    ],
)
def test_statement_that_stalls_nobody_passes(good: str) -> None:
    assert faults(good) == []


def test_text_between_dollars_and_quotes_is_one_statement() -> None:
    assert split("-- c;\nSELECT ';'; DO $a$ x; $$ y; $$ $a$; SELECT 1") == [
        "SELECT ';'",
        "DO $a$ x; $$ y; $$ $a$",
        "SELECT 1",
    ]


def test_migration_outside_local_needs_the_secret_of_the_owner_alone() -> None:
    """The Job that migrates has no secret of the service, so none may be required of it."""
    own = {"NOTIFIER_MIGRATION_DATABASE_URL": "postgresql://notifier_owner@127.0.0.1:1/payments"}
    own |= {"NOTIFIER_MIGRATION_DATABASE_PASSWORD": os.urandom(16).hex(), "APP_ENV": "production"}
    command = [sys.executable, "-m", "services.notifier", "migrate"]
    environ = {"PATH": os.environ["PATH"], **own}
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("notifier: the database does not answer")
