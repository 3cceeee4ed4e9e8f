"""`up --observe`: Prometheus and Alertmanager of this checkout, beside the platform that runs here."""

import os
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from deploy.local import lifecycle, ports, supervision
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.layout import Layout, platform_layout, port_offset
from deploy.local.native import prometheus

PORTS = {"prometheus": 9090, "alertmanager": 9093}


def observe(report: Callable[[str], None], env: Mapping[str, str]) -> None:
    """Have Prometheus and Alertmanager watch the services whose settings these are; those that run already start anew.

    Raises:
        LocalFailure: when a program cannot be had, a port is taken, or one does not start.
    """
    place = platform_layout()
    programs = {}
    for name, find in (("prometheus", prometheus.prometheus), ("alertmanager", prometheus.alertmanager)):
        programs[name], reason = find()
        if not programs[name]:
            raise LocalFailure(reason)
    chosen = {name: port_of(place, name) for name in PORTS}
    watched = prometheus.Watched(
        targets={
            f"payments-{service}": [
                urlsplit(lifecycle.process_url(env, process)).netloc
                for process in supervision.processes(place, [service])
            ]
            for service in SERVICES
        },
        tokens={
            f"payments-{service}": env.get(f"{service.upper()}_OPERATIONS_TOKEN") or env.get("OPERATIONS_TOKEN", "")
            for service in SERVICES
        },
        alertmanager=f"127.0.0.1:{chosen['alertmanager']}",
    )
    prometheus.start_alertmanager(
        place.home / "alertmanager",
        program=programs["alertmanager"],
        port=chosen["alertmanager"],
        home=place.home,
    )
    prometheus.start(
        place.home / "prometheus",
        watched,
        program=programs["prometheus"],
        port=chosen["prometheus"],
        home=place.home,
    )
    report(f"Prometheus: http://127.0.0.1:{chosen['prometheus']}/alerts")
    report(f"Alertmanager: http://127.0.0.1:{chosen['alertmanager']}")


def port_of(place: Layout, name: str) -> int:
    """Return the port of one of them: the setting, else the usual one moved by PORT_OFFSET.

    Raises:
        LocalFailure: when a stranger has it, or the setting is no port.
    """
    setting = f"OBSERVE_{name.upper()}_PORT"
    text = os.environ.get(setting) or str(PORTS[name] + port_offset())
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise LocalFailure(f"{setting} is {text!r}, which is not a port number (1 to 65535).")
    if not ports.is_free(int(text)) and not prometheus.running_in(place.home / name, place.home):
        raise LocalFailure(f"Port {text} of {name} is taken; {setting} chooses another.")
    return int(text)
