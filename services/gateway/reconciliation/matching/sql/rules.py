"""The SQL of rules: versions that are only added to."""

import json
from collections.abc import Sequence
from itertools import groupby
from uuid import UUID

import asyncpg
import msgspec

from libs.common.contracts.gateway_matching import MatchingRule
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement
from services.gateway.reconciliation.matching.domain import (
    Source,
    by_default,
)

# The latest version of each source's rules, by the primary key; sources that take no new files keep their lines.
_SOURCES = Statement("""
SELECT s.id, s.reading, r.*
  FROM import_sources AS s
  LEFT JOIN LATERAL (
    SELECT version, position, compared_with, kind, window_days, tolerance_minor, parts_max, confidence, concerns, made_by, made_at
      FROM matching_rules AS r
     WHERE r.source_id = s.id AND r.tenant_id = s.tenant_id
       AND r.version = (SELECT max(version) FROM matching_rules AS v WHERE v.source_id = s.id AND v.tenant_id = s.tenant_id)
  ) AS r ON true
 WHERE s.tenant_id = :tenant_id AND (s.id = :source_id OR :source_id::uuid IS NULL)
 ORDER BY s.id, r.position
""")


# Whether there is such a source to change, kept until the end of the transaction: versions follow each other.
_LOCK_SOURCE = Statement("""
SELECT id FROM import_sources WHERE id = :source_id AND tenant_id = :tenant_id AND deleted_at IS NULL FOR UPDATE
""")


# Under the lock of `_LOCK_SOURCE`; only added to.
_ADD_RULES = Statement("""
INSERT INTO matching_rules
       (tenant_id, source_id, version, position, compared_with, kind, window_days, tolerance_minor, parts_max, confidence, concerns,
        made_by, made_at)
SELECT :tenant_id, :source.id, :source.version, r.position, :source.compared_with, r.kind, r.window_days, r.tolerance_minor,
       r.parts_max, r.confidence, :concerns, :source.made_by, :source.made_at
  FROM unnest(:rules[].kind::text[], :rules[].window_days::int[], :rules[].tolerance_minor::int8[], :rules[].parts_max::int[],
       :rules[].confidence::int[]) WITH ORDINALITY AS r (kind, window_days, tolerance_minor, parts_max, confidence, position)
""")


async def sources(connection: Connection | Database, tenant_id: str, source_id: UUID | None = None) -> list[Source]:
    """Read the sources of a tenant, or one, with the rules in force."""
    rows = await _SOURCES.fetch(connection, tenant_id=tenant_id, source_id=source_id)
    return [_source(key, list(of)) for key, of in groupby(rows, key=lambda row: row["id"])]


async def lock_source(tx: Connection, tenant_id: str, source_id: UUID) -> bool:
    """Keep a source until the end of the transaction; returns whether there is one."""
    return await _LOCK_SOURCE.fetchval(tx, tenant_id=tenant_id, source_id=source_id) is not None


async def add_rules(tx: Connection, tenant_id: str, source: Source) -> None:
    """Write a version of rules."""
    concerns = json.dumps([*source.concerns])
    await _ADD_RULES.execute(tx, tenant_id=tenant_id, source=source, rules=source.rules, concerns=concerns)


def _source(source_id: UUID, rows: Sequence[asyncpg.Record]) -> Source:
    first = rows[0]
    if first["version"] is None:
        return by_default(source_id, json.loads(first["reading"])["format"])
    return Source(
        id=source_id,
        version=first["version"],
        compared_with=first["compared_with"],
        rules=tuple(
            msgspec.convert({name: row[name] for name in MatchingRule.__struct_fields__}, MatchingRule) for row in rows
        ),
        concerns=tuple(json.loads(first["concerns"])),
        made_by=first["made_by"],
        made_at=first["made_at"],
    )
