"""Writing the services' own descriptions to `docs/api`: OpenAPI of the api, AsyncAPI of each service."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT
from deploy.local.processes import run

FOLDER = ROOT / "docs" / "api"
"""Where the documents are kept in the repository."""

EXPORT_SECONDS = 60.0


def export(env: Mapping[str, str]) -> list[Path]:
    """Write every document, with sorted keys so that a change shows as a change, and return the files.

    Raises:
        LocalFailure: when a service cannot describe itself.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = {FOLDER / "openapi.json": ("api", "openapi")}
    wanted |= {FOLDER / f"asyncapi-{service}.json": (service, "asyncapi") for service in SERVICES}
    for path, (service, document) in wanted.items():
        done = run([sys.executable, "-m", f"services.{service}", document], seconds=EXPORT_SECONDS, env=env, cwd=ROOT)
        try:
            content = json.loads(done.stdout)
        except json.JSONDecodeError as broken:
            said = done.stderr.strip()[-800:]
            raise LocalFailure(f"`python -m services.{service} {document}` printed no JSON: {said}") from broken
        path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return list(wanted)
