"""Where the API is and as whom it is called: by a key of the environment, else as the last log-in left it."""

import json
import os
from pathlib import Path

import click

from payments_client import Client

DEFAULT_URL = "http://localhost:8000"
_NAMES = {"url": "PAYCTL_URL", "key": "PAYCTL_KEY", "tenant": "PAYCTL_TENANT"}


def file() -> Path:
    """Return where a log-in is kept."""
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "payctl.json"


def save(*, url: str, key: str, tenant: str | None) -> None:
    """Keep a log-in, readable for nobody else."""
    path = file()
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump({"url": url, "key": key, "tenant": tenant}, out)
    written.replace(path)


def client() -> Client:
    """Return a client as it is configured.

    Raises:
        click.ClickException: when nobody has logged in, or a kept key belongs to another address.
    """
    # A key of the environment goes nowhere that an earlier log-in chose, and for no tenant of it.
    saved = {} if os.environ.get("PAYCTL_KEY") else _saved()
    chosen = {name: os.environ.get(variable) or saved.get(name) for name, variable in _NAMES.items()}
    url, key = chosen["url"] or DEFAULT_URL, chosen["key"]
    if key is None:
        raise click.ClickException("Log in first: payctl login, or set PAYCTL_KEY.")
    if not os.environ.get("PAYCTL_KEY") and url != saved.get("url"):
        # A key goes to nobody else than to whom it was given by.
        raise click.ClickException(f"You are logged in at {saved.get('url')}, and PAYCTL_URL is {url}: log in there.")
    try:
        return Client(url, authentication=key, tenant_id=chosen["tenant"])
    except ValueError as malformed:
        raise click.ClickException(f"PAYCTL_KEY: {malformed}") from None


def _saved() -> dict[str, str | None]:
    try:
        found = json.loads(file().read_bytes())
        return {name: found.get(name) for name in _NAMES}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError):
        raise click.ClickException(f"{file()} cannot be read: log in again, or remove it.") from None
