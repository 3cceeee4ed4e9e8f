"""A real browser, Debian's Chromium, installed first where that is possible."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from deploy.local import packages
from deploy.local.errors import LocalFailure
from deploy.local.processes import which

_OPTIONS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # Chromium refuses to run as root otherwise; the pages are our own.
    "--no-sandbox",
]
ACTION_MS = 60_000
"""How long an action may take, on a machine that does much else."""
_RELOAD_SECONDS = 0.25
expect.set_options(timeout=ACTION_MS)


def chromium() -> tuple[str, str]:
    """Return the path of Chromium, and why there is none where the path is empty."""
    if which("chromium"):
        return which("chromium") or "", ""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return "", packages.instruction(["chromium"])
    try:
        packages.install(["chromium"], report=print)
    except LocalFailure as failed:
        return "", str(failed)
    return which("chromium") or "", "the package chromium has no chromium"


@asynccontextmanager
async def running_browser(path: str) -> AsyncIterator[Browser]:
    """Run a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_OPTIONS)
        try:
            yield browser
        finally:
            await browser.close()


class Seat:
    """Somebody who sits at a browser of their own and has the console open."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.faults: list[str] = []
        """Errors of scripts and of the policy for content, and requests to other hosts: there must be none."""
        page.set_default_timeout(ACTION_MS)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("request", lambda request: self._watch(request.url))

    def _note(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            self.faults.append(f"console: {text}")

    def _watch(self, url: str) -> None:
        if not url.startswith((self.base, "data:", "about:")):
            self.faults.append(f"request to another host: {url}")

    async def open(self, address: str) -> Any:
        """Open a page of the console, and return the answer."""
        return await self.page.goto(f"{self.base}/console/{address}")

    async def log_in(self, name: str, password: str) -> None:
        """Log in by the form."""
        await self.open("login")
        await self.page.fill("#email", name)
        await self.page.fill("#password", password)
        await self.page.click("button.primary")
        await self.page.wait_for_url(f"{self.base}/console/overview")

    async def act_for(self, tenant_id: str) -> None:
        """Act for a tenant, as an operator of the platform does."""
        await self.page.click("details.who summary")
        await self.page.fill("#tenant", tenant_id)
        await self.page.click("form[action='/console/tenant'] button")
        await self.page.locator("details.who .tenant", has_text=tenant_id).wait_for()

    async def fill(self, **fields: str) -> None:
        """Fill the fields of an act's form, by the names of the API's members."""
        for name, value in fields.items():
            await self.page.fill(f"[name='f.{name}']", value)

    async def send(self) -> None:
        """Send an act's form."""
        await self.page.click("form.act button.primary")

    async def reload_until(self, there: Locator) -> None:
        """Read a page that does not follow what happens again and again, until something is there."""
        async with asyncio.timeout(ACTION_MS / 1000):
            while not await there.count():
                await asyncio.sleep(_RELOAD_SECONDS)
                await self.page.reload()

    async def go_on_until(self, there: Locator) -> None:
        """Go to the next page of a list until something is there: others may have put much before it."""
        while not await there.count():
            address = await self.page.get_attribute("main a.button[rel=next]:has-text('Next')", "href")
            await self.page.goto(f"{self.base}{address}")

    async def shown(self, text: str) -> None:
        """Wait until the page's content has a text."""
        await self.page.locator("main").get_by_text(text).first.wait_for()
