"""The bootstrap file means the same to psql and to us, and no value can break out of it."""

import re

import pytest

from deploy.local.bootstrap import ROLES, SQL, bootstrap, identifier, literal, substitute
from deploy.local.errors import LocalFailure

pytestmark = pytest.mark.unit

PASSWORDS = {f"{role}_password": f"secret of {role}" for role in ROLES}


def test_every_variable_of_the_file_is_the_password_of_a_role() -> None:
    code = "\n".join(line for line in SQL.read_text().splitlines() if not line.startswith("--"))
    assert set(re.findall(r":'(\w+)'", code)) == set(PASSWORDS)


def test_the_file_has_no_meta_commands() -> None:
    assert not [line for line in SQL.read_text().splitlines() if line.lstrip().startswith("\\")]


def test_the_file_grants_nothing_by_default() -> None:
    code = "\n".join(line for line in SQL.read_text().splitlines() if not line.startswith("--"))
    assert "DEFAULT PRIVILEGES" not in code.upper()


def test_substitution_leaves_no_variable_and_no_comment_changed() -> None:
    script = substitute(SQL.read_text(), PASSWORDS)
    assert "'secret of ledger_app'" in script
    assert ":'variables'" in script
    assert not [line for line in script.splitlines() if not line.startswith("--") and re.search(r":'\w+'", line)]


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(LocalFailure, match="api_owner_password"):
        substitute(SQL.read_text(), {})


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("plain", "'plain'"),
        ("it's", "'it''s'"),
        ("'; DROP TABLE x; --", "'''; DROP TABLE x; --'"),
        ("back\\slash'", "E'back\\\\slash'''"),
    ],
)
def test_a_value_stays_a_value(value: str, quoted: str) -> None:
    assert literal(value) == quoted


@pytest.mark.parametrize("name", ["", "a" * 64, "nul\0"])
def test_an_impossible_database_name_is_refused(name: str) -> None:
    with pytest.raises(LocalFailure):
        identifier(name)


def test_a_name_is_quoted() -> None:
    assert identifier('a"b') == '"a""b"'


async def test_a_password_for_an_unknown_role_is_refused() -> None:
    with pytest.raises(LocalFailure, match="api_boss"):
        await bootstrap("postgresql://nobody@127.0.0.1:1/postgres", passwords={"api_boss": "x"})


async def test_a_server_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(LocalFailure, match=r"PostgreSQL at 127\.0\.0\.1 refused"):
        await bootstrap("postgresql://postgres@127.0.0.1:1/postgres")
