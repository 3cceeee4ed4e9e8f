"""RabbitMQ's definitions for the deployed profile: one user per service, allowed what the contracts say and no more.

Exchanges, queues and bindings are declared beforehand, so that no service needs the right to read another's queue only
because it declares it (a queue with a dead-letter exchange asks for that right, but only when it is made). Written to
`deploy/rabbitmq/definitions.json` by `just docs`; a test keeps the file in step with the contracts.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deploy.local.bootstrap import SERVICES
from deploy.local.environment import VHOST
from libs.common.contracts import PUBLIC_EXCHANGE, heard_by, said_by
from libs.common.messaging.topology import topology

FILE = Path(__file__).resolve().parents[1] / "rabbitmq" / "definitions.json"
"""Loaded by compose's RabbitMQ at its first start."""

ADMIN = "payments"
"""The administrator's name, and for development its password."""

PARTNER_EXCHANGES = {"api": ("orders.x", "saas.x", "saas.events")}
"""Exchanges of other teams that a service binds queues to; declared by it where they are missing."""

DEFAULT_EXCHANGE = "amq.default"
"""The exchange without a name: replies go through it, and a delayed message returns to its queue."""


def definitions() -> dict[str, Any]:
    """Return the whole document: users, virtual hosts, permissions, exchanges, queues, bindings."""
    exchanges: dict[str, str] = {}
    queues: dict[str, dict[str, Any]] = {}
    bindings: set[tuple[str, str, str]] = set()
    for service in SERVICES:
        wanted = topology(service)
        exchanges.update((name, kind.value) for name, kind in wanted.exchanges)
        exchanges.update((name, "topic") for name in PARTNER_EXCHANGES.get(service, ()))
        for queue in wanted.queues:
            queues[queue.name] = dict(queue.arguments)
            bindings.update((exchange, queue.name, key) for exchange, key in queue.bindings)
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [_user(ADMIN, tags=["administrator"]), *(_user(service, tags=[]) for service in SERVICES)],
        "vhosts": [{"name": "/"}, {"name": VHOST}],
        "permissions": [
            *({"user": ADMIN, "vhost": vhost, **everything} for vhost in ("/", VHOST)),
            *({"user": service, "vhost": VHOST, **permissions(service)} for service in SERVICES),
        ],
        "exchanges": [
            {"name": name, "vhost": VHOST, "type": kind, "durable": True, "auto_delete": False, "arguments": {}}
            for name, kind in sorted(exchanges.items())
        ],
        "queues": [
            {"name": name, "vhost": VHOST, "durable": True, "auto_delete": False, "arguments": arguments}
            for name, arguments in sorted(queues.items())
        ],
        "bindings": [
            {
                "source": exchange,
                "vhost": VHOST,
                "destination": queue,
                "destination_type": "queue",
                "routing_key": key,
                "arguments": {},
            }
            for exchange, queue, key in sorted(bindings)
        ],
    }


def permissions(service: str) -> dict[str, str]:
    """Return what one service may configure, write to and read from, each as RabbitMQ's regular expression.

    Its own names (`ledger.` and what follows) are its own. Of the others' it may declare what it says messages to, bind
    queues to the exchanges it hears from, and write where the contracts let it speak. To bind a queue is to write to it.
    """
    wanted = topology(service)
    names = {name for name, _ in wanted.exchanges} | {queue.name for queue in wanted.queues}
    partners = set(PARTNER_EXCHANGES.get(service, ()))
    said = {message.contract.exchange for message in said_by(service)}
    heard = {message.contract.exchange for message in heard_by(service)}
    spoken = {PUBLIC_EXCHANGE} if any(message.contract.public for message in said_by(service)) else set()
    bound = {exchange for queue in wanted.queues for exchange, _ in queue.bindings}
    return {
        "configure": _pattern(service, names | partners),
        "write": _pattern(service, said | spoken | {queue.name for queue in wanted.queues} | {DEFAULT_EXCHANGE}),
        "read": _pattern(service, heard | bound | partners),
    }


def write() -> Path:
    """Write the document to its file and return the file."""
    FILE.write_text(text())
    return FILE


def text() -> str:
    """Return the document as it stands in its file."""
    return json.dumps(definitions(), indent=2) + "\n"


def password_hash(password: str, *, salt: bytes) -> str:
    """Return a password as RabbitMQ keeps it (https://www.rabbitmq.com/docs/passwords#computing-password-hash)."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _user(name: str, *, tags: list[str]) -> dict[str, Any]:
    """Return a user whose password is its name, for development; the salt is fixed so that the file is."""
    salt = hashlib.sha256(name.encode()).digest()[:4]
    return {
        "name": name,
        "password_hash": password_hash(name, salt=salt),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": tags,
    }


def _pattern(service: str, names: Iterable[str]) -> str:
    """Return an expression that matches the service's own names and these of others."""
    others = sorted(re.escape(name) for name in names if not name.startswith(f"{service}."))
    return "^(" + "|".join([rf"{service}\..*", *others]) + ")$"
