"""The environment of the services: one contract, printed by `env`, used by `up`, explained in `.env.example`."""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from deploy.local import probes, records
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.layout import DEFAULT_PORTS, Layout, port_offset
from deploy.local.records import Server, Servers, with_credentials
from deploy.local.secretkeys import Keys
from libs.common import setting_names

DATABASE = "payments"
"""The platform's database."""

VHOST = "payments"
"""The platform's virtual host on a private broker; a given address names its own."""

PARTNERS_VHOST = "/"
"""The virtual host of other teams, on a private broker and where `PARTNERS_VHOST` says nothing else: theirs, by default."""

TEAMS = ("orders", "tenants")
"""Other teams that have a user of their own at RabbitMQ, as the contracts with them name them."""
REDRIVE = "redrive"
"""RabbitMQ's user for the operator who sends dead letters back to their queues."""

HTTP_PORTS = {"api": 8000, "ledger": 8001, "gateway": 8002, "notifier": 8003}
"""Where the services listen unless <SERVICE>_HTTP_PORT says otherwise."""

_DOCUMENTED = re.compile(r"^(?:# ?)?([A-Z][A-Z0-9_]+)=", re.MULTILINE)
_LINE = re.compile(r"^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$")


def service_environment(
    servers: Servers, keys: Keys, *, database: str = DATABASE, vhost: str = VHOST, is_split: bool = False
) -> dict[str, str]:
    """Return every setting that the four services need to run against these servers.

    With `is_split` each service has a database of its own, named after the common one and the service.
    """
    broker, cache = servers.rabbitmq, servers.redis
    env = {
        "APP_ENV": "local",
        "REDIS_URL": servers.redis_url,
        "HTTP_HOST": "127.0.0.1",
        "JWT_SECRET": keys.jwt_secret,
        "JWT_ISSUER": "local-auth",
        "ENCRYPTION_KEY": keys.encryption_key,
        "NOTIFIER_ENCRYPTION_KEY": keys.encryption_key,
        "LOG_LEVEL": "INFO",
    }
    if cache.sentinels:
        env["REDIS_SENTINELS"] = cache.sentinels
        # The balancer of this machine, before the processes of each service.
        env["TRUSTED_PROXIES"] = "127.0.0.1"
    if broker.kind == "given":
        env["RABBITMQ_URL"] = broker.url
    else:
        # Each service as the user that has its rights and no more, as in a deployment.
        passwords = broker_passwords(os.environ)
        url = servers.rabbitmq_vhost_url(vhost)
        for service in SERVICES:
            address = with_credentials(url, user=service, password=passwords[service])
            env[f"{service.upper()}_RABBITMQ_URL"] = address
    own = role_passwords(os.environ)
    for service in SERVICES:
        prefix = service.upper()
        for role, name in ((f"{service}_app", "DATABASE_URL"), (f"{service}_owner", "MIGRATION_DATABASE_URL")):
            place = database_of(service) if is_split else database
            url = servers.postgres_database_url(place, user=role, password=own.get(role, role))
            env[f"{prefix}_{name}"] = url
        env[f"{prefix}_HTTP_PORT"] = str(HTTP_PORTS[service] + port_offset())
    return env


def database_of(service: str) -> str:
    """Return the name of a service's own database."""
    return f"{DATABASE}_{service}"


def role_passwords(env: Mapping[str, str]) -> dict[str, str]:
    """Return the passwords that the settings give to roles of the database; the others have their names."""
    found = {}
    for service in SERVICES:
        prefix = service.upper()
        for role, names in (
            (f"{service}_app", (f"{prefix}_DATABASE_PASSWORD", "DATABASE_PASSWORD", f"{prefix}_APP_PASSWORD")),
            (
                f"{service}_owner",
                (f"{prefix}_MIGRATION_DATABASE_PASSWORD", "MIGRATION_DATABASE_PASSWORD", f"{prefix}_OWNER_PASSWORD"),
            ),
        ):
            given = next((env[name] for name in names if env.get(name)), "")
            if given:
                found[role] = given
    return found


def broker_passwords(env: Mapping[str, str]) -> dict[str, str]:
    """Return the passwords of the users of a private broker: as the settings say, else their names."""
    own = {s: env.get(f"{s.upper()}_RABBITMQ_PASSWORD") or env.get("RABBITMQ_PASSWORD") or s for s in SERVICES}
    teams = {team: env.get(f"{team.upper()}_RABBITMQ_PASSWORD") or team for team in TEAMS}
    return own | teams | {REDRIVE: REDRIVE}


def partners_vhost() -> str:
    """Return the virtual host of other teams, as the settings say."""
    return os.environ.get("PARTNERS_VHOST") or PARTNERS_VHOST


def operators_environment(servers: Servers, *, vhost: str = VHOST) -> dict[str, str]:
    """Return what the commands of an operator need beside the settings of the services, on a private broker."""
    if servers.rabbitmq.kind == "given":
        return {}
    url = with_credentials(servers.rabbitmq_vhost_url(vhost), user=REDRIVE, password=REDRIVE)
    return {"RABBITMQ_REDRIVE_URL": url}


def placeholder_environment() -> dict[str, str]:
    """Return settings that name no running server: enough for a service to describe itself."""
    ports = DEFAULT_PORTS["dev"]
    servers = Servers(
        profile="dev",
        root="",
        postgres=Server(kind="native", url=f"postgresql://postgres@127.0.0.1:{ports['postgres']}/postgres"),
        redis=Server(kind="native", url=f"redis://127.0.0.1:{ports['redis']}/0"),
        rabbitmq=Server(kind="given", url=f"amqp://guest:guest@127.0.0.1:{ports['rabbitmq']}/payments"),
    )
    keys = Keys(jwt_secret="0" * 64, encryption_key="A" * 43 + "=")
    return service_environment(servers, keys)


def full_environment(place: Layout, servers: Servers, keys: Keys) -> dict[str, str]:
    """Return the services' whole environment: this process's, our defaults, the user's settings on top.

    A variable of the shell or of `.env` wins over our default, except an address that the shell carries from an earlier
    `env` of ours.
    """
    defaults = service_environment(servers, keys, is_split=records.read(place).is_split)
    chosen = {**read_dotenv(place.root / ".env"), **os.environ}
    ours = records.own_addresses(place.root)
    for name in ("REDIS_URL", "RABBITMQ_URL", *(f"{service.upper()}_RABBITMQ_URL" for service in SERVICES)):
        if name in {"REDIS_URL", "RABBITMQ_URL"} or probes.address(chosen.get(name, "")) in ours:
            chosen.pop(name, None)
    own = {name: chosen[name] for name in defaults if chosen.get(name)}
    return with_bytecode({**chosen, **defaults, **own}, place.root)


def with_bytecode(env: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return an environment in which Python keeps its compiled modules, under `.local` where it is set to keep none.

    Compiling everything anew takes 2 to 4 s of every start of a service, on a machine of the smallest kind.
    """
    kept = dict(env)
    if kept.pop("PYTHONDONTWRITEBYTECODE", ""):
        kept.setdefault("PYTHONPYCACHEPREFIX", str(root / ".local" / "pycache"))
    return kept


def settings_in(env: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the part of an environment that are settings of the platform: our own, `.env`'s, and those documented."""
    example = root / ".env.example"
    documented = _DOCUMENTED.findall(example.read_text()) if example.is_file() else []
    known = {*documented, *read_dotenv(root / ".env")}
    return {
        name: value
        for name, value in env.items()
        if name in known or name.endswith("_URL") or setting_names.is_known(name)
    }


def load_dotenv(root: Path) -> None:
    """Put the settings of the user's `.env`, where there is one, under those of the shell."""
    for name, value in read_dotenv(root / ".env").items():
        os.environ.setdefault(name, value)


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the settings of a `.env` file; empty values count as absent.

    Raises:
        LocalFailure: when a line is neither a setting, a comment nor blank.
    """
    if not path.is_file():
        return {}
    settings = {}
    for number, raw in enumerate(path.read_text().splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise LocalFailure(f"{path}, line {number}: expected NAME=value, found {line[:60]!r}.")
        value = _unquoted(match.group(2).strip())
        if value:
            settings[match.group(1)] = value
    return settings


def exports(env: Mapping[str, str]) -> str:
    """Return settings as lines for a shell's `eval`."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(env.items()))


def _unquoted(value: str) -> str:
    """Return a value without its quotes; without quotes, a comment after a space ends it."""
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return re.split(r"\s+#", value, maxsplit=1)[0]
