"""The processor's own book: a fake Stripe in a process of its own, which no fault befalls."""

from typing import Any

import aiohttp

API_KEY = "sk_test_chaos"
_PAGE = 100


class Processor:
    """Calls the stand-in as its owner does."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url
        self._headers = {"Authorization": f"Bearer {API_KEY}"}

    async def endpoint(self, url: str) -> str:
        """Let it send its webhooks to an address; returns the secret that signs them."""
        params = {"url": url, "enabled_events[]": "*"}
        async with self._http.post(
            f"{self.url}/v1/webhook_endpoints", data=params, headers=self._headers, raise_for_status=True
        ) as answer:
            return str((await answer.json())["secret"])

    async def every(self, things: str) -> list[Any]:
        """Read all `charges` or `refunds`."""
        found: list[Any] = []
        while True:
            params = {"limit": str(_PAGE)} | ({"starting_after": found[-1]["id"]} if found else {})
            async with self._http.get(
                f"{self.url}/v1/{things}", params=params, headers=self._headers, raise_for_status=True
            ) as answer:
                page = await answer.json()
            found += page["data"]
            if not page["has_more"]:
                return found
