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
from functools import partial
from pathlib import Path

import pytest

from tests.support.mutation.anew import Anew
from tests.support.mutation.bench import Bench
from tests.support.mutation.changes import Mutant, mutants
from tests.support.mutation.targets import GROUPS, ROOT, UNIT, equivalents, modules

KILLED_MIN = 0.90
KEPT = ROOT / ".local" / "mutation"
"""What runs leave for the next one: what was measured, and what became of each mutant."""
_PLUGINS = ("-p", "pytest_asyncio.plugin", "-p", "anyio.pytest_plugin")
"""All that these tests need; each other one costs a second of every start."""
_OPTIONS = ("-x", "-q", "-s", "-p", "no:cacheprovider", *_PLUGINS)


def judge(group: str, sample: list[Mutant], folder: Path, *, below: str) -> dict[str, str] | None:
    """Run a group's sample on its tests below a folder, and say what became of each; None when these fail on the code as it stands.

    All of it in `folder`, a copy of the checkout.
    """
    notes = folder / "verdicts.jsonl"
    by_name = {mutant.name: mutant for mutant in sample}

    def report(mutant: Mutant, word: str, tests: list[str]) -> None:
        with notes.open("a") as file:
            file.write(json.dumps([mutant.name, word, tests]) + "\n")
        if word != "later":
            print(f"{word:9} {len(tests):3} tests  {mutant.path}:{mutant.lines[0]}  {mutant.change}", flush=True)

    child = os.fork()
    if not child:
        _run(
            folder,
            [test for test in GROUPS[group].tests if test.startswith(below)],
            Bench(folder, sample, report, kept=KEPT / f"ran-{group}.json"),
        )
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        return None
    verdicts = {}
    anew: Anew | None = None
    for text in notes.read_text().splitlines() if notes.exists() else ():
        name, word, tests = json.loads(text)
        mutant = by_name[name]
        if word == "later":
            anew = anew or Anew(folder, partial(_run, folder))
            word = anew.judge(mutant, tests) if tests else "survived"
            report(mutant, word, tests)
        verdicts[name] = word
    return verdicts


def _run(folder: Path, tests: list[str], plugin: object) -> None:
    """Run pytest in this process, a fork, which ends with it."""
    code = 1
    try:
        os.chdir(folder)
        sys.path = [str(folder), *(part for part in sys.path if Path(part or ".").resolve() != ROOT)]
        # The copy's, but for the plugin that runs already.
        for name in [name for name in sys.modules if name.startswith("tests")]:
            del sys.modules[name]
        code = int(pytest.main([*_OPTIONS, *tests], plugins=[plugin]))
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
    parser.add_argument("--resume", action="store_true", help="leave out what an earlier run with this seed has killed")
    parser.add_argument(
        "--unit", action="store_true", help="only the unit tests, in minutes; --resume shows the rest to all tests"
    )
    parser.add_argument("--only", default="", help="only modules whose path contains this")
    chosen = parser.parse_args()
    os.environ |= {"PYTEST_SEED": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for library in ("asyncpg", "litestar", "msgspec", "sqlalchemy.ext.asyncio", "pytest_asyncio.plugin"):
        __import__(library)
    known, enough = equivalents(), True
    lines: list[str] = []
    for group in chosen.group or GROUPS:
        kept = KEPT / f"verdicts-{group}-{chosen.seed}.json"
        judged: dict[str, str] = json.loads(kept.read_text()) if chosen.resume and kept.exists() else {}
        sample: list[Mutant] = []
        for path in modules(GROUPS[group]):
            if chosen.only in path:
                every = mutants(path, (ROOT / path).read_text())
                sample += random.Random(f"{chosen.seed}:{path}").sample(every, min(chosen.sample, len(every)))
        open_yet = [m for m in sample if m.name not in known and judged.get(m.name, "survived") == "survived"]
        if open_yet:
            with tempfile.TemporaryDirectory(prefix="mutants-") as name:
                folder = Path(name).resolve()
                copy_checkout(folder)
                verdicts = judge(group, open_yet, folder, below=UNIT if chosen.unit else "tests")
            if verdicts is None:
                print(f"the tests of {group} fail as it stands")
                return 1
            judged |= verdicts
            KEPT.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(judged, indent=1))
        enough &= _summarise(group, sample, judged, known, lines)
    print("\n".join(["", f"sample of {chosen.sample} in each module, seed {chosen.seed}", *lines]))
    return 0 if enough else 1


def _summarise(group: str, sample: list[Mutant], judged: dict[str, str], known: set[str], lines: list[str]) -> bool:
    words: dict[str, Counter[str]] = {}
    for mutant in sample:
        word = "equivalent" if mutant.name in known else judged[mutant.name].replace("endless", "killed")
        words.setdefault(mutant.path, Counter())[word] += 1
        if word == "survived":
            print(f"  survived  {mutant.path}:{mutant.lines[0]}  {mutant.name}", flush=True)
    every = sum(words.values(), Counter[str]())
    share = every["killed"] / max(1, every["killed"] + every["survived"])
    for module, counted in [(f"**{group}, {share:.0%}**", every), *((f"`{path}`", of) for path, of in words.items())]:
        lines.append(f"| {module} | {counted['killed']} | {counted['survived']} | {counted['equivalent']} |")
    return share >= KILLED_MIN


if __name__ == "__main__":
    sys.exit(main())
