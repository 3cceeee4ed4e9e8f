"""The balancer of compose as it is for one machine: the same rules, with addresses in place of the names of compose's network."""

import re
from collections.abc import Mapping, Sequence

from deploy.local.environment import HTTP_PORTS
from deploy.local.layout import ROOT

CONFIG = ROOT / "deploy" / "balancer" / "haproxy.cfg"
"""The balancer of docker-compose.yml."""


def configuration(listens: Mapping[str, str], addresses: Mapping[str, Sequence[str]], *, health: str) -> str:
    """Return HAProxy's configuration.

    Args:
        listens: the address of each service that clients connect to.
        addresses: where the processes of each service listen.
        health: the address that tells whether an api is ready.
    """
    text = re.sub(r"^resolvers docker\n(?:    .*\n)+", "", CONFIG.read_text(), flags=re.MULTILINE)
    text = text.replace(" resolvers docker init-addr none", "")
    text = text.replace("bind 127.0.0.1:8404", f"bind {health}")
    for service, port in HTTP_PORTS.items():
        text = text.replace(f"    bind :{port}\n", f"    bind {listens[service]}\n")
        servers = [f"    server {service}-{n} {address}" for n, address in enumerate(addresses[service], start=1)]
        text = re.sub(rf"^    server-template {service} .*$", "\n".join(servers), text, flags=re.MULTILINE)
    return text
