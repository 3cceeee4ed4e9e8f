"""The scripts: thin wrappers, and a Python that really runs."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from deploy.local.cli import main
from deploy.local.layout import ROOT

pytestmark = pytest.mark.unit

WRAPPERS = ("demo", "test", "up", "down", "migrate", "seed", "smoke", "logs", "api-export")
SCRIPTS = [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_parses_and_may_be_run(script: Path) -> None:
    assert script.stat().st_mode & stat.S_IXUSR
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_script_opens_the_recipe_of_its_name(name: str) -> None:
    code = [line for line in (ROOT / "scripts" / f"{name}.sh").read_text().splitlines() if not line.startswith("#")]
    assert code == ['. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"', f'recipe {name} "$@"']
    assert re.search(rf"^{name}( \*\w+)?:", (ROOT / "justfile").read_text(), re.MULTILINE)


def test_every_task_has_a_sentence() -> None:
    lines = (ROOT / "justfile").read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"^[a-z][a-z-]*( [*\w ]+)?:($| )", line) and line != "default:":
            above = [other for other in lines[max(0, number - 4) : number] if other.startswith("# ")]
            assert above, f"say what `{line}` does"


@pytest.mark.parametrize("name", WRAPPERS)
def test_help_explains_a_script_and_starts_nothing(name: str, tmp_path: Path) -> None:
    script = ROOT / "scripts" / f"{name}.sh"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [f"./{name}.sh", "--help"], cwd=script.parent, capture_output=True, text=True, env=env, check=True, timeout=30
    )
    sentence = script.read_text().splitlines()[1].removeprefix("# ")
    assert done.stdout == f"usage: ./scripts/{name}.sh [ARGUMENT ...]\n{sentence}\n"


@pytest.mark.parametrize(
    "task", ["demo", "up", "down", "status", "restart", "logs", "migrate", "seed", "smoke", "env", "url"]
)
def test_help_explains_a_task(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([task, "--help"])
    assert ended.value.code == 0
    assert f"usage: python -m deploy.local {task}" in capsys.readouterr().out
    assert re.search(rf"^{task} \*\w+: setup\n    @.*\"\$@\"$", (ROOT / "justfile").read_text(), re.MULTILINE)


def fake_python(folder: Path, name: str, answer: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{answer}\n")
    file.chmod(0o755)


def found(tmp_path: Path) -> str:
    """Ask the scripts' library which Python it would take, with nothing but fakes around."""
    env = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    script = f'. "{ROOT}/scripts/_lib.sh"; find_python'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env, check=True, timeout=30)
    return done.stdout.strip()


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    """A machine whose every `python3.1x` on PATH is a shim that fails, and whose python3 is too old."""
    for name in ("python3.14", "python3.13", "python3.12"):
        fake_python(tmp_path / "bin", name, f"echo 'pyenv: {name}: command not found' >&2; exit 127")
    fake_python(tmp_path / "bin", "python3", "echo")
    return tmp_path


def test_a_shim_that_fails_is_passed_over_for_one_that_runs(fakes: Path) -> None:
    fake_python(fakes / ".pyenv" / "versions" / "3.12.1" / "bin", "python3", "echo 3.12")
    fake_python(fakes / ".pyenv" / "versions" / "3.13.0" / "bin", "python3", "echo 3.13")
    fake_python(fakes / ".pyenv" / "versions" / "3.9.9" / "bin", "python3", "echo")
    assert found(fakes) == str(fakes / ".pyenv" / "versions" / "3.13.0" / "bin" / "python3")


def test_the_newest_that_runs_is_taken(fakes: Path) -> None:
    fake_python(fakes / "bin", "python3.12", "echo 3.12")
    fake_python(fakes / "bin", "python3.14", "echo 3.14")
    assert found(fakes) == str(fakes / "bin" / "python3.14")


def test_none_is_an_answer_too(fakes: Path) -> None:
    assert found(fakes) == ""


def test_nothing_here_names_a_machine_or_asks_for_more_than_it_needs() -> None:
    for script in SCRIPTS:
        text = script.read_text()
        assert "sudo" not in text
        assert os.sep + "work" + os.sep not in text
