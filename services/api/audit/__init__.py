"""The audit log: who did what, who was denied what, and how those who answer for a tenant read it."""

from services.api.audit.commands import record_change
from services.api.audit.consumers import AuditConsumers
from services.api.audit.domain import AuditFilter, AuditRecord
from services.api.audit.queries import AuditPage, audit_page
from services.api.audit.sql import (
    INSERT_AUDIT,
    INSERT_AUDIT_OF,
    audit_values,
    audits_values,
    write_line,
    write_lines,
    write_sealed_line,
)

__all__ = [
    "INSERT_AUDIT",
    "INSERT_AUDIT_OF",
    "AuditConsumers",
    "AuditFilter",
    "AuditPage",
    "AuditRecord",
    "audit_page",
    "audit_values",
    "audits_values",
    "record_change",
    "write_line",
    "write_lines",
    "write_sealed_line",
]
