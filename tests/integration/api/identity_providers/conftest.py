"""A tenant whose users log in by an identity provider of the tests, and a browser that opens what the test names."""

import html
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import aiohttp
import msgspec
import pytest

from tests.integration.api.administration.test_administration import admin
from tests.integration.api.conftest import Api
from tests.support.identity_provider import CLIENT, SECRET, TestProvider, provider_running

PASSWORD = "a-long-password-of-one-person"
PATH = "/v1/identity-provider"


class Page(msgspec.Struct, kw_only=True):
    """What a browser is shown."""

    status: int
    location: str
    text: str

    @property
    def code(self) -> str:
        """The code of the refusal that is shown; empty: there is none."""
        found = re.search(r"<code>([a-z_]+)</code>", self.text)
        return found[1] if found else ""


class Browser:
    """Keeps cookies, and follows no redirect by itself."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.cookies: dict[str, str] = {}

    async def request(self, method: str, address: str, form: dict[str, str] | None = None) -> Page:
        """Send a request, with the cookies of our own pages alone."""
        url = address if address.startswith("http") else self.api.base + address
        cookies = self.cookies if url.startswith(self.api.base) else {}
        line = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.request(method, url, data=form, headers=line, allow_redirects=False) as answer,
        ):
            for name, morsel in answer.cookies.items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
            location = answer.headers.get("Location", "")
            return Page(status=answer.status, location=location, text=await answer.text())

    async def get(self, address: str) -> Page:
        """Open an address."""
        return await self.request("GET", address)

    async def begin(self, tenant: str, **more: str) -> str:
        """Begin a login; returns where the browser is sent."""
        page = await self.request("POST", "/console/login/provider", {"tenant": tenant, **more})
        found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)
        assert found is not None, page.text
        return html.unescape(found[1])

    async def at_provider(self, address: str) -> str:
        """Log in at the provider; returns where it sends the browser back to."""
        page = await self.request("GET", address)
        assert page.status == 302, page.text
        return page.location

    async def log_in(self, tenant: str) -> Page:
        """Log in, from the first page to the last."""
        return await self.get(await self.at_provider(await self.begin(tenant)))

    @property
    def has_session(self) -> bool:
        """Whether somebody has logged in."""
        return "console_session" in self.cookies


class Place(msgspec.Struct, kw_only=True):
    """A tenant, its identity provider, and one of its users."""

    api: Api
    tenant: str
    provider: TestProvider
    user_id: str
    email: str

    def browser(self) -> Browser:
        """A browser without cookies."""
        return Browser(self.api)

    async def lines(self, action: str) -> list[dict[str, str]]:
        """Read what the audit log has of logins, newest first."""
        found = await admin(self.api, self.tenant).call("GET", f"/v1/audit?action={action}")
        return [line["detail"] | {"actor": line["actor"], "target": line["target"]} for line in found.json["data"]]


async def add_user(api: Api, tenant: str, *roles: str) -> tuple[str, str]:
    """Add a user; returns its id and its login name."""
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "roles": list(roles or ["ops"])}
    made = await admin(api, tenant).call("POST", "/v1/users", body)
    assert made.status == 201, made.raw
    return made.json["id"], made.json["email"]


@pytest.fixture
async def place(api: Api, tenant_id: str) -> AsyncIterator[Place]:
    """A tenant of which one user is known to its identity provider."""
    async with provider_running() as provider:
        root = admin(api, tenant_id)
        stated = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET}
        assert (await root.call("PUT", PATH, stated)).status == 200
        user_id, email = await add_user(api, tenant_id)
        provider.email, provider.subject = email, f"subject of {email}"
        yield Place(api=api, tenant=tenant_id, provider=provider, user_id=user_id, email=email)
