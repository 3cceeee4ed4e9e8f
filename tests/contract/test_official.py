"""Our documents with what other teams use, installed from npm: the official AsyncAPI parser, and TypeScript made of the OpenAPI document."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.support import official
from tests.support.samples import some

SECONDS = 300
"""For a slow machine; both together take thirty with all documents."""


@pytest.fixture(scope="module")
def node() -> tuple[Path, Path]:
    """Node, and the folder of the packages."""
    found = official.node_packages()
    if found is None:
        pytest.skip(f"{', '.join(official.PACKAGES)} cannot be installed: no package registry is reachable")
    return found


@pytest.mark.parametrize(("version", "is_taken"), [("v12.22.9", False), ("v20.0.0", True), ("what?", False)])
def test_node_on_path_is_taken_where_it_is_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, is_taken: bool
) -> None:
    there = tmp_path / "node", tmp_path / "npm"
    for each in there:
        each.write_text(f"#!/bin/sh\necho '{version}'\n")
        each.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(official, "installed", lambda package, command: None)
    assert official.node_and_npm() == (there if is_taken else None)


async def run(command: list[str]) -> tuple[int | None, str, str]:
    """Return the exit code, what was printed, and what Node and its packages say besides, as of what is deprecated."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, besides = await asyncio.wait_for(process.communicate(), SECONDS)
    return process.returncode, printed.decode(), besides.decode()


async def test_official_parser_takes_our_messages_and_no_others(node: tuple[Path, Path], tmp_path: Path) -> None:
    # The parser takes five seconds for each.
    ours = some(sorted(official.DOCUMENTS.glob("asyncapi-*.json")), name="asyncapi documents")
    broken = tmp_path / "broken.json"
    document = json.loads(ours[0].read_text())
    del document["info"]["title"]
    # Without its messages, so that it is parsed quickly.
    broken.write_text(json.dumps({name: document[name] for name in ("asyncapi", "info")}))
    code, printed, besides = await run(official.parsing(*node, *ours, broken))
    assert [line for line in printed.splitlines() if not line.startswith(" ")] == [
        *(f"{each}: taken, 0 errors and warnings" for each in ours),
        f"{broken}: refused, 1 errors and warnings",
    ], printed + besides
    assert code == 1, besides


async def test_types_of_the_openapi_document_compile_strictly(node: tuple[Path, Path], tmp_path: Path) -> None:
    for command in official.typescript(*node, tmp_path / "openapi.ts"):
        code, printed, besides = await run(command)
        assert code == 0, (printed + besides)[-6000:]
