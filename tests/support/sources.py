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


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """Return every node of a file: walking through all files takes longer than reading them."""
    return tuple(ast.walk(tree(file)))


def named(file: Path) -> str:
    """Return the path of a file within the repository."""
    return file.relative_to(ROOT).as_posix()
