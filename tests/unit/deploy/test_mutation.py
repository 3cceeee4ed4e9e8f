"""A change of the code meets the tests that can notice it."""

from pathlib import Path

from tests.support.mutation.changes import mutants
from tests.support.mutation.ran import Ran, users
from tests.support.mutation.targets import GROUPS, ROOT, equivalents, modules

UNPACKED = """\
_ASSET, _LIABILITY, *_OTHERS = 1, 2, 3, 4
_KIND = {"cash": _LIABILITY, "till": _ASSET}

def kind(name):
    return _KIND[name]
"""


def test_a_value_that_is_unpacked_belongs_to_every_name_of_the_assignment() -> None:
    (changed,) = [mutant for mutant in mutants("chart.py", UNPACKED) if mutant.change == "2 -> 3"]

    assert changed.stated == ("_ASSET", "_LIABILITY", "_OTHERS")


def test_no_value_is_taken_from_an_assignment_that_unpacks_it() -> None:
    assert not [mutant for mutant in mutants("chart.py", UNPACKED) if mutant.lines[0] == 1 and "row" in mutant.change]


def test_who_reads_a_table_made_of_unpacked_names_meets_their_changes(tmp_path: Path) -> None:
    code, test = tmp_path / "chart.py", tmp_path / "test_chart.py"
    code.write_text(UNPACKED)
    test.write_text("def test_kind(): ...\n")
    ran = Ran(
        {str(code): {1: {""}, 2: {""}, 4: {""}, 5: {"test_chart.py::test_kind"}}}, {"test_chart.py::test_kind": 0.1}
    )

    assert users(tmp_path, ran, ("_ASSET", "_LIABILITY")) == {"test_chart.py::test_kind"}


def test_later_calls_of_a_cached_function_see_changes_of_its_parts(tmp_path: Path) -> None:
    code, tests = tmp_path / "chart.py", ("test_chart.py::test_first", "test_chart.py::test_second")
    code.write_text("_CASH = 1\n\n@cache\ndef chart():\n    return {_CASH}\n\ndef kinds():\n    return len(chart())\n")
    (tmp_path / "test_chart.py").write_text("def test_first(): ...\ndef test_second(): ...\n")
    lines: dict[int, set[str]] = {1: {""}, 4: {""}, 5: {tests[0]}, 7: {""}, 8: set(tests)}

    assert users(tmp_path, Ran({str(code): lines}, dict.fromkeys(tests, 0.1)), ("_CASH",)) == set(tests)


def test_every_module_and_test_of_a_group_is_there() -> None:
    named = [path for group in GROUPS.values() for path in (*group.modules, *group.tests)]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_equivalent_change_is_one_of_todays_code() -> None:
    files = {name.split(":", 1)[0] for name in equivalents()}
    assert files <= {file for group in GROUPS.values() for file in modules(group)}
    known = {mutant.name for file in files for mutant in mutants(file, (ROOT / file).read_text())}
    assert equivalents() - known == set()
