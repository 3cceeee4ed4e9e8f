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
    name = made_vhost(servers)
    try:
        yield servers.rabbitmq_vhost_url(name)
    finally:
        local.delete_vhost(servers, name)


def made_vhost(servers: Servers) -> str:
    """Make an empty virtual host, which whoever calls deletes; returns its name."""
    name = f"test-{uuid4().hex[:12]}"
    local.create_vhosts(servers, [name])
    return name


def own_rights(servers: Servers, vhost_url: str, *, services: Sequence[str] = SERVICES) -> dict[str, str]:
    """Let services come to a virtual host as the user that may do what its contracts say and no more; the address of each.

    Where not all four come, it has only the queues that these need: a hundred others cost two seconds of work. A broker that was given keeps the user that it was given with.
    """
    if servers.rabbitmq.kind == "given":
        return dict.fromkeys(services, vhost_url)
    declare(servers, vhost_url, services=services)
    return addresses(vhost_url, services=services)


def declare(servers: Servers, vhost_url: str, *, services: Sequence[str] = SERVICES) -> None:
    """Have the broker take what these services need in a virtual host that is there already."""
    vhosts.load(servers.rabbitmq, declarations(vhost_url, services=services))


def addresses(vhost_url: str, *, services: Sequence[str] = SERVICES) -> dict[str, str]:
    """Return the address of a virtual host for each service, as its own user."""
    passwords = broker_passwords(os.environ)
    return {service: with_credentials(vhost_url, user=service, password=passwords[service]) for service in services}


def declarations(vhost_url: str, *, services: Sequence[str] = SERVICES) -> dict[str, Any]:
    """Return the broker's definitions of what these services need in a virtual host that is there already."""
    document = definitions(vhost=vhost_of(vhost_url), passwords=broker_passwords(os.environ))
    del document["vhosts"]
    return document if set(services) == set(SERVICES) else _needed(document, services)


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
