"""Lines of the audit log, as clients see them."""

import msgspec

from libs.common.clock import iso
from services.api.audit.domain import AuditRecord


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log."""

    id: str
    at: str
    tenant_id: str
    actor: str
    action: str
    target: str
    outcome: str
    correlation_id: str
    detail: dict[str, str]


class AuditLines(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit log, newest first."""

    data: list[AuditLine]
    next_cursor: str | None


def audit_line(line: AuditRecord) -> AuditLine:
    """Show a line as those see it who may."""
    return AuditLine(
        id=str(line.id),
        at=iso(line.at),
        tenant_id=line.tenant_id,
        actor=line.actor,
        action=line.action,
        target=line.target,
        outcome=line.outcome,
        correlation_id=line.correlation_id,
        detail=line.detail,
    )
