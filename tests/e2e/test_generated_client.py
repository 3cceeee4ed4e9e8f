"""A Python client that openapi-python-client generates of our document takes a payment, captures it and pays back."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e.bookkeeping import new_tenant, person
from tests.support import generated_client, official
from tests.support.platform import Platform

SECONDS = 600
"""For a slow machine; it takes ten."""


async def run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0, output.decode()[-6000:]
    return output.decode()


async def test_generated_client_makes_captures_and_refunds_a_payment(platform: Platform, tmp_path: Path) -> None:
    official.PLACE.mkdir(parents=True, exist_ok=True)
    program = await asyncio.to_thread(official.generator)
    if program is None:
        pytest.skip(f"{official.PYTHON_CLIENT} cannot be installed: no package index is reachable")
    made = tmp_path / "made"
    await run(*official.generation(program, official.DOCUMENTS / "openapi.json", made))
    operator = person(platform, new_tenant(), "team@example.com", ("payments:read", "payments:write"))
    script = str(Path(generated_client.__file__))
    # `-P`: the folder of the script is no place of modules.
    python = str(program.with_name("python"))
    printed = await run(python, "-P", script, str(made), platform.base(), operator.token, operator.tenant)
    assert printed.split() == ["PARTIALLY_REFUNDED"], printed
