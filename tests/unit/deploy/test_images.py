"""The image of a service: hadolint finds nothing in deploy/Dockerfile, and what its bill of materials says."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from deploy.local import sbom
from deploy.local.bootstrap import SERVICES
from deploy.local.layout import ROOT

pytestmark = pytest.mark.unit

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
COMPONENT = {
    "type": "object",
    "required": ["type", "bom-ref", "name", "version", "purl", "externalReferences"],
    "properties": {
        "purl": {"pattern": r"^pkg:pypi/[a-z0-9-]+@\d[\w.+]*$"},
        "externalReferences": {
            "minItems": 1,
            "items": {"properties": {"hashes": {"items": {"properties": {"content": {"pattern": "^[0-9a-f]{64}$"}}}}}},
        },
    },
}


def linted(text: str) -> list[str]:
    """Return the rules of hadolint that a Dockerfile breaks."""
    command = [str(Path(sys.executable).with_name("hadolint")), "--format", "json", "--no-fail", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return [found["code"] for found in json.loads(done.stdout)]


def test_hadolint_finds_nothing() -> None:
    assert linted(DOCKERFILE) == []
    # What it would find: a version missing, root, a shell's form, and packages beside the lock.
    spoilt = DOCKERFILE.replace("WORKDIR /build", "RUN cd /build && pip install flask")
    spoilt = spoilt.replace("USER 10001:10001", "USER root").replace('CMD ["serve"]', "CMD serve")
    assert {"DL3003", "DL3013", "DL3042", "DL3002", "DL3025"} <= set(linted(spoilt))


def test_image_runs_as_nobody_and_holds_no_secret() -> None:
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"(?im)^(?:ARG|ENV) .*(?:secret|passw|token).*$", DOCKERFILE) == []


def test_image_names_what_it_is_made_of() -> None:
    labels = re.findall(r"org\.opencontainers\.image\.(\w+)=", DOCKERFILE)
    assert labels == ["title", "description", "licenses", "version", "revision"]
    assert "uv sync --frozen --no-dev" in DOCKERFILE
    assert "ARG PYTHON_IMAGE=python:3.13-slim@sha256:" in DOCKERFILE
    assert sbom.PYTHON["python_version"] == "3.13"


@pytest.mark.parametrize("service", SERVICES)
def test_bill_of_materials_has_what_the_lock_installs(service: str) -> None:
    document = sbom.document(service)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [*project["dependencies"], *project["optional-dependencies"][service]]
    direct = {re.split(r"[\[<>=~!]", text)[0].strip() for text in required}
    components = {one["name"]: one for one in document["components"]}
    assert direct <= components.keys()
    assert components.keys().isdisjoint({"pytest", "ruff", "django", "payments-platform"})
    assert ("stripe" in components) == (service == "gateway")
    check = jsonschema_rs.validator_for(COMPONENT)
    assert all(check.is_valid(one) for one in components.values())
    refs = {one["bom-ref"] for one in components.values()} | {f"payments-{service}"}
    assert {one["ref"] for one in document["dependencies"]} == refs
    assert {to for one in document["dependencies"] for to in one["dependsOn"]} == refs - {f"payments-{service}"}
