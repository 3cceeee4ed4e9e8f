"""Our sources, read and parsed once for all tests that look at them. Nobody changes what is parsed."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def files(*folders: str) -> tuple[Path, ...]:
    """Return every Python file below some folders of the repository, in the order of their names."""
    return tuple(file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))


@cache
def tree(file: Path) -> ast.Module:
    """Return what a file says."""
    return ast.parse(file.read_text())


def named(file: Path) -> str:
    """Return the path of a file within the repository."""
    return file.relative_to(ROOT).as_posix()
