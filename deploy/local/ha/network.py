"""The machines of the profile `ha`: three network namespaces, each with an address of its own, where we may make them.

A node of PostgreSQL, etcd, RabbitMQ, Redis and Sentinel with the same number are on one machine. A machine that is cut off is there and
computes, and no packet reaches it or leaves it, so that a partition is a real one. It needs root and Linux's `ip` and `nsenter`;
elsewhere all nodes are on loopback, and nothing can be cut off. See ip-netns(8).
"""

import os
from collections.abc import Sequence
from pathlib import Path

from deploy.local.errors import LocalFailure
from deploy.local.ha.plan import REPLICAS, Node, Plan
from deploy.local.processes import run, which

OURS = 254
"""The last part of the address of those who are on no machine: the proxy, the services and their clients."""
COMMAND_SECONDS = 20.0


def chosen(base: Path, key: str) -> str:
    """Return the first three parts of the machines' addresses, nothing where they are on loopback.

    It is decided once, before the first node has data, since nodes keep the addresses of their like.
    """
    kept = base / "network"
    if kept.exists():
        return kept.read_text().strip()
    number = int(key[:4], 16)
    prefix = f"10.{200 + number % 50}.{number // 50 % 250}" if not any(base.iterdir()) and _is_possible(key) else ""
    kept.write_text(f"{prefix}\n")
    return prefix


def ensure(plan: Plan) -> None:
    """Make what is missing of the machines and of the switch between them, and join those that are cut off.

    Raises:
        LocalFailure: when nodes have addresses of machines and we may not make these.
    """
    if not plan.network:
        return
    if not _is_possible(plan.place.key):
        raise LocalFailure(
            f"The nodes under {plan.base} are in network namespaces, which need root: start them as root, or remove them by "
            "`just down --profile ha --wipe` as root."
        )
    switch = _switch(plan)
    if not _is_there(switch):
        _ip("link", "add", switch, "type", "bridge")
    _ip("address", "replace", f"{plan.network}.{OURS}/24", "dev", switch)
    _ip("link", "set", switch, "up")
    for number in REPLICAS:
        name, port = _name(plan, number), _port(plan, number)
        if not Path("/run/netns", name).exists():
            _ip("netns", "add", name)
        if not _is_there(port):
            _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("-n", name, "address", "replace", f"{plan.network}.{number}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            _ip("-n", name, "link", "set", link, "up")
        _ip("link", "set", port, "master", switch)
        join(plan, number)


def remove(plan: Plan) -> None:
    """Remove the machines, on which nothing runs any more."""
    if not plan.network or not _is_there(_switch(plan)):
        return
    for number in REPLICAS:
        if Path("/run/netns", _name(plan, number)).exists():
            _ip("netns", "delete", _name(plan, number))
    _ip("link", "delete", _switch(plan))


def inside(plan: Plan, node: Node, command: Sequence[str], *, user: str) -> tuple[list[str], str]:
    """Return the command that runs another one on the machine of a node, and the user that it is to be started as."""
    if not plan.network or not node.number:
        return [*command], user
    enter = [which("nsenter"), f"--net=/run/netns/{_name(plan, node.number)}"]
    # To enter it takes root, who gives the rights up afterwards.
    return [
        *enter,
        *([which("setpriv"), f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []),
        *command,
    ], ""


def cut(plan: Plan, number: int) -> None:
    """Cut a machine off from everything.

    Raises:
        LocalFailure: when nodes are on loopback.
    """
    _check(plan)
    _ip("link", "set", _port(plan, number), "down")


def separate(plan: Plan, number: int) -> None:
    """Cut a machine off from the other machines; clients reach it, and it them.

    Raises:
        LocalFailure: when nodes are on loopback.
    """
    _check(plan)
    for other in REPLICAS:
        if other != number:
            _ip("-n", _name(plan, number), "route", "replace", "blackhole", f"{plan.network}.{other}/32")


def join(plan: Plan, number: int) -> None:
    """Connect a machine to everything again.

    Raises:
        LocalFailure: when nodes are on loopback.
    """
    _check(plan)
    _ip("link", "set", _port(plan, number), "up")
    _ip("-n", _name(plan, number), "route", "flush", "type", "blackhole")


def _check(plan: Plan) -> None:
    if not plan.network:
        raise LocalFailure(
            "The nodes are on loopback: machines that can be cut off need root, and `just down --profile ha --wipe` first."
        )


def _name(plan: Plan, number: int) -> str:
    return f"payments-{plan.place.key}-{number}"


def _switch(plan: Plan) -> str:
    # A link's name has fifteen letters at most.
    return f"pay-{plan.place.key[:8]}"


def _port(plan: Plan, number: int) -> str:
    return f"{_switch(plan)}-{number}"


def _is_there(link: str) -> bool:
    return Path("/sys/class/net", link).exists()


def _is_possible(key: str) -> bool:
    if os.name != "posix" or os.geteuid() or not all(map(which, ("ip", "nsenter", "setpriv"))):
        return False
    # A container's root may not.
    trial = f"payments-{key}-trial"
    if run([which("ip"), "netns", "add", trial], seconds=COMMAND_SECONDS).returncode:
        return False
    return not run([which("ip"), "netns", "delete", trial], seconds=COMMAND_SECONDS).returncode


def _ip(*arguments: str) -> None:
    done = run([which("ip"), *arguments], seconds=COMMAND_SECONDS)
    if done.returncode:
        raise LocalFailure(f"ip {' '.join(arguments)} failed: {done.stderr.strip()[-300:]}")
