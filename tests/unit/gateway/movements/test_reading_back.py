"""A movement that is published again is read from its columns: each field of the same name has one."""

from services.gateway.movements.sql import resending
from services.gateway.schema.tables import PROCESSOR_MOVEMENTS


def test_every_field_read_by_its_name_is_a_column() -> None:
    assert {column.name for column in PROCESSOR_MOVEMENTS.columns} >= resending._SAME
