"""`payctl dead-letters`."""

import click

from payments_client import Client
from payments_client.payctl.commands import LIMIT, again, command

_COLUMNS = ("service", "id", "queue", "reason", "age_seconds", "message_id")
_SERVICES = ("api", "gateway", "ledger", "notifier")
_service = click.argument("service", type=click.Choice(_SERVICES))
_letter = click.argument("letter")


@click.group("dead-letters")
def dead_letters() -> None:
    """See what services could not handle, and send it back once the cause is gone; for operators of the platform."""


@command(dead_letters, "list", example="payctl dead-letters list --service ledger", columns=_COLUMNS)
@click.option("--service", type=click.Choice(_SERVICES), help="Of this service alone.")
@click.option("--queue", help="Of this queue alone.")
@click.option("--limit", type=click.IntRange(1, 200), default=LIMIT, show_default=True, help="So many at most.")
def list_(client: Client, *, service: str | None, queue: str | None, limit: int) -> object:
    """List dead letters, the oldest first."""
    found = client.list_dead_letters(service=service, queue=queue, limit=limit)
    if found.unavailable:
        click.echo(f"No answer from: {', '.join(found.unavailable)}", err=True)
    return found.data


@command(dead_letters, "show", example="payctl dead-letters show ledger $LETTER")
@_service
@_letter
def show(client: Client, *, service: str, letter: str) -> object:
    """Show a LETTER of a SERVICE with its content, without what is secret."""
    return client.get_dead_letter(service, letter)


@command(dead_letters, "redrive", example="payctl dead-letters redrive ledger $LETTER")
@_service
@_letter
@again
def redrive(client: Client, *, service: str, letter: str, idempotency_key: str | None) -> object:
    """Have a LETTER of a SERVICE handled again."""
    return client.redrive_dead_letter(service, letter, idempotency_key=idempotency_key)
