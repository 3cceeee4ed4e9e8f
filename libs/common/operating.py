"""What an operator does to a service's messages by command, beside the running service."""

import argparse
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from libs.common.clock import iso
from libs.common.db import Database
from libs.common.errors import NotFound
from libs.common.messaging.letters import DeadQueue, dead_letters
from libs.common.messaging.published import kept_since, publish_again
from libs.common.messaging.redrive import redrive
from libs.common.messaging.refused import command
from libs.common.messaging.resend import TIMEOUT_SECONDS, Window, parse_window
from libs.common.settings import BrokerSettings, DatabaseSettings

COMMANDS = {
    "dead": "dead [QUEUE]",
    "redrive": "redrive [QUEUE] [--id EVENT]",
    "refused": "refused",
    "resend": "resend --since <instant>",
}
"""What every service can do, and how it is written."""
LETTERS_SHOWN = 100
"""Dead letters of a queue that are listed, the oldest ones."""


class Stored(Protocol):
    """Settings of a service that has a database and a broker."""

    @property
    def database(self) -> DatabaseSettings:
        """Where it remembers."""

    @property
    def broker(self) -> BrokerSettings:
        """Where its messages are."""


async def operate[S: Stored](
    name: str,
    service: str,
    settings: S,
    arguments: Sequence[str],
    *,
    rebuild: Callable[[S, Window], Awaitable[int]] | None,
    more: Sequence[str],
) -> str:
    """Carry one of the commands out; returns what to print. `more` are the service's queues that settings name."""
    now = datetime.now(UTC)
    match name:
        case "dead":
            return await list_dead(service, settings.broker, arguments, more=more, now=now)
        case "redrive":
            return await send_back(service, settings.broker, arguments, more=more)
        case "refused":
            return await refused(service, settings.database, arguments)
        case _:
            return await resend(service, settings, parse_window(service, arguments, now=now), rebuild=rebuild)


async def list_dead(
    service: str, broker: BrokerSettings, arguments: Sequence[str], *, more: Sequence[str], now: datetime
) -> str:
    """List the dead letters of a service, or of one of its queues: since when, why, and about which payment."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service} dead", allow_abbrev=False)
    parser.add_argument("queue", metavar="QUEUE", nargs="?", default="", help="one queue only")
    chosen = parser.parse_args(arguments).queue
    queues = await dead_letters(broker.rabbitmq_url, service, limit=LETTERS_SHOWN, more=more)
    shown = [queue for queue in queues if chosen in ("", queue.queue)]
    if not shown:
        return f"The {chosen or service} has no dead letters."
    return "\n".join(line for queue in shown for line in _lines(service, queue, now=now))


def _lines(service: str, queue: DeadQueue, *, now: datetime) -> list[str]:
    lines = [f"{queue.queue}: {queue.count} dead letters. All of them back: just redrive {service} {queue.queue}"]
    for letter in queue.letters:
        age = "of unknown age" if letter.failed_at is None else f"{_age((now - letter.failed_at).total_seconds())} old"
        about = f", payment {letter.payment_intent_id}" if letter.payment_intent_id else ""
        lines += [f"  {letter.event_id}  {age}{about}", f"    {letter.reason}: {letter.detail}".rstrip(": ")]
    if left := queue.count - len(queue.letters):
        lines.append(f"  and {left} more" if left > 0 else "")
    return [line for line in lines if line]


def _age(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


async def send_back(service: str, broker: BrokerSettings, arguments: Sequence[str], *, more: Sequence[str]) -> str:
    """Send dead letters back to their queues: of all queues or one, all of them or one.

    Raises:
        NotFound: when no dead letter has the event that was named.
    """
    parser = argparse.ArgumentParser(prog=f"python -m services.{service} redrive", allow_abbrev=False)
    parser.add_argument("queue", metavar="QUEUE", nargs="?", default="", help="one queue only")
    parser.add_argument("--id", default="", metavar="EVENT", help="one letter only, by the id that `dead` shows")
    chosen = parser.parse_args(arguments)
    url = broker.rabbitmq_redrive_url or broker.rabbitmq_url
    queues = [chosen.queue]
    if not chosen.queue:
        queues = [found.queue for found in await dead_letters(broker.rabbitmq_url, service, limit=0, more=more)]
    lines, moved = [], 0
    for queue in queues:
        done = await redrive(url, queue, event_id=chosen.id)
        moved += done.moved
        if done.moved or not chosen.id:
            lines.append(
                f"{done.moved} dead letters went back to {queue}, {done.returned} of them have died again so far, "
                f"{done.left} are left"
            )
    if chosen.id and not moved:
        raise NotFound(f"no dead letter of the {service} has the event {chosen.id}: it may have gone back already")
    return "\n".join(lines) or f"The {service} has no dead letters."


async def resend[S: Stored](
    service: str, settings: S, window: Window, *, rebuild: Callable[[S, Window], Awaitable[int]] | None = None
) -> str:
    """Publish again what a service published in a window; returns a sentence that says how much that was.

    What is kept is published exactly as it was; what is older is rebuilt, where the service can.
    """
    database = Database(
        msgspec.structs.replace(settings.database, database_timeout_seconds=TIMEOUT_SECONDS),
        schema=service,
        application_name=f"{service}-resend",
    )
    await database.open()
    try:
        since = await kept_since(database) or window.until
        count = await publish_again(database, window)
    finally:
        await database.close()
    sentence = f"the {service} publishes {count} messages again"
    if window.since >= since:
        return sentence
    older = msgspec.structs.replace(window, until=min(window.until, since))
    if rebuild is None:
        return f"{sentence}; what it published before {iso(older.until)} is not kept (OUTBOX_KEPT_DAYS)"
    return f"{sentence}, and {await rebuild(settings, older)} outcomes from before {iso(older.until)} as its tables know them"


async def refused(service: str, settings: DatabaseSettings, arguments: Sequence[str]) -> str:
    """Do what an operator says about messages that destinations refuse; returns what to print."""
    patient = msgspec.structs.replace(settings, database_timeout_seconds=TIMEOUT_SECONDS)
    database = Database(patient, schema=service, application_name=f"{service}-refused")
    await database.open()
    try:
        return await command(service, database, arguments, now=datetime.now(UTC))
    finally:
        await database.close()
