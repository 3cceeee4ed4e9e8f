"""The program of the integration page runs as it is printed, and prints what the page says."""

import asyncio
import os
import re
import sys

from tests.support.platform import ROOT, Platform

PAGE = ROOT / "docs" / "integration.md"
SECONDS = 120


async def test_the_program_of_the_page_prints_what_the_page_says(platform: Platform) -> None:
    page = PAGE.read_text()
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        env=os.environ | {"API": platform.base(), "PYTHONPATH": str(ROOT / "clients/python")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await asyncio.wait_for(run.communicate(), SECONDS)
    assert run.returncode == 0, errors.decode()
    lines = printed.decode().split("\n")[:-1]
    assert len(lines) == 2
    assert all(f"`{line}`" in page for line in lines), lines
