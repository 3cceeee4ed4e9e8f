"""Servers of this folder's own: what is done to them would disturb every other test."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local import packages, ports
from deploy.local.layout import Layout
from deploy.local.native import postgres, rabbitmq
from deploy.local.records import Server
from tests.integration.faults.rig import Rig

_PLACE = os.getpid() % 200
"""Other runs on this machine look for ports of their own at the same time: each begins elsewhere."""
_POSTGRES_PORT, _RABBITMQ_PORT = 31000 + _PLACE, 31700 + _PLACE * rabbitmq.PORTS_IN_A_ROW


@pytest.fixture(scope="module")
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """A PostgreSQL and a RabbitMQ that nobody else uses, native wherever the shared ones run."""
    absent = packages.missing(["postgres", "rabbitmq"])
    if absent:
        packages.install(absent, report=print)
    layout = Layout(root=Path(tmp_path_factory.mktemp("faults")), profile="test")
    database = postgres.start(layout, port=ports.next_free(_POSTGRES_PORT))
    try:
        broker = rabbitmq.start(layout, port=ports.next_free(_RABBITMQ_PORT, count=rabbitmq.PORTS_IN_A_ROW))
        try:
            yield database, broker
        finally:
            rabbitmq.stop(broker, keep_data=False)
            rabbitmq.wipe(layout)
    finally:
        postgres.stop(database, keep_data=False)
        postgres.wipe(layout)


@pytest.fixture(scope="module")
async def rig(own_servers: tuple[Server, Server]) -> AsyncIterator[Rig]:
    """A running service on those servers."""
    made = Rig(*own_servers)
    await made.start()
    yield made
    await made.stop()
