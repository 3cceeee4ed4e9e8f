"""Proof that the records of who may do what are as they were written: tenants, users, roles, policies, keys and features."""

from services.api.integrity.commands.export import export_changes
from services.api.integrity.commands.signing import HeadSigner
from services.api.integrity.commands.verification import Report, Verifier
from services.api.integrity.workers import integrity_workers, keys_of, verifier_of

__all__ = [
    "HeadSigner",
    "Report",
    "Verifier",
    "export_changes",
    "integrity_workers",
    "keys_of",
    "verifier_of",
]
