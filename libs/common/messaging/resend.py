"""Publishing again what a service published: rebuilt from its own tables, for subscribers that have lost it.

A rebuilt event has the id that it had, or one derived from what it tells, so that subscribers take it once.
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from libs.common.contracts import published_by
from libs.common.errors import Invalid
from libs.common.messaging.envelope import Publication

PAGE_ROWS = 500
"""Rows that are read, and messages that are put into the outbox, in one transaction."""
TIMEOUT_SECONDS = 600.0
"""Deadline of one statement: it may read a large table from its beginning."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What is published again."""

    since: datetime
    """Only what happened at this instant or later."""
    until: datetime
    """Only what happened before this instant."""
    contract: str = ""
    """Only messages of this name; empty: all."""
    payment_intent_id: UUID | None = None
    """Only what is about this payment."""

    def of(self, publications: Sequence[Publication]) -> list[Publication]:
        """Keep those of the contract that was named."""
        return [publication for publication in publications if self.contract in ("", publication.message.contract.name)]


def parse_window(service: str, arguments: Sequence[str], *, now: datetime) -> Window:
    """Read the command line `--since TIMESTAMP [--until TIMESTAMP] [--contract NAME] [--intent ID]`.

    Raises:
        Invalid: when an argument is malformed, or the service publishes no such message.
    """
    parser = argparse.ArgumentParser(prog=f"python -m services.{service} resend", allow_abbrev=False)
    parser.add_argument("--since", required=True, help="RFC 3339: 2026-11-22T10:00:00Z")
    parser.add_argument("--until", default="", help="RFC 3339; default: now")
    parser.add_argument("--contract", default="", help="payment.captured")
    parser.add_argument("--intent", default="", help="a payment intent's id")
    given = parser.parse_args(arguments)
    names = sorted({message.contract.name for message in published_by(service)})
    if given.contract and given.contract not in names:
        raise Invalid(f"the {service} publishes no '{given.contract}'; it publishes {', '.join(names)}")
    try:
        intent = UUID(given.intent) if given.intent else None
    except ValueError as fault:
        raise Invalid(f"'{given.intent}' is no payment intent's id") from fault
    return Window(
        since=_instant(given.since),
        until=_instant(given.until) if given.until else now,
        contract=given.contract,
        payment_intent_id=intent,
    )


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as fault:
        raise Invalid(f"'{text}' is no instant; write 2026-11-22T10:00:00Z") from fault
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
