"""An identity provider of the tests: OpenID Connect over real HTTP, with keys of its own, that can be made to do wrong."""

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import jwt
import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.api.access.signing import verifying_key

CLIENT, SECRET = "payments-console", "the secret of the client: 100% + & ü"
_RSA = {name: rsa.generate_private_key(public_exponent=65537, key_size=2048) for name in ("rsa", "other")}
KEYS: dict[str, Any] = {**_RSA, "ec": ec.generate_private_key(ec.SECP256R1())}


class Grant(msgspec.Struct, kw_only=True):
    """A code that was given to a browser."""

    nonce: str
    challenge: str
    redirect_uri: str


class TestProvider:
    """Logs in whoever comes as `subject`."""

    __test__ = False

    def __init__(self) -> None:
        self.issuer = ""
        self.subject, self.email = "subject-of-ana", "ana@example.com"
        self.claims: dict[str, Any] = {}
        """Members of the next ID tokens that are other than they should be; None: they are missing."""
        self.metadata: dict[str, Any] = {}
        """The same of what it states of itself."""
        self.published = ["rsa", "ec"]
        self.signs_with, self.algorithm, self.key_id = "rsa", "RS256", ""
        self.token: str | None = None
        """The next ID tokens, as they are."""
        self.token_status, self.error = 200, ""
        self.names_issuer = True
        self.is_public = False
        self.asks_first = False
        """Whether a page with a button comes first, as for a person."""
        self.texts: dict[str, str] = {}
        """What it answers at a path instead of what it should."""
        self.grants: dict[str, Grant] = {}
        self.requests: list[str] = []
        self.used: list[dict[str, str]] = []

    def _metadata(self) -> dict[str, Any]:
        stated = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?kind=code",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }
        return {name: value for name, value in stated.items() if value is not None}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        self.requests.append(request.path)
        if request.path in self.texts:
            return web.Response(text=self.texts[request.path], content_type="application/json")
        match request.path:
            case "/.well-known/openid-configuration":
                return web.json_response(self._metadata())
            case "/keys":
                return web.json_response({"keys": [self._jwk(name) for name in self.published]})
            case "/authorize":
                return self._authorize(dict(request.query))
            case "/token":
                form = {name: str(value) for name, value in (await request.post()).items()}
                return self._exchange(form, request.headers.get("Authorization", ""))
        return web.Response(status=404)

    def _jwk(self, name: str) -> dict[str, str]:
        return {**verifying_key(KEYS[name].public_key()).published(), "kid": name}

    def _authorize(self, query: dict[str, str]) -> web.Response:
        assert query["client_id"] == CLIENT and query["response_type"] == "code" and query["kind"] == "code"
        assert query["code_challenge_method"] == "S256" and "openid" in query["scope"].split()
        if self.asks_first and "sure" not in query:
            again = f"/authorize?{urlencode({**query, 'sure': 'yes'})}".replace("&", "&amp;")
            return web.Response(text=f'<a id="go" href="{again}">Log in</a>', content_type="text/html")
        back = {"state": query["state"]} | ({"iss": self.issuer} if self.names_issuer else {})
        if self.error:
            return self._sent_back(query["redirect_uri"], back | {"error": self.error})
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(
            nonce=query["nonce"], challenge=query["code_challenge"], redirect_uri=query["redirect_uri"]
        )
        return self._sent_back(query["redirect_uri"], back | {"code": code})

    def _sent_back(self, address: str, query: dict[str, str]) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{address}?{urlencode(query)}"})

    def _exchange(self, form: dict[str, str], authorization: str) -> web.Response:
        self.used.append(form)
        grant = self.grants.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_known = self.is_public or authorization == _basic(CLIENT, SECRET) or form.get("client_secret") == SECRET
        if grant is None or challenge != grant.challenge or form["redirect_uri"] != grant.redirect_uri or not is_known:
            return web.json_response({"error": "invalid_grant" if is_known else "invalid_client"}, status=400)
        if self.token_status != 200:
            return web.Response(status=self.token_status, headers={"Location": f"{self.issuer}/elsewhere"})
        token = self.id_token(grant) if self.token is None else self.token
        return web.json_response({"access_token": "opaque", "token_type": "Bearer", "id_token": token})

    def id_token(self, grant: Grant) -> str:
        """State who has logged in."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.nonce,
            "email": self.email,
            "email_verified": True,
            **self.claims,
        }
        stated = {name: value for name, value in claims.items() if value is not None}
        key: Any = "a-shared-secret-of-some-length-for-hs256" if self.algorithm == "HS256" else KEYS[self.signs_with]
        headers = {"kid": self.key_id or self.signs_with}
        return jwt.encode(stated, "" if self.algorithm == "none" else key, algorithm=self.algorithm, headers=headers)


def _basic(name: str, secret: str) -> str:
    pair = f"{urlencode({'': name})[1:]}:{urlencode({'': secret})[1:]}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


@asynccontextmanager
async def provider_running(host: str = "127.0.0.1") -> AsyncIterator[TestProvider]:
    """Run an identity provider on a free port of this machine, of which `host` is a name."""
    provider = TestProvider()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.issuer = f"http://{host}:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
