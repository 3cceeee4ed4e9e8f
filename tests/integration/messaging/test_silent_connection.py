"""A connection that the driver gives up after a silence: what worked on it goes on with the next one."""

import aiormq

from libs.common.messaging.consuming import Consuming
from libs.common.messaging.topology import Topology
from tests.integration.messaging.conftest import until


class Silence(dict[int, aiormq.abc.AbstractChannel | None]):
    """The channels of a connection on which no answer arrives."""

    def get(self, *_: object) -> None:
        """Find nobody who takes a frame."""


async def test_consuming_outlasts_a_connection_that_is_given_up_while_a_declaration_waits(vhost_url: str) -> None:
    consuming = Consuming(vhost_url, name="ledger", idle_max_seconds=10, declare_every_seconds=0.01)
    await consuming.start(Topology(service="ledger", exchanges=(), queues=()))
    given_up = consuming._connection
    assert given_up is not None
    assert given_up.transport is not None
    driver = given_up.transport.connection
    assert isinstance(driver, aiormq.Connection)
    channels = driver.channels
    driver.channels = Silence(channels)

    async def declares() -> bool:
        return consuming._declaring.locked() and driver.write_queue.empty()

    await until(declares)
    # As the driver does it after three heartbeats that did not come.
    driver._reader_task.cancel()
    driver.channels = channels

    async def consumes() -> bool:
        return consuming._connection is not given_up and not consuming.trouble

    await until(consumes)
    await consuming.stop()
