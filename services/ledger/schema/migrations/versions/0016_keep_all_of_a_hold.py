"""A hold keeps all that was promised, `expires_at` too; parameters of the posting functions are named for what they hold."""

from pathlib import Path

from libs.common.db.migrate import run_script

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Replace the functions."""
    run_script(Path(__file__).parents[1] / "functions_0016.sql")
