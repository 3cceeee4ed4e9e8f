"""Which TCP ports of this machine are free."""

import socket
from collections.abc import Iterable

TRIES_MAX = 200
"""How far from the preferred port we look at most."""


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    """Tell whether we could listen on a port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def next_free(preferred: int, *, count: int = 1, avoid: Iterable[int] = ()) -> int:
    """Return the first port at or after `preferred` that starts `count` free ports in a row, wrapping at the top.

    Raises:
        OSError: when none of the next 200 ports will do.
    """
    refused = set(avoid)
    for step in range(TRIES_MAX):
        first = preferred + step
        if first + count > 65536:
            first = 20000 + step
        candidates = range(first, first + count)
        if not refused.intersection(candidates) and all(is_free(port) for port in candidates):
            return first
    raise OSError(f"none of the {TRIES_MAX} ports from {preferred} on is free")
