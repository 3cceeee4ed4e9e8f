"""The servers in containers, where a Docker engine answers: compose for `dev`, testcontainers for `test`.

The choice can be made by hand with LOCAL_SERVERS=docker or LOCAL_SERVERS=native.
"""

import functools
import os
import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

from deploy.local import probes
from deploy.local.errors import LocalFailure, failure
from deploy.local.layout import Layout, port_offset, port_setting
from deploy.local.processes import run
from deploy.local.records import Server
from deploy.local.waiting import wait_until

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGES = {
    "postgres": "postgres:16@sha256:e17e86066e5ef83e0952a9347f5c792b7ece00972e2aa787a6986f471b3dd3d5",
    "redis": "redis:7@sha256:71da9275c5f3fcb97d0fa0c8c5b36cc995327265420f17a04bfd544f458059f7",
    "rabbitmq": "rabbitmq:3-management@sha256:e582c0bc7766f3342496d8485efb5a1df782b5ce3886ad017e2eaae442311f69",
}
"""The images of docker-compose.yml, so that one download serves both."""

ADMIN_PASSWORD = "RABBITMQ_ADMIN_PASSWORD"  # noqa: S105 - the name of a setting
"""The setting with the password of RabbitMQ's administrator."""
INNER_PORTS = {"postgres": 5432, "redis": 6379, "rabbitmq": 5672}
URLS = {
    "postgres": "postgresql://postgres:{password}@{host}:{port}/postgres",
    "redis": "redis://{host}:{port}/0",
    "rabbitmq": "amqp://payments:{rabbitmq}@{host}:{port}/",
}
"""Addresses with the administrators of docker-compose.yml."""

ENGINE_SECONDS = 5.0
"""An engine that does not answer in this time is treated as absent."""
PULL_SECONDS = 900.0
START_SECONDS = 120.0
STOP_SECONDS = 60.0


def are_chosen() -> bool:
    """Tell whether servers are to run in containers: the setting, else whether an engine answers.

    Raises:
        LocalFailure: when the setting is unknown, or asks for an engine that does not answer.
    """
    choice = os.environ.get("LOCAL_SERVERS", "auto").strip().lower() or "auto"
    if choice not in {"auto", "docker", "native"}:
        raise LocalFailure(f"LOCAL_SERVERS is {choice!r}; it may be auto, docker or native.")
    if choice == "native":
        return False
    if engine_answers():
        return True
    if choice == "docker":
        raise LocalFailure("LOCAL_SERVERS=docker, but no Docker engine answers; start it or use LOCAL_SERVERS=native.")
    return False


@functools.cache
def engine_answers() -> bool:
    """Tell whether a Docker engine answers (tried once per process)."""
    if not shutil.which("docker"):
        return False
    try:
        done = run(["docker", "version", "--format", "{{.Server.Version}}"], seconds=ENGINE_SECONDS)
    except LocalFailure:
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


def start(place: Layout, names: list[str]) -> dict[str, Server]:
    """Start servers in containers and return them when they answer."""
    return _start_for_tests(names) if place.profile != "dev" else _start_by_compose(place, names)


def stop(place: Layout, name: str, server: Server) -> None:
    """Stop a server's container; a test's container is removed with its data."""
    if place.profile != "dev":
        run(["docker", "rm", "--force", "--volumes", server.container], seconds=STOP_SECONDS)
    else:
        run(_compose(place, "stop", name), seconds=STOP_SECONDS, cwd=place.root)
        run(_compose(place, "rm", "--force", name), seconds=STOP_SECONDS, cwd=place.root)


def pause(server: Server) -> None:
    """Stop a container and keep it."""
    run(["docker", "stop", server.container], seconds=STOP_SECONDS)


def kill(server: Server) -> None:
    """End a container as a power cut would and keep it."""
    run(["docker", "kill", server.container], seconds=STOP_SECONDS)


def resume(server: Server) -> None:
    """Start a stopped container again; its published port stays the same where it was fixed."""
    run(["docker", "start", server.container], seconds=STOP_SECONDS)


def wipe(place: Layout) -> None:
    """Remove compose's volumes of the dev profile; containers of tests leave none."""
    if place.profile == "dev" and engine_answers():
        run(_compose(place, "down", "--volumes", "--remove-orphans"), seconds=STOP_SECONDS, cwd=place.root)


def execute(server: Server, command: list[str], *, text_in: str = "") -> str:
    """Run a command inside a container, `text_in` on its standard input, and return its output.

    Raises:
        LocalFailure: when it fails.
    """
    command_line = ["docker", "exec", "--interactive", server.container, *command]
    done = run(command_line, seconds=STOP_SECONDS, text_in=text_in)
    if done.returncode:
        raise LocalFailure(f"{command[0]} in container {server.container} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def _start_by_compose(place: Layout, names: list[str]) -> dict[str, Server]:
    # The services of a developer's machine run beside the containers, and as the administrator.
    admin = {ADMIN_PASSWORD: os.environ.get(ADMIN_PASSWORD) or "payments"}
    command = _compose(place, "up", "--detach", "--wait", *names)
    done = run(command, seconds=PULL_SECONDS, cwd=place.root, env=os.environ | published_ports(place) | admin)
    if done.returncode:
        sentence = f"docker compose could not start {', '.join(names)}: {done.stderr.strip()[-800:]}"
        raise failure(sentence, setting="POSTGRES_PORT, REDIS_PORT, RABBITMQ_PORT, or LOCAL_SERVERS=native")
    servers = {}
    for name in names:
        listed = run(_compose(place, "ps", "--quiet", name), seconds=STOP_SECONDS, cwd=place.root)
        servers[name] = _server(name, listed.stdout.strip(), "127.0.0.1", place.preferred_port(name))
    return servers


def published_ports(place: Layout) -> dict[str, str]:
    """Return the settings that tell compose where its servers listen on this machine, moved ones included."""
    ports = {port_setting("dev", name): place.preferred_port(name) for name in IMAGES}
    ports["RABBITMQ_MANAGEMENT_PORT"] = int(os.environ.get("RABBITMQ_MANAGEMENT_PORT") or 15672 + port_offset())
    return {name: str(port) for name, port in ports.items()}


def _compose(place: Layout, *arguments: str) -> list[str]:
    # A checkout whose ports are moved has containers and volumes of its own.
    project = ["--project-name", f"payments-{port_offset()}"] if port_offset() else []
    return ["docker", "compose", "--project-directory", str(place.root), *project, *arguments]


def _start_for_tests(names: list[str]) -> dict[str, Server]:
    # The reaper would remove the containers when this process ends; several test processes share them, `stop` ends them.
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    servers = {}
    for name in names:
        container = _container(name)
        container.start()
        host = container.get_container_host_ip()
        port = int(container.get_exposed_port(INNER_PORTS[name]))
        identity = str(container.get_wrapped_container().id)
        servers[name] = _server(name, identity, "127.0.0.1" if host == "localhost" else host, port)
    return servers


def _container(name: str) -> "DockerContainer":
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(IMAGES[name]).with_exposed_ports(INNER_PORTS[name])
    match name:
        case "postgres":
            return container.with_env(
                "POSTGRES_PASSWORD", os.environ.get("POSTGRES_PASSWORD") or "postgres"
            ).with_command(
                "postgres -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=400"
            )
        case "rabbitmq":
            return container.with_env("RABBITMQ_DEFAULT_USER", "payments").with_env(
                "RABBITMQ_DEFAULT_PASS", os.environ.get(ADMIN_PASSWORD) or "payments"
            )
        case _:
            return container.with_command("redis-server --save '' --appendonly no")


def _server(name: str, container: str, host: str, port: int) -> Server:
    password = quote(os.environ.get("POSTGRES_PASSWORD") or "postgres", safe="")
    administrator = quote(os.environ.get(ADMIN_PASSWORD) or "payments", safe="")
    url = URLS[name].format(host=host, port=port, password=password, rabbitmq=administrator)
    if not wait_until(lambda: probes.url_answers(url), seconds=START_SECONDS, poll_seconds=0.2):
        raise failure(f"{name} in container {container[:12]} does not answer on {host}:{port}.")
    return Server(kind="container", url=url, port=port, container=container)
