"""The running api is what its document says: every check of schemathesis, stateful ones included, and no failure."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.fake_stripe import running_fake_stripe
from deploy.local.servers import Servers
from tests.e2e.bookkeeping import new_tenant, person
from tests.support import samples
from tests.support.documents import openapi
from tests.support.platform import ADMIN, ROOT, Platform, running_platform

EXAMPLES = int(os.environ.get("CONFORMANCE_EXAMPLES", "2"))
"""Test cases of one operation and phase; `just conformance` takes more."""
BOUNDARIES = os.environ.get("CONFORMANCE_BOUNDARIES", "positive")
"""Which values at and beyond the bounds of each parameter are sent: `positive` ones, which must be accepted, or `all`.

Those that must be refused are three quarters of the requests. The short form sends some of them at random, and
`test_malformed.py` garbage on every route; `just conformance` sends them all.
"""
PORTIONS = 16
"""The short form asks a sixteenth of the operations, of most tags: the seed of the run chooses which."""
METHODS = {"get", "post", "put", "patch", "delete"}
SECONDS = 1800
DOCUMENT = ROOT / "docs/api/openapi.json"


@pytest.fixture
async def own(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform of its own: an operator may change the policies, roles, users and tenants of all, and here does so at random."""
    async with (
        running_fake_stripe() as stripe,
        running_platform(servers, tmp_path_factory.mktemp("logs"), environ={"STRIPE_API_BASE": stripe.url}) as running,
    ):
        yield running


def operations(portion: int | None) -> list[str]:
    """Return the identifiers of the operations of a portion, or of all."""
    paths = openapi()["paths"].values()
    every = [each["operationId"] for path in paths for name, each in path.items() if name in METHODS]
    return every if portion is None else samples.portion(every, number=portion, of=PORTIONS)


def test_every_operation_is_in_one_small_portion() -> None:
    portions = [operations(number) for number in range(PORTIONS)]
    assert sorted(each for portion in portions for each in portion) == sorted(operations(None))
    assert all(12 * len(portion) < len(operations(None)) for portion in portions)


async def test_the_running_api_conforms_to_its_document(own: Platform, tmp_path: Path) -> None:
    admin = await own.login(ADMIN)
    # A tenant of its own: whatever can be set is set, processor accounts included.
    tenant = new_tenant()
    assert (await person(own, tenant, "first@sight", ("ledger:read",)).call("GET", "/v1/accounts")).status == 200
    config = tmp_path / "schemathesis.toml"
    chosen = (ROOT / "tests/e2e/schemathesis.toml").read_text()
    config.write_text(f'{chosen}\n[phases.coverage.generation]\nmode = "{BOUNDARIES}"\n')
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        # The document that is committed, which is the served one: schemathesis waits for that one for ten seconds only.
        *("run", str(DOCUMENT), "--url", own.base(), "--checks", "all", "--max-examples", str(EXAMPLES)),
        *("--header", f"Authorization: Bearer {admin.token}", "--header", f"X-Tenant-Id: {tenant}"),
        *("--seed", "1", "--continue-on-failure", "--no-color"),
        *(
            word
            for each in operations(samples.number(PORTIONS) if samples.sampling() else None)
            for word in ("--include-operation-id", each)
        ),
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.e2e.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(run.communicate(), SECONDS)
    assert run.returncode == 0, output.decode()[-6000:]


async def test_the_committed_document_is_the_served_one(platform: Platform) -> None:
    served = await (await platform.http.get(platform.base() + "/openapi.json")).json()
    committed = json.loads(DOCUMENT.read_text())
    assert served == committed, "run `just docs`"
