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
from libs.common.db.database import Database

# What may look like a parameter and is none comes first: literals, comments and casts.
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|--[^\n]*|::\w+|:(?P<name>[a-z_][a-z0-9_]*)(?P<each>\[\])?(?:\.(?P<field>[a-z_][a-z0-9_]*))?"
)


class Statement:
    """One SQL statement, its text fixed and its values bound by name.

    `constants` are written into the text where it says `{name}`: limits that the planner must know, lists of columns.
    """

    __slots__ = ("_groups", "_names", "_order", "text")

    def __init__(self, text: str, **constants: object) -> None:
        places: dict[str, int] = {}
        fields: dict[tuple[str, bool, bool], dict[str, int]] = {}

        def place(match: re.Match[str]) -> str:
            token, name = match[0], match["name"]
            if name is None:
                return token
            if token not in places:
                places[token] = len(places)
                group = name, match["each"] is not None, match["field"] is not None
                fields.setdefault(group, {})[match["field"] or ""] = places[token]
            return f"${places[token] + 1}"

        for constant, value in constants.items():
            text = text.replace("{" + constant + "}", str(value))
        self.text = _TOKEN.sub(place, text)
        self._names = frozenset(name for name, _, _ in fields)
        # All fields of one value are read at once, and put into the order of the text at the end.
        self._groups = tuple(
            _reader(name, list(group), is_each=is_each) for (name, is_each, _), group in fields.items()
        )
        flat = [position for group in fields.values() for position in group.values()]
        order = [flat.index(position) for position in range(len(flat))]
        self._order = None if order == list(range(len(order))) else itemgetter(*order)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values by position.

        Raises:
            TypeError: when a value is missing, or one is given that the statement does not have.
        """
        if values.keys() != self._names:
            missing, unknown = sorted(self._names - values.keys()), sorted(values.keys() - self._names)
            raise TypeError(f"missing values: {missing}, unknown values: {unknown}, in: {self.text[:200]}")
        flat = [value for read in self._groups for value in read(values)]
        return flat if self._order is None else list(self._order(flat))

    async def execute(self, connection: Connection, **values: Any) -> int:
        """Run the statement; returns how many rows it wrote."""
        status = await connection.execute(self.text, *self.arguments(values))
        return int(status.rpartition(" ")[2])

    async def executemany(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Run the statement once for each mapping of values."""
        await connection.executemany(self.text, [self.arguments(values) for values in rows])

    async def fetch(self, connection: Connection | Database, **values: Any) -> list[asyncpg.Record]:
        """Return every row."""
        return await connection.fetch(self.text, *self.arguments(values))

    async def fetchrow(self, connection: Connection | Database, **values: Any) -> asyncpg.Record | None:
        """Return the first row, or None."""
        return await connection.fetchrow(self.text, *self.arguments(values))

    async def write(self, database: Database, **values: Any) -> asyncpg.Record | None:
        """Run the statement as a transaction of its own and wake the relay; returns its first row, or None."""
        return await database.write(self.text, *self.arguments(values))

    async def write_all(self, database: Database, **values: Any) -> list[asyncpg.Record]:
        """Run the statement as a transaction of its own and wake the relay; returns all its rows."""
        return await database.write_all(self.text, *self.arguments(values))

    async def fetchval(self, connection: Connection, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        return await connection.fetchval(self.text, *self.arguments(values))


def columns_of(*kinds: type[msgspec.Struct], without: Sequence[str] = ()) -> str:
    """List the fields of structs as columns: `tenant_id, id, url`."""
    return ", ".join(_fields(kinds, without))


def values_of(name: str, kind: type[msgspec.Struct], without: Sequence[str] = ()) -> str:
    """List the fields of a struct as parameters: `:endpoint.tenant_id, :endpoint.id, :endpoint.url`."""
    return ", ".join(f":{name}.{field}" for field in _fields([kind], without))


def arrays_of(name: str, kinds: Mapping[str, str], without: Sequence[str] = ()) -> str:
    """List columns and their types as arrays with that field of every struct: `:rows[].id::uuid[], :rows[].url::text[]`."""
    return ", ".join(f":{name}[].{column}::{kind}[]" for column, kind in kinds.items() if column not in without)


def derived_id_sql(source: str, *, tail: str) -> str:
    """Write `libs.common.ids.derived_id` as SQL: of the id `source`, and of `tail`, the first ten bytes of its hash, each read several times."""
    return (
        f"encode(substr(uuid_send({source}), 1, 6) || set_byte(set_byte({tail}, 0, get_byte({tail}, 0) & 15 | 112), 2, "
        f"get_byte({tail}, 2) & 63 | 128), 'hex')::uuid"
    )


def reader_of[S: msgspec.Struct](kind: type[S]) -> Callable[[asyncpg.Record], S]:
    """Return what makes a struct of a row that has a column for each of its fields, and perhaps others."""
    fields = _fields([kind], ())
    pick = itemgetter(*fields)

    def read(row: asyncpg.Record) -> S:
        return msgspec.convert(dict(zip(fields, pick(row), strict=True)), type=kind)

    return read


def _fields(kinds: Sequence[type[msgspec.Struct]], without: Sequence[str]) -> list[str]:
    return [field for kind in kinds for field in kind.__struct_fields__ if field not in without]


def _reader(name: str, fields: list[str], *, is_each: bool) -> Callable[[Mapping[str, Any]], Iterable[Any]]:
    if fields == [""]:
        return lambda values: (values[name],)
    if len(fields) == 1:
        get = attrgetter(fields[0])
        if is_each:
            return lambda values: ([_plain(get(each)) for each in values[name]],)
        return lambda values: (_plain(get(values[name])),)
    # Every field of a struct by one call: a command binds dozens of them.
    pick = attrgetter(*fields)
    if is_each:
        return lambda values: (
            [_column(column) for column in zip(*map(pick, values[name]), strict=True)] or [[] for _ in fields]
        )
    return lambda values: map(_plain, pick(values[name]))


def _column(values: tuple[Any, ...]) -> list[Any]:
    return list(map(_plain, values)) if type(values[0]) is tuple else list(values)


def _plain(value: Any) -> Any:
    # Frozen structs hold tuples; asyncpg takes lists for arrays and reads a tuple as a row.
    return list(value) if type(value) is tuple else value
