"""The statement of each account at a processor: movements, payouts, and how far they were read."""

from pathlib import Path

from libs.common.db.migrate import run_script

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the tables, and note since when the accounts of today are booked from their statement."""
    run_script(Path(__file__).parents[1] / "movements_0013.sql")
