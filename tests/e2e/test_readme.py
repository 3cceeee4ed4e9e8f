"""The examples that are printed work as they are printed: every curl of the README and the docs is run, and its answer compared.

A printed answer shows some members of the real one, or the first elements of it; "…" stands for what is new each time.
"""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.platform import ROOT, Platform

PAGES = sorted(
    page
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if re.search(r"^ *curl |\$\(curl ", page.read_text(), re.MULTILINE)
)
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED_ADDRESS = "$(.venv/bin/just url)"
"""How an example learns the address of the api; here the tests' own platform is meant."""
END = "--- end of the example ---"
SECONDS = 60


def examples(page: Path) -> list[tuple[str, Any]]:
    """The commands of a page that call the api, in their order, each with the answer printed below it, or None."""
    found: list[tuple[str, Any]] = []
    for language, text in BLOCK.findall(page.read_text()):
        if language == "sh" and "curl" in text:
            found.append((text, None))
        elif language == "json":
            assert found, f"{page.name} prints an answer before any command"
            found[-1] = (found[-1][0], json.loads(text))
    return found


def shows(printed: Any, real: Any) -> bool:
    """Whether a printed answer is true of a real one."""
    if printed == "…":
        return isinstance(real, str) and real != ""
    if isinstance(printed, dict):
        return isinstance(real, dict) and all(name in real and shows(printed[name], real[name]) for name in printed)
    if isinstance(printed, list):
        return isinstance(real, list) and len(real) >= len(printed) and all(map(shows, printed, real))
    return bool(printed == real)


async def answer_of(shell: asyncio.subprocess.Process, script: str) -> Any:
    """What the last command of a script prints, as JSON."""
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(f"{script}\necho; echo '{END}'\n".encode())
    await shell.stdin.drain()
    return json.loads((await shell.stdout.readuntil(f"{END}\n".encode())).decode().replace(END, ""))


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
async def test_every_printed_example_answers_as_printed(platform: Platform, page: Path) -> None:
    shell = await asyncio.create_subprocess_exec(
        "bash", "-eu", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert shell.stdin is not None
    assert shell.stdout is not None
    compared = 0
    try:
        for command, printed in examples(page):
            script = command.replace(PRINTED_ADDRESS, platform.base())
            assert "<" not in re.sub(r"'[^']*'", "", script), f"a placeholder that nobody can paste: {script}"
            assert not re.search(r"127\.0\.0\.1:8\d\d\d|localhost:8\d\d\d", command), (
                f"a port that may be moved: {command}"
            )
            is_read = not re.search(r" -(X|d) ", command)
            deadline = time.monotonic() + SECONDS
            answer = await asyncio.wait_for(answer_of(shell, script), SECONDS)
            # What is true a moment later is read again until then; a write happens once, as for a reader.
            while is_read and printed is not None and not shows(printed, answer) and time.monotonic() < deadline:
                answer = await asyncio.wait_for(answer_of(shell, script), SECONDS)
            if printed is not None:
                assert shows(printed, answer), f"{command}\nprints {printed}\nbut answers {answer}"
                compared += 1
    finally:
        shell.stdin.close()
        await asyncio.wait_for(shell.wait(), SECONDS)
    assert compared, "no answer is printed to compare with"


def test_first_payment_of_the_readme_is_among_the_pages() -> None:
    page = "docs/first-payment.md"
    assert ROOT / page in PAGES
    assert f"({page})" in (ROOT / "README.md").read_text()
