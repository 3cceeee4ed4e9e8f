"""Changes the code a little, many times, and looks whether a test notices: `just mutate --sample 10 --seed 1`.

Each mutant is one small change of one module (a comparison, a sign, a constant, a statement left out) in a copy of the
checkout, on which the tests of that module run until the first failure. One that no test notices has survived: a test is
missing, or the change means nothing. The latter stand, each with its reason, in `tests/mutation-survivors.txt` and do not
count.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
EQUIVALENT = ROOT / "tests" / "mutation-survivors.txt"
KILLED_MIN = 0.90
TEST_SECONDS = 120
"""A mutant that never ends is noticed too."""

_PLUGINS = ("-p", "pytest_asyncio.plugin", "-p", "anyio.pytest_plugin")
"""All that these tests need; each other one costs a second of every start."""

UNIT, INTEGRATION = "tests/unit", "tests/integration"
TARGETS: dict[str, tuple[str, ...]] = {
    "libs/common/money.py": (f"{UNIT}/common/test_money.py",),
    "services/api/domain/intent.py": (f"{UNIT}/api/test_domain.py", f"{UNIT}/api/test_lifecycle_table.py"),
    "services/api/domain/lifecycle.py": (f"{UNIT}/api/test_domain.py", f"{UNIT}/api/test_lifecycle_table.py"),
    "services/gateway/domain.py": (f"{UNIT}/gateway/test_domain.py", f"{UNIT}/gateway/test_bounds.py"),
    "services/gateway/resilience/bulkhead.py": (f"{UNIT}/gateway/test_resilience.py",),
    "services/gateway/resilience/calling.py": (f"{UNIT}/gateway/test_resilience.py",),
    "services/gateway/resilience/circuit.py": (
        f"{UNIT}/gateway/test_resilience.py",
        f"{UNIT}/gateway/test_circuit_gauge.py",
    ),
    "services/ledger/domain.py": (
        f"{UNIT}/ledger/test_domain.py",
        f"{UNIT}/ledger/test_bounds.py",
        f"{UNIT}/ledger/test_posting.py",
        f"{UNIT}/ledger/test_rules.py",
    ),
    "services/ledger/rules/conversion.py": (f"{UNIT}/ledger/test_rules.py", f"{UNIT}/ledger/test_exchange.py"),
    "services/ledger/rules/payments.py": (f"{UNIT}/ledger/test_rules.py", f"{UNIT}/ledger/test_story.py"),
    "services/ledger/rules/roles.py": (f"{UNIT}/ledger/test_rules.py",),
    "services/ledger/rules/story.py": (f"{UNIT}/ledger/test_story.py", f"{UNIT}/ledger/test_rules.py"),
    "services/ledger/posting/decision.py": (f"{UNIT}/ledger/test_posting.py", f"{UNIT}/ledger/test_domain.py"),
    "services/notifier/domain.py": (f"{UNIT}/notifier/test_domain.py", f"{UNIT}/notifier/test_health.py"),
    "services/notifier/egress.py": (f"{UNIT}/notifier/test_egress.py",),
    "services/notifier/schedule": (f"{UNIT}/notifier/test_schedule.py", f"{UNIT}/notifier/test_health.py"),
    "services/notifier/signing": (f"{UNIT}/notifier/test_signing.py",),
    "libs/common/messaging/redelivery.py": (f"{UNIT}/common/test_redelivery.py", f"{INTEGRATION}/messaging"),
    "libs/common/messaging/envelope.py": (f"{UNIT}/common/test_contracts.py", f"{INTEGRATION}/messaging"),
    "libs/common/messaging/relay.py": (f"{INTEGRATION}/messaging",),
    "libs/common/messaging/consumer.py": (f"{INTEGRATION}/messaging",),
    "services/api/idempotency.py": (f"{UNIT}/api/test_idempotency.py", f"{INTEGRATION}/api/test_payment_intents.py"),
}
"""The modules in which an error costs money or messages, a folder standing for its files, and the tests that fit."""


class Mutant(NamedTuple):
    """One change of one module."""

    path: str
    scope: str
    change: str
    number: int
    """Which of the like changes in its scope."""
    line: int
    source: str

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


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node may be changed into."""
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


def mutants(path: str, source: str) -> list[Mutant]:
    """List every change of a module's functions and constants, annotations and docstrings left alone."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    counts: dict[tuple[str, str], int] = {}

    def visit(node: ast.AST, scope: tuple[str, ...]) -> None:
        for field, value in ast.iter_fields(node):
            if field in {
                "annotation",
                "returns",
                "decorator_list",
                "type_params",
                "bases",
                "keywords",
            } and not isinstance(node, ast.Call):
                continue
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST) or _is_idle(child):
                    continue
                for changed in changes(child):
                    add(node, field, index if isinstance(value, list) else None, child, changed, scope)
                inner = (*scope, child.name) if isinstance(child, _NAMED) else scope
                visit(child, inner)

    def add(
        parent: ast.AST, field: str, index: int | None, child: ast.AST, changed: ast.AST, scope: tuple[str, ...]
    ) -> None:
        put(parent, field, index, ast.copy_location(changed, child))
        try:
            mutated = ast.unparse(ast.fix_missing_locations(tree))
        finally:
            put(parent, field, index, child)
        change = f"{_brief(child)} -> {_brief(changed)}"
        where = ".".join(scope) or "module"
        number = counts[where, change] = counts.get((where, change), 0) + 1
        found.append(Mutant(path, where, change, number, getattr(child, "lineno", 0), mutated))

    def put(parent: ast.AST, field: str, index: int | None, child: ast.AST) -> None:
        if index is None:
            setattr(parent, field, child)
        else:
            getattr(parent, field)[index] = child

    visit(tree, ())
    return found


_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _is_idle(node: ast.AST) -> bool:
    """Tell what cannot be noticed: types, log lines, what only tools read."""
    if isinstance(node, ast.TypeAlias):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = ast.unparse(node.value.func)
        return called.startswith(("assert_never", "log.", "_log.", "logger.", "self._log.", "metrics."))
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _brief(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(copy.copy(node))).split())
    return text if len(text) <= 90 else f"{text[:87]}..."


def modules() -> dict[str, tuple[str, ...]]:
    """Return the files of all targets with their tests."""
    found: dict[str, tuple[str, ...]] = {}
    for path, tests in TARGETS.items():
        files = sorted((ROOT / path).glob("*.py")) if (ROOT / path).is_dir() else [ROOT / path]
        there = tuple(test for test in tests if (ROOT / test).exists())
        found |= {str(file.relative_to(ROOT)): there for file in files if file.name != "__init__.py"}
    return found


def equivalents() -> set[str]:
    """Read the names of changes that mean nothing; each stands below the comment with its reason."""
    lines = EQUIVALENT.read_text().splitlines() if EQUIVALENT.exists() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


class Workshop:
    """A copy of the checkout in which one module at a time is changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("libs", "services", "deploy", "tests", "docs", "scripts"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", ".env.example", "docker-compose.yml", "justfile"):
            shutil.copy(ROOT / name, folder / name)
        (ROOT / ".local").mkdir(exist_ok=True)
        # The servers that run for this checkout serve its copy too.
        (folder / ".local").symlink_to(ROOT / ".local")

    def is_sound(self, path: str, tests: tuple[str, ...]) -> bool:
        """Run the tests on a module as it stands; what they compile serves all mutants, except of that module."""
        passed = self._code(tests, keeps_bytecode=True) == 0
        file = self._folder / path
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            compiled.unlink()
        return passed

    def is_noticed(self, path: str, source: str, tests: tuple[str, ...]) -> bool:
        """Run the tests on a changed module and tell whether one fails; the module is put back."""
        file = self._folder / path
        original = file.read_text()
        file.write_text(source)
        try:
            return self._code(tests, keeps_bytecode=False) != 0
        finally:
            file.write_text(original)

    def _code(self, tests: tuple[str, ...], *, keeps_bytecode: bool) -> int:
        # A fork that has imported pytest and the libraries already starts in no time.
        child = os.fork()
        if not child:
            self._run(tests, keeps_bytecode)
        deadline = time.monotonic() + TEST_SECONDS
        while time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return 1

    def _run(self, tests: tuple[str, ...], keeps_bytecode: bool) -> None:
        code = 1
        try:
            os.setsid()
            os.chdir(self._folder)
            log = os.open(self._folder / "last.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ |= {"PYTEST_SEED": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
            sys.dont_write_bytecode = not keeps_bytecode
            sys.pycache_prefix = None
            sys.path = [str(self._folder), *(part for part in sys.path if Path(part or ".").resolve() != ROOT)]
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *_PLUGINS, *tests]))
        finally:
            os._exit(code)


def main() -> int:
    """Run a sample and print what survived; 0 when enough of it was noticed."""
    parser = argparse.ArgumentParser(prog="mutate", description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=10, help="how many changes of each module (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: %(default)s)")
    parser.add_argument("--only", default="", help="only modules whose path contains this")
    parser.add_argument("--without-servers", action="store_true", help="only modules whose tests need no server")
    chosen = parser.parse_args()
    for library in ("asyncpg", "hypothesis", "litestar", "msgspec", "sqlalchemy.ext.asyncio", "pytest_asyncio.plugin"):
        __import__(library)
    known, survived, noticed, excused = equivalents(), list[Mutant](), 0, 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        shop = Workshop(Path(folder))
        for path, tests in modules().items():
            needs_servers = any(test.startswith(INTEGRATION) for test in tests)
            if chosen.only not in path or (chosen.without_servers and needs_servers):
                continue
            source = (ROOT / path).read_text()
            if not shop.is_sound(path, tests):
                print((Path(folder) / "last.log").read_text()[-3000:])
                print(f"the tests of {path} fail as it stands: {' '.join(tests)}")
                return 1
            every = mutants(path, source)
            chance = random.Random(f"{chosen.seed}:{path}")
            began, lost = time.monotonic(), len(survived)
            for mutant in chance.sample(every, min(chosen.sample, len(every))):
                if mutant.name in known:
                    excused += 1
                elif shop.is_noticed(path, mutant.source, tests):
                    noticed += 1
                else:
                    survived.append(mutant)
                    print(f"  survived  {mutant.path}:{mutant.line}  {mutant.name}", flush=True)
            print(f"{path}: {len(survived) - lost} survived, {time.monotonic() - began:.0f} s", flush=True)
    share = noticed / max(1, noticed + len(survived))
    print(f"{noticed} killed, {len(survived)} survived, {excused} equivalent: {share:.1%} killed (seed {chosen.seed})")
    return 0 if share >= KILLED_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
