"""Refreshing the report views: one process at a time, on a clock of its own or when an operator asks."""

import asyncio
import random
from datetime import timedelta
from time import perf_counter

from libs.common.contracts.ledger_reports import RefreshReports, ReportsRefreshed
from libs.common.db import Database
from services.ledger import metrics
from services.ledger.reports.sql import views

REQUEST_WAIT_SECONDS = 10.0
"""How long whoever asks for a refresh waits for its end; it goes on without them."""

_LOOKS_PER_INTERVAL = 15
"""How often a process looks, within the age that the views may reach, whether it is its turn to refresh them."""


class ReportCommands:
    """The report views, as one process of several keeps them fresh; the database lets one at a time refresh."""

    def __init__(self, database: Database, *, age_max: timedelta, timeout_seconds: float) -> None:
        self._database = database
        self._age_max = age_max
        self._timeout_seconds = timeout_seconds
        self._requested = asyncio.Event()
        self._waiting: list[asyncio.Future[bool]] = []

    async def keep_fresh(self) -> None:
        """Refresh the views whenever they are too old, or somebody asks; runs until cancelled."""
        pause_seconds = self._age_max.total_seconds() / _LOOKS_PER_INTERVAL
        # The gauge is 0 until it is set, which is the age of a view that was never refreshed.
        async with self._database.connection() as connection:
            metrics.REPORTS_REFRESHED_AT.set((await views.refreshed_at(connection)).timestamp())
        while True:
            try:
                # Jitter, so that several processes do not all look at the same moment.
                async with asyncio.timeout(pause_seconds * random.uniform(0.9, 1.1)):  # noqa: S311 - not a secret
                    await self._requested.wait()
            except TimeoutError:
                await self.refresh_when_old()
            else:
                await self._refresh_requested()

    async def refresh_when_old(self) -> bool:
        """Refresh the views when they are older than they may be; False when they are not, or another process does."""
        return await self._refresh(self._age_max)

    async def refresh(self, _: RefreshReports) -> ReportsRefreshed:
        """Have the views refreshed now, and wait, bounded, for the end."""
        waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._requested.set()
        try:
            async with asyncio.timeout(REQUEST_WAIT_SECONDS):
                is_done = await waiting
        except TimeoutError:
            is_done = False
        async with self._database.connection() as connection:
            return ReportsRefreshed(refreshed_at=await views.refreshed_at(connection), is_done=is_done)

    async def _refresh_requested(self) -> None:
        self._requested.clear()
        waiting, self._waiting = self._waiting, []
        is_done = False
        try:
            # Where another process is at it, its views will be as fresh, but nobody here knows when.
            is_done = await self._refresh(timedelta(0))
        finally:
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(is_done)

    async def _refresh(self, age_max: timedelta) -> bool:
        begun = perf_counter()
        async with self._database.connection() as connection:
            refreshed_at = await views.refresh(connection, age_max=age_max, timeout_seconds=self._timeout_seconds)
            took_seconds = perf_counter() - begun
            latest = refreshed_at or await views.refreshed_at(connection)
        metrics.REPORTS_REFRESHED_AT.set(latest.timestamp())
        if refreshed_at is None:
            return False
        metrics.REPORTS_REFRESH_DURATION.observe(took_seconds)
        return True
