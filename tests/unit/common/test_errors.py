"""Each code of a problem is declared by one class of the whole repository, and raised by nothing but that class."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.support.sources import files, named, nodes

OFF_THE_WIRE = {"libs/common/errors.py", "libs/common/messaging/requests.py"}
"""Where a code is passed on that came with a reply: its class is known to the service that answered."""


def declared() -> Iterator[tuple[str, str]]:
    """Every code that the body of a class assigns, and the class."""
    for file in files("libs", "services"):
        for kind in nodes(file):
            if not isinstance(kind, ast.ClassDef):
                continue
            for line in kind.body:
                if isinstance(line, ast.Assign) and [getattr(target, "id", "") for target in line.targets] == ["code"]:
                    yield ast.literal_eval(line.value), f"{named(file)}:{kind.name}"


def test_each_code_is_declared_by_one_class() -> None:
    classes = defaultdict(list)
    for code, kind in declared():
        classes[code].append(kind)
    assert len(classes) > 120
    assert {code: kinds for code, kinds in classes.items() if len(kinds) > 1} == {}


def test_no_code_of_a_problem_is_written_down_again() -> None:
    codes = dict(declared())
    classes = {kind.rpartition(":")[2] for kind in codes.values()}
    again = [
        f"{named(file)}:{call.lineno}"
        for file in files("libs", "services")
        if named(file) not in OFF_THE_WIRE
        for call in nodes(file)
        if isinstance(call, ast.Call)
        for given in call.keywords
        if given.arg == "code"
        and (
            ast.unparse(call.func) in classes or (isinstance(given.value, ast.Constant) and given.value.value in codes)
        )
    ]
    assert again == []
