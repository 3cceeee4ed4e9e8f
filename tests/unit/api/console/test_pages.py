"""Pages as they are declared: each has an address and a letter of its own, and names operations that there are."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from services.api.console.assets import assets
from services.api.console.declared import HIDDEN, Act, Detail, Listing, Panel
from services.api.console.operations import Operations
from services.api.console.pages import GROUPS, PAGES
from services.api.routing import resources
from tests.support.console import Seat

OPERATIONS = Operations(resources(is_local=True), dict)


def named(declared: Any) -> Iterator[str]:
    """Yield the operations that a declaration names."""
    if isinstance(declared, Act | Detail | Listing | Panel) and declared.operation:
        yield declared.operation
    if isinstance(declared, msgspec.Struct):
        for value in msgspec.structs.asdict(declared).values():
            for one in value if isinstance(value, tuple) else (value,):
                yield from named(one)


def test_each_page_has_its_own_address_and_letter() -> None:
    keys = Counter(page.key for page in PAGES)
    letters = Counter(page.letter for page in PAGES if page.letter)

    assert {name for name, count in (keys + letters).items() if count > 1} == set()
    assert {page.group for page in PAGES} <= {*GROUPS, HIDDEN}


def test_pages_name_operations_that_there_are() -> None:
    found = {operation for page in PAGES for operation in (page.needs, *named(page))}

    assert {name for name in found if name not in OPERATIONS} == set()


async def test_the_page_of_another_version_has_a_style_that_nobody_keeps() -> None:
    seat = Seat()
    name = assets()["css"].name
    own = await seat.get(f"/console/assets/{name}")
    others = await seat.get("/console/assets/console.0123456789ab.css")

    assert "immutable" in own.headers["cache-control"]
    assert (others.status_code, others.content, others.headers["cache-control"]) == (200, own.content, "no-store")
    for unknown in ("console.0123456789ab.exe", "console.css", f"{name}.css"):
        assert (await seat.get(f"/console/assets/{unknown}")).status_code == 404
