"""The audit log: who did what, who was denied what, and how those who answer for a tenant read it."""

from services.api.audit.queries import AuditPage, audit_page
from services.api.audit.sql import AuditFilter, AuditRecord

__all__ = ["AuditFilter", "AuditPage", "AuditRecord", "audit_page"]
