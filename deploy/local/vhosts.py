"""RabbitMQ virtual hosts: many in one call, whatever way the broker can be administered.

Our own node is called in Erlang, a container through its `rabbitmqctl`, a given broker over its management HTTP API.
"""

import base64
import json
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from deploy.local import containers
from deploy.local.errors import LocalFailure
from deploy.local.native import rabbitmq
from deploy.local.records import Server

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$")
"""What we accept as a virtual host's name; nothing that would need quoting in Erlang."""

HTTP_SECONDS = 10.0

JOURNAL_DOWN = "wal_down"
"""The journal of quorum queues ends, and is started again, where one of many queues that are deleted is written at that moment (RabbitMQ 3.10)."""
DELETE_TRIES_MAX = 20


def create(server: Server, names: list[str]) -> None:
    """Make virtual hosts where they are missing and give the administrator every permission in them.

    Raises:
        LocalFailure: when a name is not acceptable or the broker cannot be administered.
    """
    if not names:
        return
    _check(names)
    user = _user(server)
    if server.kind == "given":
        for name in names:
            _http(server, "PUT", f"vhosts/{quote(name, safe='')}", {})
            everything = {"configure": ".*", "write": ".*", "read": ".*"}
            _http(server, "PUT", f"permissions/{quote(name, safe='')}/{quote(user, safe='')}", everything)
        return
    evaluate(
        server,
        "lists:foreach(fun(V) -> "
        'case rabbit_vhost:exists(V) of true -> ok; false -> rabbit_vhost:add(V, <<"local">>) end, '
        f'rabbit_auth_backend_internal:set_permissions(<<"{user}">>, V, <<".*">>, <<".*">>, <<".*">>, <<"local">>) '
        f"end, {_binaries(names)})",
    )


def delete(server: Server, names: list[str]) -> None:
    """Remove virtual hosts with everything in them; those already gone are fine.

    Raises:
        LocalFailure: when a name is not acceptable or the broker cannot be administered.
    """
    if not names:
        return
    _check(names)
    if server.kind == "given":
        for name in names:
            _http(server, "DELETE", f"vhosts/{quote(name, safe='')}", None)
        return
    expression = (
        "lists:foreach(fun(V) -> "
        'case rabbit_vhost:exists(V) of true -> rabbit_vhost:delete(V, <<"local">>); false -> ok end '
        f"end, {_binaries(names)})"
    )
    for tries in range(1, DELETE_TRIES_MAX + 1):
        try:
            evaluate(server, expression)
            return
        except LocalFailure as failed:
            if JOURNAL_DOWN not in str(failed) or tries == DELETE_TRIES_MAX:
                raise
            time.sleep(1)


def load(server: Server, definitions: dict[str, Any]) -> None:
    """Have a broker take definitions as it does at its start: what exists stays, users and rights are replaced.

    Raises:
        LocalFailure: when the broker refuses them or cannot be administered.
    """
    text = json.dumps(definitions)
    match server.kind:
        case "given":
            _http(server, "POST", "definitions", definitions)
        case "container":
            containers.execute(server, ["rabbitmqctl", "import_definitions"], text_in=text)
        case _:
            # Readable by us alone: there are passwords in it, though not in the clear.
            with NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                name = base64.b64encode(str(Path(file.name)).encode()).decode()
                rabbitmq.evaluate(
                    server,
                    f'{{ok, B}} = file:read_file(base64:decode("{name}")), ok = rabbit_definitions:import_raw(B)',
                )


def _check(names: list[str]) -> None:
    for name in names:
        if not NAME.fullmatch(name) and name != "/":
            raise LocalFailure(f"{name!r} is not a name for a virtual host: letters, digits and _ . : / - only.")


def _binaries(names: list[str]) -> str:
    return "[" + ", ".join(f'<<"{name}">>' for name in names) + "]"


def _user(server: Server) -> str:
    return unquote(urlsplit(server.url).username or "guest")


def evaluate(server: Server, expression: str) -> str:
    """Have an Erlang expression evaluated by a broker of ours, container or native; returns its value as text.

    Raises:
        LocalFailure: when the broker does not answer.
    """
    if server.kind == "container":
        return containers.execute(server, ["rabbitmqctl", "eval", f"{expression}."])
    return rabbitmq.evaluate(server, expression)


def _http(server: Server, method: str, path: str, body: dict[str, Any] | None) -> object:
    """Ask the management HTTP API of a given broker.

    Raises:
        LocalFailure: when RABBITMQ_MANAGEMENT_URL is not set, or the API refuses or does not answer.
    """
    if not server.management_url:
        raise LocalFailure(
            "RABBITMQ_URL names a broker of yours; to make virtual hosts in it set RABBITMQ_MANAGEMENT_URL "
            "(http://user:password@host:15672), or unset RABBITMQ_URL to have a private broker."
        )
    parts = urlsplit(server.management_url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], path="")).rstrip("/")
    credentials = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}"
    request = urllib.request.Request(  # noqa: S310 - the address is the user's own setting
        f"{bare}/api/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": "Basic " + base64.b64encode(credentials.encode()).decode(),
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as answer:  # noqa: S310
            text = answer.read()
    except urllib.error.HTTPError as refused:
        if method == "DELETE" and refused.code == 404:
            return None
        raise LocalFailure(f"RabbitMQ's management API refused {method} {path}: {refused}") from refused
    except OSError as unreachable:
        raise LocalFailure(f"RabbitMQ's management API at {bare} does not answer: {unreachable}") from unreachable
    return json.loads(text) if text else None
