"""The whole schema as of version 0.2.0: the migrations before it, in one.

Its number is that of the last of them, so a database that had them all goes on from here.
"""

from pathlib import Path

from libs.common.db.migrate import run_script

revision = "0009"
down_revision = None


def upgrade() -> None:
    """Make everything in an empty schema."""
    run_script(Path(__file__).parents[1] / "baseline.sql")
