"""What commands print: tables in a terminal, tab-separated lines where they are piped, JSON where it is chosen."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

type Rows = Iterable[msgspec.Struct]


def show(found: object, *, columns: Sequence[str], as_json: bool) -> None:
    """Print what a command returns.

    Args:
        found: an object, a list of objects, an iterator of objects, or None. An iterator is printed as it comes.
        columns: the members of an object of a list that are shown; those of a single one are shown all.
        as_json: print an object, an array, or an object a line for an iterator.
    """
    if found is None:
        return
    if isinstance(found, Iterator):
        for one in found:
            _line(json_of(one) if as_json else "\t".join(_cells(one, columns)))
    elif as_json:
        _line(json_of(found))
    elif isinstance(found, list):
        _rows(found, columns)
    else:
        _members(found)


@contextmanager
def progress(what: str, *, is_download: bool = False) -> Iterator[Callable[[str, int], None]]:
    """Show on standard error, while it is a terminal, that something goes on: a bar, and how long it has taken.

    Args:
        what: what goes on, until a step says otherwise.
        is_download: whether its steps are bytes, which are shown then.

    Yields:
        What takes each step: what goes on now, and how much of it has been done since the last one.
    """
    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False), BarColumn()]
    columns += [DownloadColumn()] if is_download else []
    is_terminal = sys.stderr.isatty()
    with Progress(
        *columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True, disable=not is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda now, done: bar.update(task, description=cell(now), advance=done)


def json_of(found: object) -> str:
    """Write as one line of JSON."""
    return msgspec.json.encode(found).decode()


def cell(value: object) -> str:
    """Write one value on a part of a line; what would end it, or steer a terminal, is a space."""
    match value:
        case None | msgspec.UNSET:
            return ""
        case bool():
            text = "yes" if value else "no"
        case str():
            text = str(value)
        case list() if all(isinstance(one, str) for one in value):
            text = ",".join(value)
        case msgspec.Struct() | list() | dict():
            text = json_of(value)
        case _:
            text = str(value)
    return "".join(character if character.isprintable() else " " for character in text)


def _line(text: str) -> None:
    # At once, so that whoever reads a pipe sees an event when it happens.
    click.echo(text)
    sys.stdout.flush()


def _cells(one: object, columns: Sequence[str]) -> list[str]:
    return [cell(getattr(one, name)) for name in columns]


def _rows(found: list[Any], columns: Sequence[str]) -> None:
    if not sys.stdout.isatty():
        for one in found:
            _line("\t".join(_cells(one, columns)))
        return
    table = Table(*(name.strip("_").replace("_", " ") for name in columns), box=None, header_style="bold")
    for one in found:
        table.add_row(*map(Text, _cells(one, columns)))
    Console().print(table)


def _members(found: object) -> None:
    members = [(name.strip("_"), cell(getattr(found, name))) for name in getattr(found, "__struct_fields__", ())]
    if not sys.stdout.isatty():
        for name, text in members:
            _line(f"{name}\t{text}")
        return
    table = Table(box=None, show_header=False)
    for name, text in members:
        if text:
            table.add_row(Text(name.replace("_", " "), style="bold"), Text(text))
    Console().print(table)
