"""Virtual hosts for tests: a broker to oneself, without the seconds of starting one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

from deploy.local import servers as local
from deploy.local import vhosts
from deploy.local.bootstrap import SERVICES
from deploy.local.definitions import definitions
from deploy.local.environment import broker_passwords
from deploy.local.records import with_credentials
from deploy.local.servers import Servers


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


def own_rights(servers: Servers, vhost_url: str) -> dict[str, str]:
    """Let each service come to a virtual host as the user that may do what its contracts say and no more; its address each.

    A broker that was given keeps the user that it was given with.
    """
    if servers.rabbitmq.kind == "given":
        return dict.fromkeys(SERVICES, vhost_url)
    passwords = broker_passwords(os.environ)
    vhosts.load(servers.rabbitmq, definitions(vhost=urlsplit(vhost_url).path.removeprefix("/"), passwords=passwords))
    return {service: with_credentials(vhost_url, user=service, password=passwords[service]) for service in SERVICES}


def administrator(url: str) -> str:
    """The address of the tests' own voice, which plays other services, for that of a service."""
    parts = urlsplit(url)
    return with_credentials(url, user="guest", password="guest") if parts.username in SERVICES else url
