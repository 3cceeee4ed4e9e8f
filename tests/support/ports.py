"""Ports for what tests start."""

import random
import socket

_FIRST, _COUNT = 20_000, 10_000
"""Below the ports that a system gives to outgoing connections: one of those may be taken before a service has started."""

_given: set[int] = set()


def free_port() -> int:
    """Find a port that nobody listens on, another one each time."""
    for port in random.Random().sample(range(_FIRST, _FIRST + _COUNT), _COUNT):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise AssertionError(f"no port from {_FIRST} on is free")
