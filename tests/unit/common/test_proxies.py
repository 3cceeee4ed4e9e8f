"""Whose word about the caller's address counts: nobody's, but of the proxies that a setting names."""

import pytest
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from libs.common.service import connection_options
from libs.common.settings import HttpSettings, SettingsError, load
from services.ledger.settings import Settings


async def seen(forwarded: list[str], *, peer: str, trusted: tuple[str, ...]) -> str:
    """The caller's address as the application sees it."""
    found: list[str] = []

    async def application(scope: Scope, _: ASGIReceiveCallable, __: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        assert scope["client"] is not None
        found.append(scope["client"][0])

    config = uvicorn.Config(application, lifespan="off", **connection_options(HttpSettings(trusted_proxies=trusted)))
    config.load()
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    scope = {"type": "http", "client": (peer, 4321), "headers": headers, "scheme": "http", "path": "/"}
    await config.loaded_app(scope, None, None)
    return found[0]


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.0.0.5"])
async def test_nobody_is_trusted_by_default(peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert await seen(["198.51.100.1"], peer=peer, trusted=()) == peer


@pytest.mark.parametrize(
    ("forwarded", "peer", "address"),
    [
        (["198.51.100.1"], "10.0.0.5", "198.51.100.1"),
        (["203.0.113.9, 198.51.100.1"], "10.0.0.5", "198.51.100.1"),
        (["203.0.113.9", "198.51.100.1, 10.0.0.7"], "10.0.0.5", "198.51.100.1"),
        (["2001:db8::1"], "fd00::2", "2001:db8::1"),
        (["198.51.100.1"], "203.0.113.7", "203.0.113.7"),
        ([], "10.0.0.5", "10.0.0.5"),
    ],
)
async def test_right_most_untrusted_address_counts(forwarded: list[str], peer: str, address: str) -> None:
    assert await seen(forwarded, peer=peer, trusted=("10.0.0.0/8", "fd00::/8")) == address


def test_wrong_setting_is_one_sentence() -> None:
    for name, value in {"TRUSTED_PROXIES": "10.0.0.0/8,proxy.internal", "HTTP_KEEP_ALIVE_SECONDS": "0"}.items():
        with pytest.raises(SettingsError) as refused:
            load(Settings, service="ledger", environ={name: value})
        assert len(refused.value.faults) == 1
        assert refused.value.faults[0].startswith(name)
