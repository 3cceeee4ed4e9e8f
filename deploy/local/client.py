"""A small HTTP client for the demo and the smoke checks: standard library only, JSON in and out, every call bounded."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from deploy.local.errors import LocalFailure

CALL_SECONDS = 15.0
"""Above the api's own bound on waiting for an authorization."""

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the server answered."""

    method: str
    url: str
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def read(self, kind: type[T]) -> T:
        """Return the body as a struct; members that the struct does not name are ignored.

        Raises:
            LocalFailure: when the body has another shape.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.DecodeError as strange:
            raise LocalFailure(f"{self.method} {self.url} answered {self.status} {self.text}: {strange}") from strange

    @property
    def text(self) -> str:
        """The beginning of the body, for people."""
        return self.body[:400].decode(errors="replace")

    def expect(self, *statuses: int) -> "Answer":
        """Return this answer when its status is one of those expected.

        Raises:
            LocalFailure: when it is another, with the server's answer.
        """
        if self.status not in statuses:
            raise LocalFailure(f"{self.method} {self.url} answered {self.status}: {self.text}")
        return self


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """One caller: an address, a token and a tenant."""

    base_url: str
    token: str = ""
    tenant: str = ""

    def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for something."""
        return self._call("GET", path, None, headers or {})

    def post(self, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Send something; without a body nothing is sent, not even `null`."""
        return self._call("POST", path, body, headers or {})

    def put(self, path: str, content: bytes) -> Answer:
        """Send bytes as they are."""
        return self._call("PUT", path, content, {})

    def delete(self, path: str) -> Answer:
        """Remove something."""
        return self._call("DELETE", path, None, {})

    def _call(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        url = f"{self.base_url}{path}"
        sent = {"Accept": "application/json", **headers}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if self.tenant:
            sent["X-Tenant-Id"] = self.tenant
        data = None
        if body is not None:
            is_binary = isinstance(body, bytes)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent["Content-Type"] = "application/octet-stream" if is_binary else "application/json"
        request = urllib.request.Request(url, method=method, data=data, headers=sent)  # noqa: S310 - our own service
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:  # noqa: S310
                return _answer(method, url, answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return _answer(method, url, refused.code, dict(refused.headers), refused.read())
        except OSError as unreachable:
            raise LocalFailure(f"{method} {url}: {unreachable}. Is the platform up? ./scripts/up.sh") from unreachable


def _answer(method: str, url: str, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    lower = {name.lower(): value for name, value in headers.items()}
    return Answer(method=method, url=url, status=status, headers=lower, body=body)
