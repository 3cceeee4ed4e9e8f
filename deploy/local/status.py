"""What runs: each server and each service by itself, with what is wrong in words and the command that helps."""

import json
from collections.abc import Set as AbstractSet

from deploy.local import in_force, lifecycle, servers, supervision
from deploy.local.bootstrap import SERVICES
from deploy.local.ha import cluster
from deploy.local.layout import PROFILES, Layout, layout, platform_layout
from deploy.local.records import SERVERS
from libs.common.addresses import masked

UP = "./scripts/up.sh"
CHECKS = {"postgres": "database", "redis": "redis", "rabbitmq": "rabbitmq"}
"""What `/readyz` of a service calls each server."""


def status() -> str:
    """Return a table of what runs: servers of every profile that was started, services with their readiness."""
    lines: list[str] = []
    helps: dict[str, list[str]] = {}
    down: set[str] = set()
    current = platform_layout()
    for profile in PROFILES:
        place = layout(profile)
        if profile != current.profile and not place.record.exists():
            continue
        command = (
            UP if profile == current.profile else f".venv/bin/python -m deploy.local up-servers --profile {profile}"
        )
        for name in SERVERS:
            server, words = servers.condition(profile, name)
            kind = server.kind if server else "-"
            where = masked(server.url) if server else "-"
            lines.append(f"{profile:7} {name:9} {kind:9} {where:45} {words}")
            if words != servers.ANSWERS and (profile == current.profile or server is not None):
                helps.setdefault(command, []).append(name)
                if profile == current.profile:
                    down.add(CHECKS[name])
        if place.is_cluster and place.record.exists():
            for name, where, words in cluster.conditions(place):
                lines.append(f"{profile:7} {name:11} {'node':7} {where:45} {words}")
                if words in cluster.DOWN and servers.known(profile) is not None:
                    helps.setdefault(command, []).append(name)
    for state in supervision.states(current):
        words, command = condition_of(current, state, down)
        name, url = state.process.name, _process_url(current, state.process)
        lines.append(f"{current.profile:7} {name:9} {'service':9} {url:45} {words}")
        if command:
            helps.setdefault(command, []).append(name)
    if current.processes > 1:
        lines += [f"{current.profile:7} {name:9} {'balancer':9} {_url(current, name)}" for name in SERVICES]
    return "\n".join([*lines, *(f"next: {command} ({', '.join(names)})" for command, names in helps.items())])


def url_of(service: str) -> str:
    """Return the address of a service: the one that it runs with, else the one that it would be started with."""
    return _url(platform_layout(), service)


def _url(place: Layout, service: str) -> str:
    return lifecycle.base_url(_settings(place, service), service)


def _process_url(place: Layout, process: supervision.Process) -> str:
    return lifecycle.process_url(_settings(place, process.service), process)


def _settings(place: Layout, service: str) -> dict[str, str]:
    return in_force.started_with(place, service) or lifecycle.settings_without_servers(place)


def condition_of(
    place: Layout, state: supervision.ServiceState, down: AbstractSet[str] = frozenset()
) -> tuple[str, str]:
    """Return how a service is, and which command helps; none where it waits only for a server that is down."""
    logs = f"./scripts/logs.sh {state.process.name}"
    if state.state == "NONE":
        return "not started", UP
    if not state.is_up:
        words = "ends as soon as it starts" if state.state in {"BACKOFF", "FATAL"} else "stopped"
        return words, logs if state.state in {"BACKOFF", "FATAL"} else f"just restart {state.service}"
    since = f"pid {state.pid}, {state.uptime_seconds} s"
    code, answer = lifecycle.readiness(f"{_process_url(place, state.process)}/readyz")
    if code == 200:
        since += ", degraded" if '"status":"degraded"' in answer else ""
        since += ", the database is read-only" if '"database":"read_only"' in answer else ""
        started_with = in_force.started_with(place, state.service)
        now = lifecycle.settings_known(place)
        if started_with is not None and now is not None and started_with != now:
            return f"ready ({since}), with settings from before they were changed", "just env, then just restart"
        return f"ready ({since})", ""
    if code == 0:
        return f"runs, but does not answer ({since})", logs
    try:
        checks = json.loads(answer).get("checks", {})
    except ValueError:
        checks = {}
    failing = [name for name, answer in checks.items() if answer != "ok"] if isinstance(checks, dict) else []
    why = f"{' and '.join(failing)} not usable" if failing else f"/readyz answers {code}"
    return f"not ready: {why} ({since})", "" if failing and set(failing) <= down else logs
