"""The settings that docker-compose.yml hands to the four services: all of them, so that none is silently dropped."""

from collections.abc import Iterator
from pathlib import Path

from deploy.local.bootstrap import SERVICES
from deploy.local.environment import HTTP_PORTS
from deploy.local.layout import ROOT
from deploy.local.names import DOCUMENTED, names_of
from libs.common.secrets import is_secret

FILE = ROOT / "docker-compose.yml"
BEGIN = "# --- Settings of the services, written by `just docs`; empty ones mean the default ---\n"
END = "# --- end of the settings ---\n"

_FIXED = {"HTTP_HOST": "0.0.0.0"}
_DEFAULTS = {
    "APP_ENV": "local",
    "LOG_LEVEL": "INFO",
    "REDIS_URL": "redis://redis:6379/0",
    "JWT_SECRET": "local-development-secret-that-everyone-knows",
    "JWT_ISSUER": "local-auth",
    "ENCRYPTION_KEY": "bG9jYWwgZGV2ZWxvcG1lbnQsIG5vdCBhIHNlY3JldCE=",
    "SEED_ADMIN_PASSWORD": "admin123",
    "SEED_OPS_PASSWORD": "ops123",
    "SEED_SALES_PASSWORD": "sales123",
}
"""Where compose's own servers are, and what only development may use; the services refuse these secrets elsewhere."""
OF_OPENTELEMETRY = (
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_RESOURCE_ATTRIBUTES",
)
"""Settings that OpenTelemetry reads itself, for all services alike. They have no value in the file, so that a container gets those alone that
are set: an empty one is no number."""
_NO_FILES = ("SEED_", "MIGRATION_")
"""Secrets that stay values: of demo users; those of the migrations are written by hand."""


def settings(service: str, documented: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Each variable of a service's container with its value: the service's own setting, else the common one, else a default."""
    prefix = service.upper()
    for name in names_of(service):
        own = f"{prefix}_{name}"
        if name == "HTTP_PORT":
            yield name, str(HTTP_PORTS[service])
        elif name in _FIXED:
            yield name, _FIXED[name]
        elif name.startswith("MIGRATION_"):
            continue
        elif name not in documented and name not in {"DATABASE_URL", "RABBITMQ_URL"}:
            yield own, f"${{{own}:-{_default(service, name)}}}"
        else:
            # A secret that is set to nothing comes from a file, and has no default then.
            sign = "-" if name in _DEFAULTS and may_be_a_file(name) else ":-"
            yield name, f"${{{own}:-${{{name}{sign}{_default(service, name)}}}}}"
            if may_be_a_file(name):
                # The file of a role's password sets it in the database and is what the service logs in with.
                role = f"${{{prefix}_APP_PASSWORD_FILE:-}}" if name == "DATABASE_PASSWORD" else ""
                yield f"{name}_FILE", f"${{{own}_FILE:-${{{name}_FILE:-{role}}}}}"
    # Only where the address has none: of any characters, which within the address would have to be escaped.
    yield "PGPASSWORD", f"${{{prefix}_APP_PASSWORD:-{service}_app}}"


def may_be_a_file(name: str) -> bool:
    """Tell whether compose passes the file of a setting: of secrets, and of keys, which have many lines."""
    return (is_secret(name.lower()) or name == "JWT_PUBLIC_KEYS") and not name.startswith(_NO_FILES)


def block(root: Path = ROOT) -> str:
    """The generated part of docker-compose.yml."""
    documented = frozenset(DOCUMENTED.findall((root / ".env.example").read_text()))
    parts = [BEGIN]
    for service in SERVICES:
        parts.append(f"x-{service}-settings: &{service}-settings\n")
        parts += [f'  {name}: "{value}"\n' for name, value in settings(service, documented)]
        parts += [f"  {name}:\n" for name in OF_OPENTELEMETRY]
        parts.append("\n")
    return "".join([*parts[:-1], END])


def written(text: str, root: Path = ROOT) -> str:
    """Return the file's text with its generated part made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + block(root) + after


def _default(service: str, name: str) -> str:
    match name:
        case "DATABASE_URL":
            return f"postgresql://{service}_app@postgres:5432/payments"
        case "RABBITMQ_URL":
            return f"amqp://{service}:{service}@rabbitmq:5672/payments"
        case _:
            return _DEFAULTS.get(name, "")
