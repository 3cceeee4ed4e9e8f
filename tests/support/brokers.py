"""Virtual hosts for tests: a broker to oneself, without the seconds of starting one."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from deploy.local import servers as local
from deploy.local import vhosts
from deploy.local.bootstrap import SERVICES
from deploy.local.definitions import definitions
from deploy.local.environment import broker_passwords
from deploy.local.records import with_credentials
from deploy.local.servers import Servers
from libs.common.addresses import vhost_of
from libs.common.contracts.foreign import subscriptions_of
from libs.common.messaging.topology import topology


@contextmanager
def fresh_vhost(servers: Servers) -> Iterator[str]:
    """Make a virtual host and yield its address; a given broker has only the one that its address names."""
    if servers.rabbitmq.kind == "given":
        yield servers.rabbitmq_url
        return
    name = f"test-{uuid4().hex[:12]}"
    local.create_vhosts(servers, [name])
    try:
        yield servers.rabbitmq_vhost_url(name)
    finally:
        local.delete_vhost(servers, name)


def own_rights(servers: Servers, vhost_url: str, *, services: Sequence[str] = SERVICES) -> dict[str, str]:
    """Let services come to a virtual host as the user that may do what its contracts say and no more; the address of each.

    Where not all four come, it has only the queues that these need: a hundred others cost two seconds of work. A broker that was given keeps the user that it was given with.
    """
    if servers.rabbitmq.kind == "given":
        return dict.fromkeys(services, vhost_url)
    passwords = broker_passwords(os.environ)
    document = definitions(vhost=vhost_of(vhost_url), passwords=passwords)
    # It is there already.
    del document["vhosts"]
    vhosts.load(servers.rabbitmq, document if set(services) == set(SERVICES) else _needed(document, services))
    return {service: with_credentials(vhost_url, user=service, password=passwords[service]) for service in services}


def _needed(document: dict[str, Any], services: Sequence[str]) -> dict[str, Any]:
    """Leave out of definitions the queues that none of these services declares or looks for."""
    names = {queue.name for each in services for queue in topology(each, subscriptions_of(each)).queues}
    return document | {
        "queues": [queue for queue in document["queues"] if queue["name"] in names],
        "bindings": [binding for binding in document["bindings"] if binding["destination"] in names],
    }


def administrator(url: str) -> str:
    """The address of the tests' own voice, which plays other services, for that of a service."""
    parts = urlsplit(url)
    return with_credentials(url, user="guest", password="guest") if parts.username in SERVICES else url
