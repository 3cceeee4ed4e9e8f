"""Each test has a time of its own, in one database."""

import pytest

from libs.common.db import Database


@pytest.fixture(autouse=True)
async def nothing_is_over(database: Database) -> None:
    """Put the watermark back to where it began: tests with later clocks have moved it."""
    await database.fetch(
        "UPDATE watermark SET refused_before = '1970-01-01T00:00:00Z', final_before = '1970-01-01T00:00:00Z'"
    )
