"""Decisions about files: which sources there are, what of a file has come, and what it becomes once it is read."""

from services.gateway.reconciliation.imports.commands.reading import ClaimLost, Reader
from services.gateway.reconciliation.imports.commands.requests import Imports

__all__ = ["ClaimLost", "Imports", "Reader"]
