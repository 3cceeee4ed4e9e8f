"""How references and the words of lines are read, so that indexes can have them."""

from alembic import op

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    """Add the functions."""
    op.execute("""
    CREATE FUNCTION plain_reference(reference text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN regexp_replace(lower(reference), '[^a-z0-9]', '', 'g')
    """)
    # Words with and without the parts that a hyphen joins, as `Line.words` reads them. By its cost an index is preferred to making
    # the words of all lines.
    op.execute("""
    CREATE FUNCTION words_of_line(bank_id text, refs jsonb, counterparty text, description text) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
    DECLARE
        said text := lower(bank_id || ' ' || refs::text || ' ' || counterparty || ' ' || description);
    BEGIN
        RETURN string_to_array(
            regexp_replace(translate(said, '_-', '') || ' ' || translate(said, '_', ''), '[^a-z0-9]+', ' ', 'g'), ' ');
    END $$
    """)
