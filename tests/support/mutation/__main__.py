"""Changes the code a little, many times, and looks whether a test notices: `just mutate --sample 25 --seed 1`.

Each mutant is one small change of one module (a comparison, a sign, a constant, a member of an enumeration, a statement or a
row of a table left out) in a copy of the checkout, on which the tests that run the changed lines run until the first failure.
One that no test notices has survived: a test is missing, or the change means nothing. The latter stand, each with its reason,
in `tests/mutation-survivors.txt` and do not count.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.mutation.bench import WORDS, Bench, begin_alone, ended
from tests.support.mutation.changes import Mutant, changed_source, mutants
from tests.support.mutation.targets import GROUPS, ROOT, equivalents, modules

KILLED_MIN = 0.90
_SLOW_SECONDS = 180
_PLUGINS = ("-p", "pytest_asyncio.plugin", "-p", "anyio.pytest_plugin")
"""All that these tests need; each other one costs a second of every start."""
_OPTIONS = ("-x", "-q", "-s", "-p", "no:cacheprovider", *_PLUGINS)


class Verdict(NamedTuple):
    """What became of a mutant: killed, endless (which is killed too), or survived."""

    module: str
    name: str
    line: int
    word: str


def judge(group: str, sample: list[Mutant], folder: Path) -> list[Verdict] | None:
    """Run a group's sample in `folder`, a copy of the checkout; None when its tests fail on the code as it stands."""
    notes = folder / "verdicts.jsonl"
    by_name = {mutant.name: mutant for mutant in sample}

    def report(mutant: Mutant, word: str, tests: list[str]) -> None:
        with notes.open("a") as file:
            file.write(json.dumps([mutant.name, word, tests]) + "\n")
        if word != "later":
            print(f"{word:9} {len(tests):3} tests  {mutant.path}:{mutant.lines[0]}  {mutant.change}", flush=True)

    child = os.fork()
    if not child:
        _run(folder, list(GROUPS[group].tests), Bench(folder, sample, report))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        return None
    verdicts = []
    for text in notes.read_text().splitlines() if notes.exists() else ():
        name, word, tests = json.loads(text)
        mutant = by_name[name]
        if word == "later":
            word = _judge_anew(folder, mutant, tests) if tests else "survived"
            report(mutant, word, tests)
        verdicts.append(Verdict(mutant.path, name, mutant.lines[0], word))
    return verdicts


def _judge_anew(folder: Path, mutant: Mutant, tests: list[str]) -> str:
    file = folder / mutant.path
    original = file.read_text()
    file.write_text(changed_source(mutant.path, original, mutant))
    try:
        child = os.fork()
        if not child:
            begin_alone(folder)
            sys.dont_write_bytecode = True
            _run(folder, tests)
        return WORDS.get(ended(child, seconds=_SLOW_SECONDS), "killed")
    finally:
        file.write_text(original)


def _run(folder: Path, tests: list[str], plugin: Bench | None = None) -> None:
    """Run pytest in this process, a fork, which ends with it."""
    code = 1
    try:
        os.chdir(folder)
        sys.path = [str(folder), *(part for part in sys.path if Path(part or ".").resolve() != ROOT)]
        # The copy's, but for the plugin that runs already.
        for name in [name for name in sys.modules if name.startswith("tests")]:
            del sys.modules[name]
        code = int(pytest.main([*_OPTIONS, *tests], plugins=[plugin] if plugin else []))
    finally:
        sys.stdout.flush()
        os._exit(code)


def copy_checkout(folder: Path) -> None:
    """Copy what the tests need; the servers that run for this checkout serve its copy too."""
    for name in ("libs", "services", "deploy", "tests", "docs", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".env.example", "docker-compose.yml", "justfile"):
        shutil.copy(ROOT / name, folder / name)
    (ROOT / ".local").mkdir(exist_ok=True)
    (folder / ".local").symlink_to(ROOT / ".local")


def main() -> int:
    """Run a sample and print what survived; 0 when enough of every group was noticed."""
    parser = argparse.ArgumentParser(prog="mutate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=25, help="how many changes of each module (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default: %(default)s)")
    parser.add_argument("--group", action="append", choices=list(GROUPS), help="only these groups of modules")
    parser.add_argument("--only", default="", help="only modules whose path contains this")
    chosen = parser.parse_args()
    os.environ |= {"PYTEST_SEED": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for library in ("asyncpg", "litestar", "msgspec", "sqlalchemy.ext.asyncio", "pytest_asyncio.plugin"):
        __import__(library)
    known, enough = equivalents(), True
    lines: list[str] = []
    for group in chosen.group or GROUPS:
        sample: list[Mutant] = []
        excused: Counter[str] = Counter()
        for path in modules(GROUPS[group]):
            if chosen.only in path:
                every = mutants(path, (ROOT / path).read_text())
                picked = random.Random(f"{chosen.seed}:{path}").sample(every, min(chosen.sample, len(every)))
                excused[path] = sum(mutant.name in known for mutant in picked)
                sample += [mutant for mutant in picked if mutant.name not in known]
        if not sample:
            continue
        with tempfile.TemporaryDirectory(prefix="mutants-") as name:
            folder = Path(name).resolve()
            copy_checkout(folder)
            verdicts = judge(group, sample, folder)
            if verdicts is None:
                print((folder / "last.log").read_text()[-3000:] if (folder / "last.log").exists() else "")
                print(f"the tests of {group} fail as it stands")
                return 1
        enough &= _summarise(group, verdicts, excused, lines)
    print("\n".join(["", f"sample of {chosen.sample} in each module, seed {chosen.seed}", *lines]))
    return 0 if enough else 1


def _summarise(group: str, verdicts: list[Verdict], excused: Counter[str], lines: list[str]) -> bool:
    killed = Counter(verdict.module for verdict in verdicts if verdict.word != "survived")
    judged = Counter(verdict.module for verdict in verdicts)
    for verdict in verdicts:
        if verdict.word == "survived":
            print(f"  survived  {verdict.module}:{verdict.line}  {verdict.name}", flush=True)
    lines += [
        f"| `{module}` | {killed[module]} | {judged[module] - killed[module]} | {excused[module]} |"
        for module in excused
    ]
    share = killed.total() / max(1, judged.total())
    lines.append(f"| **{group}** | **{share:.0%}** of {judged.total()} | | |")
    return share >= KILLED_MIN


if __name__ == "__main__":
    sys.exit(main())
