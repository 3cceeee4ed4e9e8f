"""Virtual hosts that have all queues of some services, and are kept for the next test that asks for the same.

To declare two hundred quorum queues and to delete them again costs RabbitMQ four seconds of computing. A host that comes back
is emptied, and what was added is deleted. It is given to the next one only when nobody is connected and its queues,
exchanges, bindings, policies, users and rights are those that it had at first; else it is deleted. What is left at the end of the process is too.
"""

import atexit
import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from deploy.local import servers as local
from deploy.local import vhosts
from deploy.local.bootstrap import SERVICES
from deploy.local.environment import broker_passwords
from deploy.local.errors import LocalFailure
from deploy.local.servers import Servers
from tests.support.brokers import addresses, declarations, declare, made_vhost

CONNECTIONS_SECONDS = 10.0
"""How long connections that were closed may take to be gone for the broker."""
QUEUES_SECONDS = 1.0
"""How long after that queues may take to have back what was not acknowledged, which can be purged only then."""

_STATE = """
V = <<"%(vhost)s">>, Queues = sets:from_list([%(queues)s]), Exchanges = sets:from_list([%(exchanges)s]),
Name = fun(A) -> element(4, amqqueue:get_name(A)) end,
Total = fun(A) -> case amqqueue:get_type(A) of
    rabbit_quorum_queue -> element(2, element(2, ra:local_query(amqqueue:get_pid(A), fun rabbit_fifo:query_messages_total/1)));
    _ -> [{_, N}] = rabbit_amqqueue:info(A, [messages]), N end end,
Connected = length([P || P <- rabbit_networking:connections(), [{vhost, V}] =:= (catch rabbit_reader:info(P, [vhost]))]),
Tidy = fun() ->
    [rabbit_amqqueue:delete(A, false, false, <<"test">>)
        || A <- rabbit_amqqueue:list(V), not sets:is_element(Name(A), Queues)],
    [rabbit_exchange:delete(element(2, X), false, <<"test">>)
        || X <- rabbit_exchange:list(V), N <- [element(4, element(2, X))], not sets:is_element(N, Exchanges),
           N =/= <<>>, binary:match(N, <<"amq.">>) =:= nomatch],
    [rabbit_amqqueue:purge(A) || A <- rabbit_amqqueue:list(V), Total(A) > 0]
end,
case Connected of 0 -> Tidy(); _ -> connected end,
State = {Connected,
    lists:sort([{Name(A), amqqueue:get_type(A), amqqueue:is_durable(A), amqqueue:get_arguments(A), Total(A)}
        || A <- rabbit_amqqueue:list(V)]),
    lists:sort([rabbit_exchange:info(X, [name, type, durable, auto_delete, internal, arguments])
        || X <- rabbit_exchange:list(V)]),
    lists:sort(rabbit_binding:list(V)), lists:sort(rabbit_runtime_parameters:list(V)),
    lists:sort(rabbit_auth_backend_internal:list_vhost_permissions(V)),
    lists:sort(rabbit_auth_backend_internal:list_vhost_topic_permissions(V)),
    lists:sort([{proplists:get_value(user, U), proplists:get_value(tags, U)} || U <- rabbit_auth_backend_internal:list_users()]),
    [element(1, rabbit_auth_backend_internal:user_login_authentication(U, [{password, P}])) || {U, P} <- [%(logins)s]]},
{Connected, erlang:md5(term_to_binary(State))}
"""
"""Tidies a host to which nobody is connected; its value is how many are, and a digest of all that there is."""


class _Kept(msgspec.Struct, frozen=True):
    name: str
    services: tuple[str, ...]
    state: str
    """What `_STATE` was when it was new."""
    question: str


_idle: dict[str, list[_Kept]] = {}
"""By the address of the broker."""
_owners: dict[str, Servers] = {}


@contextmanager
def declared_vhost(servers: Servers, *, services: Sequence[str] = SERVICES) -> Iterator[tuple[str, dict[str, str]]]:
    """A virtual host with the queues of these services, for as long as the block lasts: its address, and that of each service.

    A broker that was given has only the host that its address names, whose queues its services declare.
    """
    if servers.rabbitmq.kind == "given":
        yield servers.rabbitmq_url, dict.fromkeys(services, servers.rabbitmq_url)
        return
    kept = _taken(servers, tuple(services)) or _made(servers, tuple(services))
    try:
        url = servers.rabbitmq_vhost_url(kept.name)
        yield url, addresses(url, services=services)
    finally:
        _give_back(servers, kept)


def _made(servers: Servers, services: tuple[str, ...]) -> _Kept:
    name = made_vhost(servers)
    try:
        url = servers.rabbitmq_vhost_url(name)
        declare(servers, url, services=services)
        document = declarations(url, services=services)
        question = _STATE % {
            "vhost": name,
            "queues": _binaries(document["queues"]),
            "exchanges": _binaries(document["exchanges"]),
            "logins": ", ".join(
                f'{{<<"{user}">>, <<"{password}">>}}' for user, password in sorted(broker_passwords(os.environ).items())
            ),
        }
        return _Kept(name, services, _look(servers, question), question)
    except BaseException:
        local.delete_vhost(servers, name)
        raise


def _taken(servers: Servers, services: tuple[str, ...]) -> _Kept | None:
    idle = _idle.get(servers.rabbitmq_url, [])
    for kept in [each for each in idle if each.services == services]:
        idle.remove(kept)
        if _is_as_new(servers, kept):
            return kept
        local.delete_vhost(servers, kept.name)
    return None


def _give_back(servers: Servers, kept: _Kept) -> None:
    if not _is_as_new(servers, kept):
        local.delete_vhost(servers, kept.name)
        return
    if not _owners:
        atexit.register(_delete_all)
    _owners[servers.rabbitmq_url] = servers
    _idle.setdefault(servers.rabbitmq_url, []).append(kept)


def _is_as_new(servers: Servers, kept: _Kept) -> bool:
    """Tidy a host and say whether it is what it was at first."""
    ends_at = time.monotonic() + CONNECTIONS_SECONDS
    try:
        while (state := _look(servers, kept.question)) != kept.state:
            now = time.monotonic()
            if state.startswith("{0,"):
                ends_at = min(ends_at, now + QUEUES_SECONDS)
            if now > ends_at:
                return False
            time.sleep(0.1)
    except LocalFailure:
        # It is deleted then, which raises where the broker does not answer at all.
        return False
    return True


def _look(servers: Servers, question: str) -> str:
    return "".join(vhosts.evaluate(servers.rabbitmq, question).split())


def _delete_all() -> None:
    for url, idle in _idle.items():
        # Servers that were stopped have thrown them away.
        with contextlib.suppress(LocalFailure):
            local.delete_vhosts(_owners[url], [kept.name for kept in idle])


def _binaries(named: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f'<<"{each["name"]}">>' for each in named)
