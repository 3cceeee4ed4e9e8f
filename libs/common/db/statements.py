"""SQL with named parameters: text and values stand together, and no position is counted.

A statement is written with `:name` where a value goes, `:endpoint.url` for a field of a struct, and `:messages[].body` for
an array with that field of every struct in a sequence. It is turned into PostgreSQL's `$1, $2` once, when its module is
imported, and bound by keyword:

    _DELETE = Statement("DELETE FROM replays WHERE ended_at < :before")
    await _DELETE.execute(connection, before=before)

`columns_of`, `values_of` and `reader_of` write a table's column list, its placeholders and the way back from a row from
the fields of one struct, so that a new field cannot be left out in one of them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import asyncpg
import msgspec

from libs.common.db.connections import Connection

# What may look like a parameter and is none comes first: literals, comments and casts.
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|--[^\n]*|::\w+|:(?P<name>[a-z_][a-z0-9_]*)(?P<each>\[\])?(?:\.(?P<field>[a-z_][a-z0-9_]*))?"
)


class Statement:
    """One SQL statement, its text fixed and its values bound by name.

    `constants` are written into the text where it says `{name}`: limits that the planner must know, lists of columns.
    """

    __slots__ = ("_getters", "_names", "text")

    def __init__(self, text: str, **constants: object) -> None:
        places: dict[str, int] = {}
        getters: list[Callable[[Mapping[str, Any]], Any]] = []
        names: set[str] = set()

        def place(match: re.Match[str]) -> str:
            token, name = match[0], match["name"]
            if name is None:
                return token
            if token not in places:
                places[token] = len(places) + 1
                names.add(name)
                getters.append(_getter(name, match["field"], is_each=match["each"] is not None))
            return f"${places[token]}"

        for constant, value in constants.items():
            text = text.replace("{" + constant + "}", str(value))
        self.text = _TOKEN.sub(place, text)
        self._getters = tuple(getters)
        self._names = frozenset(names)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values by position.

        Raises:
            TypeError: when a value is missing, or one is given that the statement does not have.
        """
        if values.keys() != self._names:
            missing, unknown = sorted(self._names - values.keys()), sorted(values.keys() - self._names)
            raise TypeError(f"missing values: {missing}, unknown values: {unknown}, in: {self.text[:200]}")
        return [get(values) for get in self._getters]

    async def execute(self, connection: Connection, **values: Any) -> int:
        """Run the statement; returns how many rows it wrote."""
        status = await connection.execute(self.text, *self.arguments(values))
        return int(status.rpartition(" ")[2])

    async def executemany(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run the statement once for each mapping of values."""
        await connection.executemany(self.text, [self.arguments(values) for values in rows])

    async def fetch(self, connection: Connection, **values: Any) -> list[asyncpg.Record]:
        """Return every row."""
        return await connection.fetch(self.text, *self.arguments(values))

    async def fetchrow(self, connection: Connection, **values: Any) -> asyncpg.Record | None:
        """Return the first row, or None."""
        return await connection.fetchrow(self.text, *self.arguments(values))

    async def fetchval(self, connection: Connection, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        return await connection.fetchval(self.text, *self.arguments(values))


def columns_of(*kinds: type[msgspec.Struct], without: Sequence[str] = ()) -> str:
    """List the fields of structs as columns: `tenant_id, id, url`."""
    return ", ".join(_fields(kinds, without))


def values_of(name: str, kind: type[msgspec.Struct], without: Sequence[str] = ()) -> str:
    """List the fields of a struct as parameters: `:endpoint.tenant_id, :endpoint.id, :endpoint.url`."""
    return ", ".join(f":{name}.{field}" for field in _fields([kind], without))


def reader_of[S: msgspec.Struct](kind: type[S]) -> Callable[[asyncpg.Record], S]:
    """Return what makes a struct of a row that has a column for each of its fields, and perhaps others."""
    fields = _fields([kind], ())
    pick = itemgetter(*fields)

    def read(row: asyncpg.Record) -> S:
        return msgspec.convert(dict(zip(fields, pick(row), strict=True)), type=kind)

    return read


def _fields(kinds: Sequence[type[msgspec.Struct]], without: Sequence[str]) -> list[str]:
    return [field for kind in kinds for field in kind.__struct_fields__ if field not in without]


def _getter(name: str, field: str | None, *, is_each: bool) -> Callable[[Mapping[str, Any]], Any]:
    if field is None:
        return itemgetter(name)
    get = attrgetter(field)
    if is_each:
        return lambda values: [_plain(get(each)) for each in values[name]]
    return lambda values: _plain(get(values[name]))


def _plain(value: Any) -> Any:
    # Frozen structs hold tuples; asyncpg takes lists for arrays and reads a tuple as a row.
    return list(value) if type(value) is tuple else value
