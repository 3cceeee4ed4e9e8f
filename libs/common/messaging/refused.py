"""What one destination refuses, as an operator sees it: listed, tried again at once, or abandoned with a record that stays.

A destination that is ours takes its messages again once it is mended. One of another team (`payments.x` refuses while any
queue bound to it is full) may never: then somebody decides.
"""

import argparse
import getpass
import json
from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from libs.common.clock import iso
from libs.common.db import Connection, Database
from libs.common.db.statements import Statement
from libs.common.errors import Invalid, NotFound
from libs.common.ids import new_id
from libs.common.observability.logging import get_logger

log = get_logger("messaging.refused")

_STEP = 1000
"""Messages that one transaction takes: millions may wait, and a line names each of its own."""

_LIST = """
SELECT destination, count(*) AS count, min(occurred_at) AS oldest, max(attempts) AS attempts, min(available_at) AS next_at
FROM outbox_refused GROUP BY destination ORDER BY destination
"""
# FOR UPDATE waits for the relay, which may be trying some of them at this moment.
_RETRY = Statement("""
UPDATE outbox_refused SET available_at = now() WHERE seq = ANY(ARRAY(
    SELECT seq FROM outbox_refused WHERE destination = :destination AND available_at > now() LIMIT :limit FOR UPDATE))
RETURNING event_id
""")
_ABANDON = Statement("""
DELETE FROM outbox_refused WHERE seq = ANY(ARRAY(
    SELECT seq FROM outbox_refused WHERE destination = :destination AND occurred_at < :before LIMIT :limit FOR UPDATE))
RETURNING event_id
""")
_WRITE_DOWN = Statement("""
INSERT INTO operator_actions (id, at, actor, action, subject, detail) VALUES (:id, now(), :actor, :action, :subject, :detail)
""")


def operator_actions_table(metadata: sa.MetaData) -> sa.Table:
    """Describe what operators did by command, for a service's models; its migration creates exactly this."""
    return sa.Table(
        "operator_actions",
        metadata,
        sa.Column("id", pg.UUID, primary_key=True, comment="UUIDv7."),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="When."),
        sa.Column("actor", sa.Text, nullable=False, comment="Who, as the machine knows them."),
        sa.Column("action", sa.Text, nullable=False, comment="What was done: refused.given_up, refused.retried."),
        sa.Column("subject", sa.Text, nullable=False, comment="To what: the destination."),
        sa.Column("detail", sa.Text, nullable=False, comment="JSON: the reason, how many messages, and their ids."),
    )


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The messages that one destination refuses."""

    destination: str
    """The queue, or `payments.x`; empty: the contract is unknown to this version."""
    count: int
    """How many wait."""
    oldest: datetime
    """When the oldest one happened."""
    attempts: int
    """How often one of them was refused, at most."""
    next_at: datetime
    """When the next one is tried again."""


async def list_refused(database: Database) -> list[Refused]:
    """Read what each destination refuses."""
    rows = await database.fetch(_LIST)
    return [Refused(**{name: row[name] for name in Refused.__struct_fields__}) for row in rows]


async def retry_now(database: Database, destination: str, *, actor: str) -> int:
    """Have what a destination refused tried again at once; returns how many messages that are."""
    return await _act(database, _RETRY, destination, actor=actor, action="refused.retried", reason="")


async def abandon(database: Database, destination: str, *, before: datetime, reason: str, actor: str) -> int:
    """Never publish to this destination what it has refused and what happened before an instant; returns how many that were.

    No other destination misses anything. Who did it, why, and which messages stand in `operator_actions`.
    """
    return await _act(
        database, _ABANDON, destination, actor=actor, action="refused.given_up", reason=reason, before=before
    )


async def write_down(tx: Connection, *, actor: str, action: str, subject: str, detail: str) -> None:
    """Write into `operator_actions` what an operator does in this transaction; `detail` is JSON."""
    await _WRITE_DOWN.execute(tx, id=new_id(), actor=actor, action=action, subject=subject, detail=detail)


async def _act(
    database: Database,
    statement: Statement,
    destination: str,
    *,
    actor: str,
    action: str,
    reason: str,
    **more: datetime,
) -> int:
    count = idle = 0
    # Nothing twice: what the relay was trying the first time is there again under another number if it was refused.
    while idle < 2:
        async with database.transaction() as tx:
            rows = await statement.fetch(tx, destination=destination, limit=_STEP, **more)
            if rows:
                ids = [str(row["event_id"]) for row in rows]
                detail = {"reason": reason, "count": len(rows), "event_ids": ids}
                await write_down(tx, actor=actor, action=action, subject=destination, detail=json.dumps(detail))
        count += len(rows)
        idle = 0 if rows else idle + 1
    log.warning(
        "outbox.operator_action", action=action, destination=destination, actor=actor, count=count, reason=reason
    )
    return count


async def command(service: str, database: Database, arguments: Sequence[str], *, now: datetime) -> str:
    """Do what the command line `[list | retry DESTINATION | give-up DESTINATION --reason TEXT [--before TIMESTAMP]]` says.

    Raises:
        Invalid: when an argument is malformed.
        NotFound: when nothing waits for that destination.
    """
    parser = argparse.ArgumentParser(prog=f"python -m services.{service} refused", allow_abbrev=False)
    steps = parser.add_subparsers(dest="step")
    steps.add_parser("list")
    again = steps.add_parser("retry")
    again.add_argument("destination")
    end = steps.add_parser("give-up")
    end.add_argument("destination")
    end.add_argument("--reason", required=True, help="why nobody needs these messages there")
    end.add_argument("--before", default="", help="RFC 3339: only what happened before; default: all")
    given = parser.parse_args(arguments)
    if given.step in (None, "list"):
        return "\n".join(describe(service, each) for each in await list_refused(database)) or "Nothing is refused."
    if given.step == "retry":
        count = await retry_now(database, given.destination, actor=getpass.getuser())
        done = "are tried again now"
        if not count and any(each.destination == given.destination for each in await list_refused(database)):
            return f"what {given.destination} refuses is being tried again already"
    else:
        count = await abandon(
            database,
            given.destination,
            before=_instant(given.before) if given.before else now,
            reason=given.reason,
            actor=getpass.getuser(),
        )
        done = "are abandoned; operator_actions names them"
    if not count:
        raise NotFound(f"the {service} has no such message for '{given.destination}'")
    return f"{count} messages of the {service} for {given.destination} {done}"


def describe(service: str, refused: Refused) -> str:
    """Write one line about a destination."""
    name = refused.destination or "an unknown contract"
    return (
        f"{refused.count} messages of the {service} refused by {name}, the oldest of {iso(refused.oldest)}, up to "
        f"{refused.attempts} times; tried again at {iso(refused.next_at)}"
    )


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as fault:
        raise Invalid(f"'{text}' is no instant; write 2026-11-22T10:00:00Z") from fault
    if instant.tzinfo is None:
        raise Invalid(f"'{text}' has no time zone; write 2026-11-22T10:00:00Z")
    return instant
