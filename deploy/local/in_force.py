"""Which settings are in force: what would be used now and where each comes from, and what a running service started with."""

import importlib
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from deploy.local import environment
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.layout import PORT_OFFSET, Layout
from deploy.local.names import settings_of
from libs.common import setting_names
from libs.common.addresses import masked
from libs.common.secrets import is_secret
from libs.common.setting_values import Port, PostgresAddress, WebAddress, convert, shown
from libs.common.settings import SettingsError, load

_SHOWN_MAX = 100
LocalServers = Literal["auto", "docker", "native"]
"""Where private servers run."""


def check() -> None:
    """Look at every setting of the four services and of the tools before anything is started with it.

    Raises:
        LocalFailure: with one sentence for each that is wrong.
    """
    env = {**environment.placeholder_environment(), **{name: value for name, value in os.environ.items() if value}}
    faults: list[str] = []
    for service in SERVICES:
        services_own = importlib.import_module(f"services.{service}.settings")
        try:
            load(settings_of(service), service=service, environ=env, check=services_own.check_settings)
        except SettingsError as wrong:
            faults += [fault for fault in wrong.faults if fault not in faults]
    faults += [fault for fault in _of_tools() if fault not in faults]
    if faults:
        raise LocalFailure("\n  ".join(faults))


def _of_tools() -> list[str]:
    faults = []
    for name, value in sorted(os.environ.items()):
        kind: Any = Port if name in setting_names.listed()["local"] and name.endswith("_PORT") else None
        kind = WebAddress if name == "RABBITMQ_MANAGEMENT_URL" else PORT_OFFSET if name == "PORT_OFFSET" else kind
        kind = LocalServers if name == "LOCAL_SERVERS" else kind
        kind = PostgresAddress if name == "POSTGRES_ADMIN_URL" else kind
        if kind is not None and value.strip():
            try:
                convert(value.strip(), kind)
            except ValueError as must_be:
                faults.append(f"{name} must be {must_be}" + ("" if name.endswith("_URL") else f", not {shown(value)}"))
    return faults


def table(place: Layout, env: Mapping[str, str], *, shell: frozenset[str]) -> str:
    """Return every setting that would be used now, secrets masked, with where it comes from.

    A setting that the running services still have otherwise is marked.
    """
    settings = environment.settings_in(env, place.root)
    dotenv = environment.read_dotenv(place.root / ".env")
    running = {service: started_with(place, service) for service in SERVICES}
    lines = []
    for name, value in sorted(settings.items()):
        if name in shell and os.environ.get(name) == value:
            source = "shell"
        elif dotenv.get(name) == value:
            source = ".env"
        else:
            source = "up.sh"
        late = [service for service, had in running.items() if had is not None and had.get(name) != value]
        waits = f"  (not yet in force in {', '.join(late)}: just restart)" if late else ""
        lines.append(f"{name:40} {safe(name, value):60} {source}{waits}")
    gone = sorted({name for had in running.values() for name in had or {} if name not in settings})
    lines += [f"{name:40} {'-':60} no longer set (still in force: just restart)" for name in gone]
    return "\n".join(lines)


def safe(name: str, value: str) -> str:
    """Return a value as it may be shown: a secret masked, an address without its password."""
    field = name.lower()
    if is_secret(field) or field.endswith("pgpassword"):
        return "****"
    text = masked(value) if "://" in value else value
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _SHOWN_MAX else f"{one_line[:_SHOWN_MAX]}…"


def file_of(place: Layout, service: str) -> Path:
    """The file that a service's process reads its settings from when it starts; readable by its owner only."""
    return place.run / f"{service}.settings"


def write(place: Layout, service: str, settings: Mapping[str, str]) -> None:
    """Write what a service is to start with, in one step."""
    file = file_of(place, service)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}.tmp")
    draft.touch(mode=0o600)
    draft.write_text(environment.exports(settings), encoding="utf-8")
    draft.replace(file)


def started_with(place: Layout, service: str) -> dict[str, str] | None:
    """Return the settings that a service was last started with, or None when it was not started."""
    try:
        words = shlex.split(file_of(place, service).read_text(encoding="utf-8"))
    except OSError:
        return None
    pairs = (word.partition("=") for word in words if word != "export")
    return {name: value for name, _, value in pairs}
