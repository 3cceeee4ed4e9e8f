"""localstripe, somebody else's fake Stripe, in an environment of its own: what it needs must not meet what we need."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.support.ports import free_port

VERSION = "1.15.10"
FOLDER = Path(__file__).parents[2] / ".local" / f"localstripe-{VERSION}"
_INSTALL_SECONDS = 180
_UV = (os.environ.get("PATH", ""), str(Path(__file__).parents[2] / ".local" / "uv" / "bin"))
"""Where uv may be."""
_START_SECONDS = 20
_TRANSLATED = """
import sys
from localstripe.resources import PaymentIntent
from localstripe.server import start

create = PaymentIntent._api_create.__func__

def translated(cls, **params):
    if "allowed_payment_method_types" in params:
        params["payment_method_types"] = params.pop("allowed_payment_method_types")
    return create(cls, **params)

PaymentIntent._api_create = classmethod(translated)
sys.exit(start())
"""
"""Its version of the API is one before 2026-09-30.endive, in which the types of payment methods had another name."""


def installed() -> Path | None:
    """The program, installed when it is not there yet; None where no package index can be reached."""
    program, complete = FOLDER / "bin" / "localstripe", FOLDER / "complete"
    if not complete.exists():
        # An installation that was interrupted is made anew; a renamed one would not start, scripts name their folder.
        if not _install():
            return None
        complete.touch()
    return program


def _install() -> bool:
    """Install it, by uv where it is: pip takes ten times the work."""
    uv, name = shutil.which("uv", path=os.pathsep.join(_UV)), f"localstripe=={VERSION}"
    if uv:
        commands = [
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(FOLDER)],
            [uv, "pip", "install", "--quiet", "--python", str(FOLDER / "bin" / "python"), name],
        ]
    else:
        commands = [
            [sys.executable, "-m", "venv", "--clear", str(FOLDER)],
            [str(FOLDER / "bin" / "pip"), "install", "--quiet", name],
        ]
    return all(subprocess.run(each, check=False, timeout=_INSTALL_SECONDS).returncode == 0 for each in commands)


@asynccontextmanager
async def running_localstripe(program: Path) -> AsyncIterator[str]:
    """Serve an empty localstripe on a free port until the block ends; yields its address."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(str(program.parent / "python"), "-c", _TRANSLATED, "--from-scratch", "--port", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(_START_SECONDS), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(url):
                        break
                except aiohttp.ClientConnectionError:
                    assert process.returncode is None, "localstripe ended"
                    await asyncio.sleep(0.05)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
