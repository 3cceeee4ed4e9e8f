"""People at browsers, before the running platform."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser

from deploy.local.waiting import locked
from tests.support.browser import Seat, chromium, running_browser
from tests.support.platform import ADMIN, DEMO_TENANT, OPERATOR, ROOT, Platform

type Seats = Callable[[], Awaitable[Seat]]
"""Gives somebody a browser of their own, without cookies."""


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A browser for all tests."""
    with locked(ROOT / ".local" / "chromium.lock"):
        path, reason = await asyncio.to_thread(chromium)
    if not path:
        pytest.skip(reason)
    async with running_browser(path) as running:
        yield running


@pytest.fixture
async def seats(browser: Browser, platform: Platform) -> AsyncIterator[Seats]:
    """Gives out browsers; what goes wrong in one of them fails the test."""
    given = []

    async def seat() -> Seat:
        context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
        found = Seat(await context.new_page(), platform.base())
        given.append(found)
        return found

    yield seat
    for one in given:
        await one.page.context.close()
        assert not one.faults


@pytest.fixture
async def seat(seats: Seats) -> Seat:
    """An operator of the demo tenant, who has logged in."""
    found = await seats()
    await found.log_in(*OPERATOR)
    return found


@pytest.fixture
async def admin_seat(seats: Seats) -> Seat:
    """The operator of the platform, who acts for the demo tenant."""
    found = await seats()
    await found.log_in(*ADMIN)
    await found.act_for(DEMO_TENANT)
    return found
