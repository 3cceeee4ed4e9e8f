"""The form of the code: how long a file and the name of a test may be."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
LINES_MAX = 400
"""A longer file has more than one subject."""
LONGER = {
    "services/api/schema/tables.py": "one table after another, as the database has them",
    "services/ledger/schema/tables.py": "one table after another, as the database has them",
}
"""Files above the bound, each with the reason."""
NAME_MAX = 70
COUNTED = {"libs/common/db/statements.py": "it turns names into positions"}
"""Files with the positions of several parameters, each with the reason."""


@cache
def files() -> tuple[str, ...]:
    """Return every Python file of ours."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "services", "libs", "deploy", "tests", "clients"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    names = (name for name in listing.stdout.splitlines() if name.endswith(".py") and "/generated/" not in name)
    return tuple(name for name in names if (ROOT / name).is_file())


def test_file_is_short_enough_to_have_one_subject() -> None:
    long = {name: len((ROOT / name).read_text().splitlines()) for name in files()}
    assert {name: lines for name, lines in long.items() if lines > LINES_MAX and name not in LONGER} == {}


def test_exceptions_for_long_files_are_needed() -> None:
    known = {name for name in LONGER if (ROOT / name).is_file()}
    assert {name for name in known if len((ROOT / name).read_text().splitlines()) <= LINES_MAX} == set()
    assert known == set(LONGER)


def names_in(name: str) -> list[str]:
    return re.findall(r"^ *(?:async )?def (test_\w+)", (ROOT / name).read_text(), re.MULTILINE)


def test_name_of_a_test_is_a_short_sentence() -> None:
    long = [
        f"{name}: {test}"
        for name in files()
        if name.startswith("tests/")
        for test in names_in(name)
        if len(test) > NAME_MAX
    ]
    assert long == []


def test_statement_of_sql_has_its_reason_above() -> None:
    bare = []
    for name in files():
        if not re.match(r"services/.*(/sql\.py|/sql/\w+\.py)$", name):
            continue
        above = ""
        for number, line in enumerate((ROOT / name).read_text().splitlines(), start=1):
            if re.match(r"\w+ = Statement\(", line) and not above.startswith("#"):
                bare.append(f"{name}:{number}: {line}")
            above = line
    assert bare == []


def test_statement_counts_no_positions() -> None:
    counted = {
        name
        for name in files()
        if name.startswith(("libs/", "services/")) and "/migrations/" not in name
        if re.search(r"\$[2-9]", (ROOT / name).read_text())
    }
    assert counted == COUNTED.keys(), "write the statement with `Statement`, which binds by name"


def test_statements_are_run_by_functions_unless_calls_join_a_group() -> None:
    """A class that has a database has it for a group commit; everything else is a function that is given one."""
    classes = {}
    for name in files():
        if not re.match(r"services/.*(/sql\.py|/sql/\w+\.py)$", name):
            continue
        for source in re.split(r"^(?=class )", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]:
            if re.search(r"def __init__\(self, database: Database", source):
                classes[f"{name}: {source.split('(')[0].split(':')[0]}"] = "GroupCommit(" in source
    assert len(classes) > 2
    assert [name for name, has_groups in classes.items() if not has_groups] == []


def test_workers_are_listed_by_their_subject() -> None:
    made = {
        name for name in files() if name.startswith("services/") and re.search(r"\bWorker\(", (ROOT / name).read_text())
    }
    elsewhere = {name for name in made if not re.search(r"/workers(\.py|/\w+\.py)$", name)}
    assert elsewhere == set(), "list it in `workers.py` of its subject: `def <subject>_workers(...) -> list[Worker]`"
    assert len(made) > 20
    unlisted = {name for name in made if not re.search(r"def \w+_workers\(", (ROOT / name).read_text())}
    assert unlisted == set()


def import_contracts() -> list[dict[str, Any]]:
    contracts: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    return contracts


def test_every_domain_is_kept_pure() -> None:
    (pure,) = (contract for contract in import_contracts() if contract["id"] == "domain-pure")
    domains = {re.sub(r"/domain(\.py|/.*)$", "/domain", name) for name in files() if name.startswith("services/")}
    domains = {name.replace("/", ".") for name in domains if name.endswith("/domain")}
    assert domains <= set(pure["source_modules"])


def test_every_subject_has_an_order_of_its_files() -> None:
    ordered = {each for contract in import_contracts() if contract.get("exhaustive") for each in contract["containers"]}
    found = (re.match(r"services/\w+/(?!schema/)\w+(?=/)", name) for name in files())
    assert {match[0].replace("/", ".") for match in found if match} <= ordered


def test_pattern_of_a_member_lets_no_line_break_through_at_its_end() -> None:
    """`$` matches before a last line break too; what a schema shows has no other word for the end."""
    loose = [
        f"{name}: {pattern}"
        for name in files()
        if name.startswith(("libs/", "services/"))
        for pattern in re.findall(r'pattern=r?"([^"]*\$)"', (ROOT / name).read_text())
        if not pattern.endswith(r"(?!\n)$")
    ]
    assert loose == []
