"""The proof that no webhook is lost, in short: each of those who may be killed is killed once."""

from pathlib import Path

import pytest

from deploy.local.servers import Servers
from tests.proof.webhooks import plan_at_random, prove
from tests.support import samples

pytestmark = pytest.mark.outages


async def test_each_answering_endpoint_gets_every_event_though_all_are_killed(servers: Servers, tmp_path: Path) -> None:
    given = [name for name in ("postgres", "rabbitmq") if getattr(servers, name).kind == "given"]
    if given:
        pytest.skip(f"the environment gives {', '.join(given)}: not ours to kill")
    found = await prove(servers, tmp_path, plan_at_random(events=80, rounds=5, seed=samples.seed("webhooks")))
    assert found.kills == 5
    assert found.verified > 0
