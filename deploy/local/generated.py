"""The files of the repository that are generated: written by one command, and compared without a server.

What describes itself is printed by its own module, in another process; the functions of the database are read
from a migrated one, so whether they are stale shows in the digests of the migrations that are kept beside them.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from deploy.local import (
    capacity,
    collection,
    compatibility,
    compose,
    definitions,
    environment,
    event_pages,
    message_page,
    metric_page,
    names,
    published,
    python_client,
    route_page,
)
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.json_documents import laid_out
from deploy.local.layout import ROOT
from deploy.local.processes import run
from deploy.observability import cluster_rules, dashboards, levels
from libs.common import setting_names
from libs.common.secrets import PUBLISHED

API = ROOT / "docs" / "api"
"""Where the OpenAPI and AsyncAPI documents are."""

MIGRATIONS_DIGEST = "migrations.sha256"
"""Beside the functions of a schema: of which migrations they were read, a line for each, in the form of `sha256sum`."""

DESCRIBE_SECONDS = 120.0
FUNCTIONS_SECONDS = 300.0


DOCUMENTS = {
    API / "openapi.json": "services.api openapi",
    **{API / f"asyncapi-{service}.json": f"services.{service} asyncapi" for service in SERVICES},
}
PACTS = ROOT / "tests" / "contract" / "pacts"
"""What consumers read of messages and answers, a file for a consumer and a provider."""

PAGES = {
    ROOT / "docs" / "errors.md": "services.api errors",
    ROOT / "docs" / "gateway.md": "tests.support.stripe_outcomes",
    ROOT / "docs" / "sandbox.md": "services.gateway sandbox-table",
    ROOT / "docs" / "chart-of-accounts.md": "services.ledger chart-of-accounts",
    **{file: f"tests.contract.pacts {file.stem}" for file in sorted(PACTS.glob("*.json"))},
}
"""What describes itself, by the module and the argument that print it."""
MADE: dict[Path, Callable[[], str]] = {
    definitions.FILE: definitions.text,
    definitions.DOCUMENT: definitions.page,
    setting_names.LIST: names.listing,
    capacity.FILE: lambda: capacity.written(capacity.FILE.read_text()),
    compose.FILE: lambda: compose.written(compose.FILE.read_text()),
    message_page.FILE: message_page.text,
    metric_page.FILE: metric_page.text,
    levels.FILE: levels.text,
    cluster_rules.FILE: lambda: cluster_rules.text(levels.text()),
    PUBLISHED: published.listing,
}
"""What is made of other files of the repository."""
DIGESTS = {ROOT / "services" / name / "schema" / "functions" / MIGRATIONS_DIGEST: name for name in SERVICES}
"""Of which service's migrations each is."""


def files() -> set[Path]:
    """Return every generated file, but for those that only a server can tell."""
    made = {
        *DOCUMENTS,
        *PAGES,
        *MADE,
        *DIGESTS,
        *python_client.FILES,
        *collection.FILES,
        route_page.FILE,
        *dashboards.texts(),
    }
    return made | compatibility.known_files() | event_pages.known_files()


def texts(below: Path = ROOT) -> dict[Path, str]:
    """Return what each generated file below a folder would contain now, but for those that need a server.

    Raises:
        LocalFailure: when a service cannot describe itself, or when something breaks what others rely on.
    """
    described = {file: command for file, command in {**DOCUMENTS, **PAGES}.items() if file.is_relative_to(below)}
    printed = _described(sorted(described.values())) if described else {}
    found = {file: printed[command] for file, command in described.items()}
    found |= {file: laid_out(json.loads(text)) for file, text in found.items() if file in DOCUMENTS}
    if (openapi := found.get(API / "openapi.json")) is not None:
        document = json.loads(openapi)
        found |= python_client.texts(openapi) | collection.texts(document) | compatibility.files(document)
        found |= event_pages.texts(document)
        found[route_page.FILE] = route_page.text(document)
    found |= {file: text for file, text in dashboards.texts().items() if file.is_relative_to(below)}
    return found | {file: make() for file, make in MADE.items() if file.is_relative_to(below)}


def write(below: Path = ROOT) -> Iterator[Path]:
    """Write every generated file below a folder that is not as it should be, and yield those.

    Raises:
        LocalFailure: when a service cannot describe itself, when something breaks what others rely on, or when a
            migration was changed.
    """
    now = texts(below)
    for file in _stale(now, below):
        if file.name == MIGRATIONS_DIGEST:
            digests = migration_digests(DIGESTS[file])
            if changed := changed_migrations(file.read_text() if file.exists() else "", digests):
                raise LocalFailure(
                    f"{', '.join(changed)} of {DIGESTS[file]} was changed, and a migration that others may have run never "
                    f"is: add another one. If it is not on main yet, delete its line in {file.name}"
                )
            _run("tests.support.functions", env=os.environ, seconds=FUNCTIONS_SECONDS)
            file.write_text(digests)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(now[file])
        yield file
    # It is made from all other files.
    if PUBLISHED.is_relative_to(below) and PUBLISHED.read_text() != (last := published.listing()):
        PUBLISHED.write_text(last)
        yield PUBLISHED


def stale(below: Path = ROOT) -> list[Path]:
    """Return the generated files below a folder that are not what they would be now; no server is needed.

    Raises:
        LocalFailure: as `write` does.
    """
    return _stale(texts(below), below)


def _stale(now: Mapping[Path, str], below: Path) -> list[Path]:
    digests = {file: migration_digests(name) for file, name in DIGESTS.items() if file.is_relative_to(below)}
    return differing(dict(now) | digests)


def differing(now: Mapping[Path, str]) -> list[Path]:
    """Return those files that are missing or do not contain their text."""
    return [file for file, text in now.items() if not file.exists() or file.read_text() != text]


def migration_digests(service: str) -> str:
    """List the migrations of a service with a digest of each, in the form of `sha256sum`."""
    folder = ROOT / "services" / service / "schema" / "migrations"
    return "".join(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder)}\n"
        for file in sorted([*folder.glob("*.sql"), *folder.glob("versions/*.py")])
    )


def changed_migrations(before: str, now: str) -> list[str]:
    """Return which migrations of an earlier list are missing now, or have another digest."""
    digests = {name: digest for digest, name in map(str.split, now.splitlines())}
    return [name for digest, name in map(str.split, before.splitlines()) if digests.get(name) != digest]


def _described(commands: Sequence[str]) -> dict[str, str]:
    env = {**os.environ, **environment.placeholder_environment()}
    found: dict[str, str] = json.loads(_run("deploy.local.descriptions", *commands, env=env, seconds=DESCRIBE_SECONDS))
    return found


def _run(module: str, *arguments: str, env: Mapping[str, str], seconds: float) -> str:
    done = run([sys.executable, "-m", module, *arguments], seconds=seconds, env=env, cwd=ROOT)
    if done.returncode:
        raise LocalFailure(f"`python -m {module} {' '.join(arguments)}` failed: {done.stderr.strip()[-800:]}")
    return done.stdout
