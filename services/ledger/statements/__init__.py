"""The figures of financial statements: what accounts had done by effect or by record, tied to closed periods."""

from services.ledger.statements.consumers import StatementConsumers
from services.ledger.statements.queries import StatementQueries

__all__ = ["StatementConsumers", "StatementQueries"]
