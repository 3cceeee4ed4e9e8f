"""An api that signs with a key of its own: anybody verifies with its key set, and the key changes while it runs."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import jwt
import msgspec

from deploy.local.keypair import make_pair
from libs.common.settings import load
from services.api.app import check_settings, seed
from services.api.settings import AuthSettings, Settings
from tests.integration.api.conftest import SECRET, Api, serving, settings_for, token_of
from tests.support.databases import TestDatabase


def reader(secret: Path, private: Path, public: Path) -> Callable[[], AuthSettings]:
    environ = {
        "JWT_SECRET_FILE": str(secret),
        "JWT_PRIVATE_KEY_FILE": str(private),
        "JWT_PUBLIC_KEYS_FILE": str(public),
    }
    return lambda: load(Settings, service="api", environ=environ, check=check_settings).auth


async def keys_of(api: Api) -> jwt.PyJWKSet:
    answer = await api.stranger().call("GET", "/.well-known/jwks.json")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/jwk-set+json"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert b'"d"' not in answer.raw
    return jwt.PyJWKSet.from_json(answer.raw.decode())


async def logged_in(api: Api) -> str:
    answer = await api.stranger().call("POST", "/v1/auth/token", {"email": "ops@demo", "password": "ops123"})
    assert answer.status == 200
    return str(answer.json["access_token"])


async def status_of(api: Api, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await api.stranger().call("GET", "/v1/me", headers=headers)).status


async def test_the_key_changes_at_run_time_and_others_verify_by_its_key_set(
    api_database: TestDatabase, tenant_id: str, tmp_path: Path
) -> None:
    secret, old, new = tmp_path / "secret", tmp_path / "old.pem", tmp_path / "new.pem"
    secret.write_text(SECRET)
    old_public, new_public = make_pair(old, "RS256"), make_pair(new)
    private, public = tmp_path / "private", tmp_path / "public"
    private.write_text(old.read_text())
    public.write_text(new_public.read_text())
    read = reader(secret, private, public)
    settings = msgspec.structs.replace(settings_for(api_database), auth=read())
    await seed(settings)
    async with serving(api_database, settings, read_keys=read) as api:
        first, brought = await logged_in(api), token_of(tenant_id)
        kept = await keys_of(api)
        read_by_another = jwt.decode(
            first, kept[jwt.get_unverified_header(first)["kid"]], algorithms=["RS256"], issuer="local-auth"
        )
        assert read_by_another["sub"] == "ops@demo"
        assert [await status_of(api, token) for token in (first, brought)] == [200, 200]

        public.write_text(old_public.read_text())
        private.write_text(new.read_text())
        async with asyncio.timeout(20):
            while jwt.get_unverified_header(second := await logged_in(api))["alg"] == "RS256":
                await asyncio.sleep(0.02)
        # Whoever keeps the set of before finds the new key in it.
        assert jwt.get_unverified_header(second)["kid"] in {key.key_id for key in kept.keys}
        assert [await status_of(api, token) for token in (first, second, brought)] == [200, 200, 200]

        public.write_text("")
        secret.write_text("n" * 40)
        async with asyncio.timeout(20):
            while len((await keys_of(api)).keys) > 1 or await status_of(api, brought) == 200:
                await asyncio.sleep(0.02)
        assert [await status_of(api, token) for token in (first, second, brought)] == [401, 200, 401]
