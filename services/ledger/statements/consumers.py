"""What is handled of financial statements: the request for their figures."""

from libs.common.contracts.ledger_statements import Figures, ReportFigures
from libs.common.messaging import Bus
from services.ledger.statements.queries import StatementQueries


class StatementConsumers:
    """Answers requests for the figures of financial statements."""

    def __init__(self, queries: StatementQueries) -> None:
        self._queries = queries

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(ReportFigures, self.on_report_figures)

    async def on_report_figures(self, request: ReportFigures) -> Figures:
        """Report what accounts had done in some spans."""
        return await self._queries.figures(request)
