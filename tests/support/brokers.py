"""Virtual hosts for tests: a broker to oneself, without the seconds of starting one."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from deploy.local import servers as local
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
