"""How a command is made: of a function that asks a client, with an example that tests run."""

import functools
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import click

from payments_client import Client, errors
from payments_client.payctl import session
from payments_client.payctl.output import show
from payments_client.problems import ApiError, PaymentsError

LIMIT = 50


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
            with session.client() as client:
                answered(lambda: function(client, **arguments), columns=columns, as_json=as_json)

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


def answered(ask: Callable[[], object], *, columns: Sequence[str], as_json: bool) -> None:
    """Show what is answered, or end with a sentence about what was refused."""
    try:
        show(ask(), columns=columns, as_json=as_json)
    except errors.Unauthenticated as refused:
        raise click.ClickException(f"{refused}. Log in again: payctl login") from None
    except ApiError as refused:
        violations = "".join(f"\n  {each.pointer}: {each.detail}" for each in refused.problem.errors or ())
        raise click.ClickException(f"{refused} (correlation id {refused.correlation_id}){violations}") from None
    except PaymentsError as failed:
        raise click.ClickException(str(failed)) from None


limited = click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True, help="So many at most.")
again = click.option("--idempotency-key", help="Repeat an earlier command with its key: it takes effect once.")
waiting = click.option(
    "--wait", type=click.IntRange(0, 30), default=10, show_default=True, help="Seconds to wait for the outcome."
)


def first[T](found: Iterable[T], limit: int) -> list[T]:
    """Return so many at most, of pages that are read as they are needed."""
    return list(islice(found, limit))


def given(**members: object) -> dict[str, Any]:
    """Return the members of a body that were given."""
    return {name: value for name, value in members.items() if value is not None and value != ()}


__all__ = ["Client", "Command", "again", "answered", "command", "first", "given", "limited", "register", "waiting"]
