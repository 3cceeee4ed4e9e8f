"""Every process finds the same tests: what runs them in several processes, or again by name, needs that."""

import asyncio
import sys

import pytest

from deploy.local.layout import ROOT

pytestmark = pytest.mark.integration


async def _names() -> list[str]:
    """List the tests as a process of its own finds them."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(300):
        printed, _ = await process.communicate()
    return sorted(line for line in printed.decode().splitlines() if "::" in line)


async def test_two_processes_find_the_same_tests() -> None:
    first = await _names()
    # Not at once: a name that has the time in it would be the same.
    second = await _names()
    assert set(first) ^ set(second) == set()
    assert len(first) > 5_000
