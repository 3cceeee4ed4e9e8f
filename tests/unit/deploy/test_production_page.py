"""The checklist for production names settings that exist, with their defaults, and every setting of retention."""

import re
from collections.abc import Iterator

import msgspec
import pytest

from deploy.local import names
from deploy.local.bootstrap import SERVICES
from deploy.local.layout import ROOT
from libs.common import setting_names

pytestmark = pytest.mark.unit

PAGE = (ROOT / "docs" / "production.md").read_text()
OTHERS = {"VERSION", "REVISION", "PGSSLMODE", "PGSSLROOTCERT"}
"""Arguments of the image, and variables of PostgreSQL's library."""


def defaults(kind: type[msgspec.Struct]) -> Iterator[tuple[str, object]]:
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from defaults(field.type)
        else:
            yield field.name.upper(), field.default


EVERY = {name: default for service in SERVICES for name, default in defaults(names.settings_of(service))}


def test_page_names_settings_that_exist() -> None:
    named = set(re.findall(r"`([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)*)(?:=[^`]*)?`", PAGE)) - OTHERS
    assert len(named) > 20
    assert {name for name in named if not setting_names.is_known(name)} == set()


def test_page_lists_every_setting_of_retention_with_its_default() -> None:
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| ([\d, ]+) \|", PAGE, re.MULTILINE)
    shown: dict[str, int] = {}
    for listed, numbers in rows:
        values = [int(number) for number in numbers.split(", ")]
        settings = re.findall(r"`(\w+)`", listed)
        # One number for all of them, or one for each.
        shown |= dict(zip(settings, values * len(settings) if len(values) == 1 else values, strict=True))
    kept = {name for name in EVERY if name.endswith(("_RETENTION_DAYS", "_KEPT_DAYS"))}
    assert shown == {name: EVERY[name] for name in kept}


@pytest.mark.parametrize(
    ("setting", "shown"),
    [("HTTP_KEEP_ALIVE_SECONDS", "(95)"), ("HTTP_TIMEOUT_SECONDS", "(30)"), ("HTTP_BODY_BYTES_MAX", "(8 MiB)")],
)
def test_page_says_the_default(setting: str, shown: str) -> None:
    assert f"`{setting}` {shown}" in PAGE
    value = EVERY[setting]
    assert isinstance(value, int | float)
    assert shown in {f"({value:g})", f"({value / 1024**2:g} MiB)"}
