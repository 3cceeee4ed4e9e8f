"""The small changes of a module, each of them a fault that somebody could write."""

import ast
import copy
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]


class Mutant(NamedTuple):
    """One change of one module."""

    path: str
    scope: str
    change: str
    number: int
    """Which of the like changes in its scope."""
    lines: tuple[int, int]
    """From the first line that is changed to the last."""
    function: tuple[str, int] | None
    """Qualified name and first line of the outermost function that is changed; None outside of functions."""
    stated: tuple[str, ...]
    """Outside of functions, the names that the changed statement gives a meaning to."""
    ordinal: int
    """Which of all the changes of its module."""

    @property
    def name(self) -> str:
        """What the change is called in the list of equivalents; lines may move without renaming it."""
        return f"{self.path}:{self.scope}: {self.change} #{self.number}"


_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DECLARED = {"annotation", "returns", "decorator_list", "type_params", "bases", "keywords"}
"""Fields of definitions that only types and tools read."""
_TABLE_ROWS_MIN = 2


@cache
def _enums() -> dict[str, list[list[str]]]:
    """Return the members of each enumeration by its name; services may use one name for several."""
    found: dict[str, list[list[str]]] = {}
    for folder in ("libs", "services"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Enum") for base in node.bases):
                    members = [
                        target.id
                        for line in node.body
                        if isinstance(line, ast.Assign)
                        for target in line.targets
                        if isinstance(target, ast.Name)
                    ]
                    found.setdefault(node.name, []).append(members)
    return found


def _next_member(enum: str, member: str) -> str | None:
    for members in _enums().get(enum, ()):
        if member in members and len(members) > 1:
            return members[(members.index(member) + 1) % len(members)]
    return None


def changes(node: ast.AST, *, in_table: bool) -> Iterator[ast.AST]:
    """Yield what a node may be changed into; sequences lose rows only `in_table`, elsewhere their length is their type."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARISONS:
            yield ast.Compare(node.left, [_COMPARISONS[type(operator)]()], node.comparators)
        case ast.BinOp() if type(node.op) in _ARITHMETIC and not isinstance(node.left, ast.JoinedStr):
            yield ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield ast.BoolOp(other, node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.UnaryOp(op=ast.USub()) if not isinstance(node.operand, ast.Constant):
            yield node.operand
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int() as number):
            yield ast.Constant(number + 1)
        case ast.IfExp():
            yield ast.IfExp(node.test, node.orelse, node.body)
        case ast.Raise() | ast.AugAssign():
            yield ast.Pass()
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield ast.Pass()
        case ast.Continue():
            yield ast.Break()
        case ast.Attribute(value=ast.Name(id=enum), attr=member):
            other_member = _next_member(enum, member)
            if other_member:
                yield ast.Attribute(node.value, other_member, node.ctx)
        case ast.Dict():
            yield from _table_changes(node)
        case ast.Set() | ast.Tuple() | ast.List() if in_table and len(node.elts) >= _TABLE_ROWS_MIN:
            for index in range(len(node.elts)):
                rest = node.elts[:index] + node.elts[index + 1 :]
                yield ast.Set(rest) if isinstance(node, ast.Set) else type(node)(rest, node.ctx)


def _table_changes(table: ast.Dict) -> Iterator[ast.AST]:
    """Yield the table without each of its rows, and with the value of the next row in each."""
    if len(table.values) < _TABLE_ROWS_MIN:
        return
    for index, value in enumerate(table.values):
        yield ast.Dict(table.keys[:index] + table.keys[index + 1 :], table.values[:index] + table.values[index + 1 :])
        after = table.values[(index + 1) % len(table.values)]
        if table.keys[index] is not None and ast.dump(after) != ast.dump(value):
            yield ast.Dict(table.keys, [*table.values[:index], after, *table.values[index + 1 :]])


def mutants(path: str, source: str) -> list[Mutant]:
    """List every change of a module's functions, tables and constants; what nobody can notice is left alone."""
    return _Walk(path, ast.parse(source)).found


def changed_source(path: str, source: str, mutant: Mutant) -> str:
    """Return a module with one change in it, in its old lines as far as `ast.unparse` keeps them."""
    return ast.unparse(changed_tree(path, source, mutant))


def changed_tree(path: str, source: str, mutant: Mutant) -> ast.Module:
    """Return a module with one change in it, as a tree whose places are the old ones."""
    walk = _Walk(path, ast.parse(source), ordinal=mutant.ordinal)
    if walk.changed is None:
        raise ValueError(f"{path} has no change {mutant.ordinal}")
    return ast.fix_missing_locations(walk.changed)


class _Walk:
    def __init__(self, path: str, tree: ast.Module, *, ordinal: int | None = None) -> None:
        self.found: list[Mutant] = []
        self.changed: ast.Module | None = None
        self._ordinal = ordinal
        self._path = path
        self._tree = tree
        self._counts: dict[tuple[str, str], int] = {}
        self._visit(tree, (), None, ())

    def _visit(
        self, node: ast.AST, scope: tuple[str, ...], function: tuple[str, int] | None, stated: tuple[str, ...]
    ) -> None:
        for field, value in ast.iter_fields(node):
            if field in _DECLARED and not isinstance(node, ast.Call):
                continue
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST) or _is_idle(child):
                    continue
                for changed in changes(child, in_table=_holds_table(node, field, function)):
                    place = index if isinstance(value, list) else None
                    self._add(node, field, place, child, changed, scope, function, stated)
                inner = (*scope, child.name) if isinstance(child, _NAMED) else scope
                outermost = function
                if function is None and isinstance(child, _FUNCTIONS):
                    outermost = (".".join(inner), min([child.lineno, *(d.lineno for d in child.decorator_list)]))
                self._visit(child, inner, outermost, stated if function else (*stated, *_names(child)))

    def _add(
        self,
        parent: ast.AST,
        field: str,
        index: int | None,
        child: ast.AST,
        changed: ast.AST,
        scope: tuple[str, ...],
        function: tuple[str, int] | None,
        stated: tuple[str, ...],
    ) -> None:
        ordinal = len(self.found)
        if ordinal == self._ordinal:
            _put(parent, field, index, ast.copy_location(changed, child))
            self.changed = copy.deepcopy(self._tree)
            _put(parent, field, index, child)
        change = _difference(child, changed)
        where = ".".join(scope) or "module"
        number = self._counts[where, change] = self._counts.get((where, change), 0) + 1
        first = getattr(child, "lineno", 0)
        lines = (first, getattr(child, "end_lineno", None) or first)
        self.found.append(Mutant(self._path, where, change, number, lines, function, stated, ordinal))


def _put(parent: ast.AST, field: str, index: int | None, child: ast.AST) -> None:
    if index is None:
        setattr(parent, field, child)
    else:
        getattr(parent, field)[index] = child


def _holds_table(parent: ast.AST, field: str, function: tuple[str, int] | None) -> bool:
    """Tell whether a literal is a table: a constant of a module or class, a set, what a membership is looked up in."""
    if isinstance(parent, ast.Compare) and field == "comparators":
        return isinstance(parent.ops[0], (ast.In, ast.NotIn))
    if isinstance(parent, ast.Call) and field == "args":
        return ast.unparse(parent.func) in {"frozenset", "set"}
    if isinstance(parent, ast.Assign) and any(isinstance(target, (ast.Tuple, ast.List)) for target in parent.targets):
        return False  # It is unpacked: no name can go without its value.
    return (
        function is None and isinstance(parent, (ast.Assign, ast.AnnAssign, ast.Tuple, ast.List)) and field != "targets"
    )


def _names(node: ast.AST) -> tuple[str, ...]:
    match node:
        case ast.Assign():
            return assigned(node.targets)
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.ClassDef(name=name):
            return (name,)
    return ()


def assigned(targets: Iterable[ast.expr]) -> tuple[str, ...]:
    """Return the names that an assignment gives a meaning to, those of unpacked tuples among them."""
    return tuple(
        node.id
        for target in targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )


_DESCRIBING = ("sa.Table", "sa.Column", "sa.Index", "sa.PrimaryKeyConstraint")
"""Descriptions of tables: nothing reads them but the tests of the schemas, which compare them with the migrations."""
_LOGGING = ("assert_never", "log.", "_log.", "logger.", "self._log.")


def _is_idle(node: ast.AST) -> bool:
    """Tell what cannot be noticed: types, log lines, the guard of `zip`, what only tools read."""
    match node:
        case ast.TypeAlias():
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__slots__" | "__match_args__")]):
            return True
        case ast.Expr(value=ast.Call(func=called)):
            return ast.unparse(called).startswith(_LOGGING)
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar" | "NewType" | "get_logger"))):
            return True
        case ast.Call(func=called) if ast.unparse(called).startswith(_DESCRIBING):
            return True
        case ast.keyword(arg="strict", value=ast.Constant()):
            return True
        case ast.If(test=test):
            return "TYPE_CHECKING" in ast.unparse(test)
    return False


def _difference(before: ast.AST, after: ast.AST) -> str:
    """Describe a change in one line; of a table only the row that is lost or changed."""
    if isinstance(before, ast.Dict) and isinstance(after, ast.Dict):
        rows, left = _rows(before), _rows(after)
        lost = next(row for row in [*rows, ""] if row not in left)
        gained = next((row for row in left if row not in rows), "")
        return f"row {_short(lost)} -> {_short(gained) if gained else 'left out'}"
    if isinstance(before, (ast.Set, ast.Tuple, ast.List)) and isinstance(after, (ast.Set, ast.Tuple, ast.List)):
        elements = [_brief(element) for element in before.elts]
        left = [_brief(element) for element in after.elts]
        lost = next((row for row, other in zip(elements, [*left, None], strict=True) if row != other), "")
        return f"row {lost} -> left out"
    return f"{_brief(before)} -> {_brief(after)}"


def _rows(table: ast.Dict) -> list[str]:
    return [
        f"{ast.unparse(key) if key else '**'}: {ast.unparse(value)}"
        for key, value in zip(table.keys, table.values, strict=True)
    ]


def _brief(node: ast.AST) -> str:
    return _short(ast.unparse(ast.fix_missing_locations(copy.copy(node))))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else f"{line[:87]}..."
