"""What the relay does with the tables of an outbox: claims, keeps what was refused, and measures."""

from libs.common.db.statements import Statement
from libs.common.messaging.published import FIELD_TYPES, FIELDS, SENT_BEFORE

BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
"""A claim walks its index from the bound upwards. An outbox is empty whenever PostgreSQL looks at its size, and a plan made
then and kept (a scan of the whole table, a sort) would read a hundred thousand rows for each claim later."""
_TAKE = """
DELETE FROM outbox WHERE seq = ANY(ARRAY(
    SELECT seq FROM outbox WHERE seq > :above AND available_at <= now() ORDER BY seq LIMIT :limit FOR UPDATE SKIP LOCKED))
RETURNING seq, {fields}, attempts
"""
CLAIM = Statement(_TAKE, fields=FIELDS)
"""Takes at most `limit` rows above the `seq` `above`."""
LOOK = f"{BY_INDEX}; SELECT FROM outbox WHERE seq > {{above:d}} AND available_at <= now() ORDER BY seq LIMIT 1"
"""Looks whether there is anything to claim. The driver sends it in one go and without parameters, so that it is one round trip, a
transaction of its own and planned each time."""
SOMETHING = "SELECT 1"
"""What PostgreSQL says of it when it has found a row."""
CLAIM_AND_KEEP = Statement(
    """
WITH claimed AS ({take}), kept AS (
    INSERT INTO outbox_published (batch_id, seq, {fields})
    SELECT :batch_id::uuid, seq, {fields} FROM claimed WHERE attempts > {sent_before}
)
SELECT * FROM claimed
""",
    take=_TAKE.strip(),
    fields=FIELDS,
    sent_before=SENT_BEFORE,
)
CLAIM_REFUSED = Statement(
    """
DELETE FROM outbox_refused WHERE seq = ANY(ARRAY(
    SELECT seq FROM outbox_refused WHERE destination = :destination AND available_at <= now()
     ORDER BY available_at LIMIT :limit FOR UPDATE SKIP LOCKED))
RETURNING seq, {fields}, attempts
""",
    fields=FIELDS,
)
REFUSE = Statement(
    """
INSERT INTO outbox_refused (destination, {fields}, attempts, available_at)
SELECT destination, {fields}, attempts, now() + wait
FROM unnest(:destination::text[], {arrays}, :attempts::int[], :wait::interval[])
    AS t(destination, {fields}, attempts, wait)
""",
    arrays=", ".join(f":{name}::{kind}[]" for name, kind in FIELD_TYPES.items()),
    fields=FIELDS,
)
# One step of the index for each destination, however many rows wait for it.
DESTINATIONS = """
WITH RECURSIVE known AS (
    (SELECT destination FROM outbox_refused ORDER BY destination LIMIT 1)
    UNION ALL
    SELECT (SELECT r.destination FROM outbox_refused AS r WHERE r.destination > known.destination
             ORDER BY r.destination LIMIT 1)
      FROM known WHERE known.destination IS NOT NULL)
SELECT destination FROM known WHERE destination IS NOT NULL
"""
BACKLOG = """
SELECT '' AS destination, count(*) AS pending, extract(epoch FROM now() - min(available_at)) AS oldest FROM outbox
UNION ALL
SELECT coalesce(nullif(destination, ''), 'unknown'), count(*), extract(epoch FROM now() - min(occurred_at))
  FROM outbox_refused GROUP BY destination
"""
