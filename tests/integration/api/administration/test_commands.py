"""Commands of operators on the machine do what the routes of administration do."""

from uuid import uuid4

import pytest

from libs.common.errors import Invalid, PlatformError
from services.api.cli import administer
from services.api.http.callers import PLATFORM_TENANT
from tests.integration.api.access.test_access import log_in
from tests.integration.api.conftest import Api, settings_for
from tests.support.databases import TestDatabase
from tests.support.platform import Client

PASSWORD = "a-long-password-of-one-person"


async def test_everything_is_administered_without_sql(api: Api, api_database: TestDatabase, tenant_id: str) -> None:
    async def run(*arguments: str, password: str = PASSWORD) -> str:
        return await administer(settings_for(api_database), arguments, read_password=lambda: password)

    email, role = f"{uuid4().hex}@example.com", f"r{uuid4().hex[:8]}"
    of_tenant = ("--tenant", tenant_id)
    assert "ACTIVE" in await run("tenant", tenant_id, "--name", "Acme", "--plan", "enterprise", "--region", "region-a")
    await run("role", role, "--permission", "admin:write", "--permission", "profile:read")
    kept = ("--plan", "free", "--plan", "pro", "--plan", "enterprise", "--region", "region-a", "--region", "region-b")
    assert "allow" in await run("policy", "profile:read", *kept)
    with pytest.raises(PlatformError, match="there is no user"):
        await run("user", email, *of_tenant, "--role", role)
    with pytest.raises(PlatformError, match="length >= 12"):
        await run("user", email, *of_tenant, "--role", role, "--password", password="short")
    await run("user", email, *of_tenant, "--role", role, "--password")
    assert (await log_in(api, email, PASSWORD)).status == 200
    for state, status in (("--disable", 401), ("--enable", 200)):
        await run("user", email, *of_tenant, state)
        assert (await log_in(api, email, PASSWORD)).status == status
    await run("user", email, *of_tenant, "--password", password=PASSWORD[::-1])
    assert (await log_in(api, email, PASSWORD[::-1])).status == 200
    for tenant, refusal in ((f"{tenant_id}-other", "tenant not found"), (PLATFORM_TENANT, "user not found")):
        with pytest.raises(PlatformError, match=refusal):
            await run("user", email, "--tenant", tenant, "--disable")
    # What HTTP refuses is refused here too.
    for wrong in (
        ("tenant", "*", "--name", "A", "--plan", "pro", "--region", "r"),
        ("tenant", "a b", "--name", "A", "--plan", "pro", "--region", "r"),
        ("tenant", tenant_id, "--name", "A\nB", "--plan", "pro", "--region", "r"),
        ("tenant", tenant_id, "--name", "A", "--plan", "p" * 65, "--region", "r"),
        ("tenant", tenant_id, "--name", "\udcff", "--plan", "pro", "--region", "r"),
        ("role", "Not One"),
        ("role", role, "--description", "d" * 201),
        ("policy", "profile:read", "--plan", ""),
        ("user", "nobody", *of_tenant, "--role", role, "--password"),
        ("key", *of_tenant, "--name", "a\tb", "--scope", "admin:write"),
        ("key", "--tenant", "*", "--name", "a", "--scope", "admin:write"),
    ):
        with pytest.raises(Invalid):
            await run(*wrong)
    for bad in ("p" * 1025, "\0" * 12, "\udcff" * 12):
        for whose in (email, f"new-{email}"):
            with pytest.raises(Invalid):
                await run("user", whose, *of_tenant, "--role", role, "--password", password=bad)
    # A command that names no status leaves it as it is.
    named = ("tenant", tenant_id, "--name", "Acme", "--plan", "enterprise", "--region", "region-a")
    for given in (["--status", "SUSPENDED"], []):
        assert "SUSPENDED" in await run(*named, *given)
    assert "ACTIVE" in await run(*named, "--status", "ACTIVE")
    made = await run("key", *of_tenant, "--name", "shop", "--scope", "admin:write")
    secret = made.splitlines()[-1]
    keys = await Client(api.http, api.base, token=secret, tenant=tenant_id).call("GET", "/v1/api-keys")
    assert [key["name"] for key in keys.json["data"]] == ["shop"]
    assert keys.json["data"][0]["created_by"].startswith("command:")
    await run("revoke-key", keys.json["data"][0]["id"], *of_tenant)
    lines = await api.database.fetch(
        "SELECT DISTINCT action FROM audit_log WHERE tenant_id IN ($1, $2) AND actor LIKE 'command:%' ORDER BY 1",
        tenant_id,
        PLATFORM_TENANT,
    )
    commands = ["key", "policy", "revoke-key", "role", "tenant", "user"]
    assert [line[0] for line in lines] == [f"command.{each}" for each in commands]
