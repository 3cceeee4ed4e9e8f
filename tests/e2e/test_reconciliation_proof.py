"""A run of reconciliation in a process that is killed ends with the same result: the short form of `just proof-reconciliation`."""

import pytest

from deploy.local.servers import Servers
from tests.proof.reconciliation import prove
from tests.support import samples

pytestmark = pytest.mark.long


async def test_a_run_that_is_killed_ends_with_the_same_result(servers: Servers) -> None:
    found = await prove(servers, payments=160, kills=2, seed=samples.seed("reconciliation"), is_held=True)
    assert found["kills"] == 2
