"""The image of a service: hadolint's main rules for deploy/Dockerfile, and what its bill of materials says."""

import json
import re
import tomllib
from collections.abc import Callable

import jsonschema_rs
import pytest

from deploy.local import sbom
from deploy.local.bootstrap import SERVICES
from deploy.local.layout import ROOT

pytestmark = pytest.mark.unit

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1))
    for line in re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
    if line.strip() and not line.startswith("#")
]
RULES: dict[str, Callable[[str, str], object]] = {
    "DL3000 WORKDIR is absolute": lambda name, rest: name != "WORKDIR" or rest.startswith("/"),
    "DL3002 the last user is not root": lambda name, rest: name != "USER" or re.match(r"[1-9]\d*:[1-9]\d*$", rest),
    "DL3003 WORKDIR instead of cd": lambda name, rest: name != "RUN" or not re.search(r"\bcd ", rest),
    "DL3004 no sudo": lambda name, rest: name != "RUN" or "sudo" not in rest,
    "DL3006, DL3007 images have a version": lambda name, rest: (
        name != "FROM" or rest.startswith("${PYTHON_IMAGE}") or re.match(r"\S+:(?!latest)\S+", rest)
    ),
    "DL3008, DL3013, DL3042 nothing is installed beside the lock": lambda name, rest: (
        name != "RUN" or not re.search(r"\b(apt-get|apk|pip) ", rest)
    ),
    "DL3020 COPY instead of ADD": lambda name, _: name != "ADD",
    "DL3025 commands are lists": lambda name, rest: (
        name not in {"CMD", "ENTRYPOINT"} or isinstance(json.loads(rest), list)
    ),
    "DL4000 no MAINTAINER": lambda name, _: name != "MAINTAINER",
    "no secret is built in": lambda name, rest: (
        name not in {"ARG", "ENV"} or not re.search("(?i)secret|passw|token", rest)
    ),
}
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


@pytest.mark.parametrize("rule", RULES)
def test_dockerfile_keeps_the_rule(rule: str) -> None:
    assert [line for line in INSTRUCTIONS if not RULES[rule](line[0], line[1])] == []


def test_image_names_what_it_is_made_of() -> None:
    labels = re.findall(r"org\.opencontainers\.image\.(\w+)=", DOCKERFILE)
    assert labels == ["title", "description", "licenses", "version", "revision"]
    assert "uv sync --frozen --no-dev" in DOCKERFILE
    assert "ARG PYTHON_IMAGE=python:3.13-slim\n" in DOCKERFILE
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
