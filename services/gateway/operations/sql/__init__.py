"""The SQL of attempts: written down and recorded in groups on the hot path."""

from services.gateway.operations.sql.attempts import AttemptStore
from services.gateway.operations.sql.recording import OpenOutcomes, Recording

__all__ = ["AttemptStore", "OpenOutcomes", "Recording"]
