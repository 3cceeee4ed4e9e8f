"""What was found broken is written down, counted and published once, whoever found it."""

from collections.abc import Sequence
from datetime import datetime

from libs.common.db import Connection, Database
from libs.common.messaging import publish
from libs.common.observability.logging import get_logger
from services.ledger import metrics, outbox
from services.ledger.integrity.sql import findings as stored
from services.ledger.integrity.sql.findings import StoredFinding

log = get_logger("ledger.findings")


async def write_down(tx: Connection, findings: Sequence[StoredFinding], *, found_at: datetime) -> list[StoredFinding]:
    """Write findings down and publish those that are new, inside `tx`; return them, to be counted after the commit."""
    if not findings:
        return []
    new = await stored.write_findings(tx, findings, found_at=found_at)
    await publish(
        tx,
        [
            outbox.invariant_broken(
                tenant_id=finding.tenant_id,
                invariant=finding.invariant,
                subject=finding.subject,
                detail=finding.detail,
                found_at=found_at,
            )
            for finding in new
        ],
    )
    return new


async def resolve(database: Database, *, resolved_at: datetime) -> int:
    """Resolve what holds again, since the message that was missing has arrived after all; returns how many findings."""
    async with database.transaction() as tx:
        resolved = await stored.resolve_findings(tx, resolved_at=resolved_at)
    for finding in resolved:
        metrics.FINDINGS_RESOLVED.labels(finding["invariant"]).inc()
        log.info("finding.resolved", **dict(finding))
    return len(resolved)


async def count(database: Database, new: Sequence[StoredFinding]) -> None:
    """Count new findings, and show how many are open by now."""
    for finding in new:
        metrics.INVARIANTS_BROKEN.labels(finding.invariant).inc()
    async with database.connection() as connection:
        metrics.FINDINGS.set(await stored.count_findings(connection))
