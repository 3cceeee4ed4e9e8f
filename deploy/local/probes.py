"""Does a server answer? Each probe uses just enough of the protocol to know, without a driver and within a deadline."""

import socket
import struct
from urllib.parse import unquote, urlsplit

PROBE_SECONDS = 2.0

POSTGRES_PROTOCOL = 196608
"""Protocol 3.0 as an integer, https://www.postgresql.org/docs/current/protocol-message-formats.html."""

POSTGRES_STARTING_UP = b"C57P03"
"""The error field that PostgreSQL sends while it recovers: it listens, but cannot be used yet."""

DEFAULT_PORT = {
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "amqp": 5672,
    "amqps": 5671,
}


def address(url: str) -> tuple[str, int]:
    """Return the host and port that a server's URL names."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or DEFAULT_PORT.get(parts.scheme.partition("+")[0], 0)


def postgres_answers(host: str, port: int, *, user: str = "postgres", seconds: float = PROBE_SECONDS) -> bool:
    """Tell whether PostgreSQL takes connections (a demand for a password counts as an answer)."""
    body = struct.pack("!I", POSTGRES_PROTOCOL) + f"user\0{user}\0database\0postgres\0\0".encode()
    answer = _ask(host, port, struct.pack("!I", len(body) + 4) + body, seconds=seconds)
    return answer[:1] == b"R" or (answer[:1] == b"E" and POSTGRES_STARTING_UP not in answer)


def redis_answers(host: str, port: int, *, seconds: float = PROBE_SECONDS) -> bool:
    """Tell whether Redis answers PING (a demand for a password counts as an answer)."""
    return _ask(host, port, b"PING\r\n", seconds=seconds)[:5] in {b"+PONG", b"-NOAU"}


def redis_is_master(host: str, port: int, *, seconds: float = PROBE_SECONDS) -> bool:
    """Tell whether Redis answers as a master."""
    return b"role:master" in _ask(host, port, b"INFO replication\r\n", seconds=seconds)


def rabbitmq_answers(host: str, port: int, *, seconds: float = PROBE_SECONDS) -> bool:
    """Tell whether RabbitMQ starts an AMQP 0-9-1 conversation: a method frame on channel 0, `connection.start`."""
    return _ask(host, port, b"AMQP\x00\x00\x09\x01", seconds=seconds)[:3] == b"\x01\x00\x00"


def url_answers(url: str, *, seconds: float = PROBE_SECONDS) -> bool:
    """Tell whether the server behind a URL answers; TLS addresses are only dialled."""
    parts = urlsplit(url)
    host, port = address(url)
    match parts.scheme.partition("+")[0]:
        case "postgres" | "postgresql":
            return postgres_answers(host, port, user=unquote(parts.username or "postgres"), seconds=seconds)
        case "redis":
            return redis_answers(host, port, seconds=seconds)
        case "amqp":
            return rabbitmq_answers(host, port, seconds=seconds)
        case _:
            return port_answers(host, port, seconds=seconds)


def port_answers(host: str, port: int, *, seconds: float = PROBE_SECONDS) -> bool:
    """Tell whether anything listens on a TCP port."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def _ask(host: str, port: int, question: bytes, *, seconds: float) -> bytes:
    try:
        with socket.create_connection((host, port), timeout=seconds) as connection:
            connection.settimeout(seconds)
            connection.sendall(question)
            return connection.recv(1024)
    except OSError:
        return b""
