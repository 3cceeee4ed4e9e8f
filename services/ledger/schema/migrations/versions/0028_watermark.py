"""An instant before which nothing is recorded any more, so that what was read up to it stays as it was read."""

from pathlib import Path

from alembic import op

from libs.common.db.migrate import run_script

revision = "0028"
down_revision = "0021"

_TABLE = """
CREATE TABLE ledger.watermark (
    id smallint NOT NULL,
    refused_before timestamp with time zone NOT NULL,
    final_before timestamp with time zone NOT NULL,
    CONSTRAINT pk_watermark PRIMARY KEY (id),
    CONSTRAINT ck_watermark_one_row CHECK (id = 1),
    CONSTRAINT ck_watermark_order CHECK (final_before <= refused_before)
) WITH (fillfactor = 10)
"""


def upgrade() -> None:
    """Begin at an instant before all entries, and let the posting functions refuse what is earlier."""
    op.execute(_TABLE)
    op.execute(
        "COMMENT ON TABLE ledger.watermark IS 'One row: up to when the order of record is final. It only moves forward.'"
    )
    op.execute("COMMENT ON COLUMN ledger.watermark.id IS 'Always 1.'")
    op.execute(
        "COMMENT ON COLUMN ledger.watermark.refused_before IS "
        "'No group that begins from now on records anything before this instant.'"
    )
    op.execute(
        "COMMENT ON COLUMN ledger.watermark.final_before IS "
        "'The groups that began before that was so have ended: what was recorded before this instant is all there is.'"
    )
    op.execute("INSERT INTO ledger.watermark VALUES (1, '1970-01-01 00:00:00+00', '1970-01-01 00:00:00+00')")
    op.execute("GRANT SELECT, UPDATE (refused_before, final_before) ON TABLE ledger.watermark TO ledger_app")
    run_script(Path(__file__).parents[1] / "functions_0028.sql")
