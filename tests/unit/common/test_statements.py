"""Statements bind by name, all of them and no others, and read structs back from rows."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec
import pytest

from libs.common.db.statements import Statement, columns_of, reader_of, values_of


class Status(StrEnum):
    OPEN = "OPEN"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    names: tuple[str, ...] = ()
    status: Status = Status.OPEN
    at: datetime | None = None


ITEM = Item(id=UUID(int=7), names=("a", "b"), at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "expected", "values", "arguments"),
    [
        ("SELECT :a, :b, :a", "SELECT $1, $2, $1", {"b": 2, "a": 1}, [1, 2]),
        ("SELECT :a::text, 'it''s :b' -- :c\n", "SELECT $1::text, 'it''s :b' -- :c\n", {"a": 1}, [1]),
        ("SELECT :item.id, :item.names", "SELECT $1, $2", {"item": ITEM}, [ITEM.id, ["a", "b"]]),
        ("SELECT unnest(:items[].id::uuid[])", "SELECT unnest($1::uuid[])", {"items": [ITEM, ITEM]}, [[ITEM.id] * 2]),
        ("SELECT 1", "SELECT 1", {}, []),
    ],
)
def test_names_become_positions(text: str, expected: str, values: dict[str, Any], arguments: list[Any]) -> None:
    statement = Statement(text)
    assert statement.text == expected
    assert statement.arguments(values) == arguments


def test_constants_are_written_into_the_text_and_may_have_parameters() -> None:
    statement = Statement("SELECT '{b}' FROM t WHERE {key} LIMIT {limit}", key="id = :id", limit=5)
    assert statement.text == "SELECT '{b}' FROM t WHERE id = $1 LIMIT 5"


@pytest.mark.parametrize("values", [{}, {"a": 1}, {"a": 1, "b": 2, "c": 3}])
def test_values_that_are_missing_or_unknown_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"missing values: .* unknown values: "):
        Statement("SELECT :a, :b").arguments(values)


def test_columns_values_and_rows_come_from_the_fields_of_a_struct() -> None:
    assert columns_of(Item, without=["at"]) == "id, names, status"
    assert values_of("item", Item, without=["status", "at"]) == ":item.id, :item.names"
    row = {"other": 1, "id": ITEM.id, "names": ["a", "b"], "status": "OPEN", "at": ITEM.at}
    assert reader_of(Item)(cast("asyncpg.Record", row)) == ITEM
