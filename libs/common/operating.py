"""What an operator does to a service's messages by command, beside the running service: on its database, never its broker."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from libs.common.clock import iso
from libs.common.db import Database
from libs.common.messaging.published import kept_since, publish_again
from libs.common.messaging.refused import command
from libs.common.messaging.resend import TIMEOUT_SECONDS, Window
from libs.common.settings import DatabaseSettings


class Stored(Protocol):
    """Settings of a service that has a database."""

    @property
    def database(self) -> DatabaseSettings:
        """Where it remembers."""


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
