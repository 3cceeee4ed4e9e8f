"""How a command is made: of a function that asks a client, with an example that tests run."""

import functools
import shlex
import uuid
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import click
import httpx

from payments_client import Client, errors
from payments_client.payctl import session
from payments_client.payctl.output import show
from payments_client.problems import ApiError, PaymentsError

LIMIT = 50
_PASSING = frozenset({401, 408, 425, 429})
"""Refusals of a request that is sent again later, after others of the same command that may have had no answer."""


class Command(click.Command):
    """A command whose help ends with an example."""

    example: str
    columns: Sequence[str] = ()
    """The members that are shown of each object of a list."""

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        with formatter.section("Example"):
            formatter.write_text(self.example)


def command(
    group: click.Group | None, name: str, *, example: str, columns: Sequence[str] = ()
) -> Callable[[Callable[..., object]], click.Command]:
    """Make a command of a function that takes a client, and what `click` reads, and returns what is shown.

    Args:
        group: to which it belongs; None: it stands alone.
        name: how it is called.
        example: a whole line; `$PAYMENT` and the like stand for ids.
        columns: the members that are shown of each object of a list.
    """

    def made(function: Callable[..., object]) -> click.Command:
        @functools.wraps(function)
        def run(*, as_json: bool, **arguments: Any) -> None:
            if arguments.get("idempotency_key", "") is None:
                # Made here, not in the client: it is shown when the command is interrupted, too.
                arguments["idempotency_key"] = str(uuid.uuid4())
            key = arguments.get("idempotency_key")
            with session.client() as client:
                answered(lambda: function(client, **arguments), columns=columns, as_json=as_json, key=key)

        found = register(group, name, run, example=example)
        found.columns = columns
        return found

    return made


def register(group: click.Group | None, name: str, function: Callable[..., object], *, example: str) -> Command:
    """Make a command of a function that needs no client that has logged in."""
    option = click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
    found = click.command(name, cls=Command)(option(function))
    found.example = example
    if group is not None:
        group.add_command(found)
    return found


def answered(ask: Callable[[], object], *, columns: Sequence[str], as_json: bool, key: str | None = None) -> None:
    """Show what is answered, or end with a sentence about what was refused.

    Args:
        ask: sends the request.
        columns: the members that are shown of each object of a list.
        as_json: print JSON.
        key: the idempotency key of a write; shown where its outcome is open, so that it is not done twice.

    Raises:
        click.ClickException: it was refused, had no answer that can be read, or could not be sent.
    """
    try:
        show(ask(), columns=columns, as_json=as_json)
    except errors.Unauthenticated as refused:
        raise click.ClickException(f"{refused}. Log in again: payctl login{_repeat(key, refused)}") from None
    except ApiError as refused:
        violations = "".join(f"\n  {each.pointer}: {each.detail}" for each in refused.problem.errors or ())
        message = f"{refused} (correlation id {refused.correlation_id}){violations}{_repeat(key, refused)}"
        raise click.ClickException(message) from None
    except PaymentsError as failed:
        raise click.ClickException(f"{failed}{_repeat(key, failed)}") from None
    except (ValueError, httpx.InvalidURL) as malformed:
        # Before anything was sent.
        raise click.ClickException(str(malformed)) from None
    except KeyboardInterrupt as interrupted:
        click.echo(_repeat(key, interrupted), err=True, nl=key is not None)
        raise


def _repeat(key: str | None, failed: BaseException) -> str:
    """Return how to do a write once, where its outcome is open; empty: it is no write, or had no effect."""
    if key is None:
        return ""
    how = f"Repeat it with --idempotency-key {shlex.quote(key)}"
    if isinstance(failed, ApiError) and failed.status < 500 and not isinstance(failed, errors.IdempotencyInProgress):
        return f"\n{how}" if failed.status in _PASSING else ""
    return f"\nIt may have taken effect. {how}"


limited = click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True, help="So many at most.")
again = click.option("--idempotency-key", help="Repeat an earlier command with its key: it takes effect once.")
waiting = click.option("--no-wait", is_flag=True, help="Answer at once, before the outcome is known.")


def first[T](found: Iterable[T], limit: int) -> list[T]:
    """Return so many at most, of pages that are read as they are needed."""
    return list(islice(found, limit))


def preferred(*, no_wait: bool) -> str | None:
    """Return the `Prefer` header of a write that waits for its outcome, or does not."""
    return "respond-async" if no_wait else None


def given(**members: object) -> dict[str, Any]:
    """Return the members of a body that were given."""
    return {name: value for name, value in members.items() if value is not None and value != ()}


__all__ = [
    "Client",
    "Command",
    "again",
    "answered",
    "command",
    "first",
    "given",
    "limited",
    "preferred",
    "register",
    "waiting",
]
