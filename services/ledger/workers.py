"""What the ledger does unasked: it keeps the report views fresh."""

from libs.common.service import Loop
from services.ledger.commands import ReportCommands


def loops(reports: ReportCommands) -> list[Loop]:
    """List what runs from start to stop. Every process has it; the database lets one at a time refresh."""
    return [Loop(name="keep reports fresh", run=reports.keep_fresh)]
