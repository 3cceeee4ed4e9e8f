"""deploy/kubernetes, checked as far as that goes without a cluster: schemas, references, settings, ports, rights."""

import importlib
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource

from deploy.local import environment, names
from deploy.local.bootstrap import SERVICES
from deploy.local.layout import ROOT
from libs.common import setting_names
from libs.common.service import MigrationSettings
from libs.common.settings import SettingsError, load
from tests.support.custom_resources import SCHEMAS
from tests.support.kubernetes import KUBERNETES, OVERLAYS, STAGES, documents, members, of_kind, secrets
from tests.support.kustomize import Document, containers_of

pytestmark = pytest.mark.unit

VERSION = "v1.34.0"
"""Of Kubernetes, whose schemas the documents are held to."""
MADE_BY_OTHERS = {"postgres-ca": {"ca.crt"}, "postgres-superuser": {"username", "password"}, "api-tls": set[str]()}
"""Secrets of CloudNativePG and of cert-manager."""
MOUNTED = "/run/secrets/payments/"


@cache
def validator(document_kind: str, api_version: str) -> Draft202012Validator:
    custom = SCHEMAS / f"{document_kind.lower()}.json"
    if custom.exists():
        return Draft202012Validator(json.loads(custom.read_text()))
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"{VERSION}-local-strict"
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    schema = json.loads((folder / f"{document_kind.lower()}-{group}.json").read_text())
    return Draft202012Validator(schema, registry=_shared(str(folder)))


@cache
def _shared(folder: str) -> Registry[Any]:
    definitions = json.loads((Path(folder) / "_definitions.json").read_text())
    registry: Registry[Any] = Registry()
    return cast("Registry[Any]", registry.with_resource("", Resource.from_contents(definitions)).crawl())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_documents_have_the_form_that_kubernetes_takes(overlay: str) -> None:
    faults = []
    for document in documents(overlay):
        for fault in validator(document["kind"], document["apiVersion"]).iter_errors(document):
            where = "/".join(map(str, fault.absolute_path))
            faults.append(f"{document['kind']} {document['metadata']['name']} {where}: {fault.message[:200]}")
    assert faults == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "replics"), 2),
        ("Deployment", ("spec", "template", "spec", "containers"), {}),
        ("Cluster", ("spec", "instancs"), 3),
        ("RabbitmqCluster", ("spec", "replicas"), "three"),
    ],
)
def test_document_with_a_slip_is_refused(kind: str, path: tuple[str, ...], value: Any) -> None:
    document = next(one for one in documents("production") if one["kind"] == kind)
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert not validator(kind, document["apiVersion"]).is_valid(document)


@pytest.mark.parametrize("stage", STAGES)
def test_kubectl_builds_the_same(stage: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    command = [kubectl, "kustomize", str(KUBERNETES / "overlays" / "production" / stage)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    generated = "|".join(of_kind(documents("production", stage), "ConfigMap"))
    assert generated
    # Nothing names one without its digest: there is no such ConfigMap, and a changed one would roll nothing.
    assert re.findall(rf"name: ({generated})$", printed, re.MULTILINE) == []
    without_digests = re.sub(rf"name: ({generated})-[a-z0-9]{{10}}$", r"name: \1", printed, flags=re.MULTILINE)

    def in_order(found: list[Document]) -> list[Document]:
        return sorted(found, key=lambda one: (one["kind"], one["metadata"]["name"]))

    assert in_order(list(yaml.safe_load_all(without_digests))) == in_order(documents("production", stage))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_secret_that_is_named_is_made_with_its_key(overlay: str) -> None:
    known = {name: set(keys) for name, keys in secrets().items()} | MADE_BY_OTHERS
    for document in documents(overlay):
        for name, value in members(document):
            match name, value:
                case "secretKeyRef" | "credentials" | "accessKeyId" | "secretAccessKey", {"name": secret, "key": key}:
                    assert key in known[secret]
                case "secretTargetRef", list():
                    assert all(one["key"] in known[one["name"]] for one in value)
                case "secret", {"secretName": secret} | {"name": secret}:
                    assert {item["key"] for item in value.get("items", [])} <= known[secret]
                case "secretName", str():
                    assert value in known


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("stage", STAGES)
def test_what_a_document_names_is_there(overlay: str, stage: str) -> None:
    found = documents(overlay, stage)
    maps, deployments, services = (of_kind(found, kind) for kind in ("ConfigMap", "Deployment", "Service"))
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in deployments.values()]
    # The operator gives RabbitMQ's pods the name of their cluster.
    pods += [{"app.kubernetes.io/name": name} for name in of_kind(found, "RabbitmqCluster")]
    for document in found:
        for name, value in members(document):
            if name in {"configMapRef", "configMap"}:
                assert value["name"] in maps
                assert {item["key"] for item in value.get("items", [])} <= maps[value["name"]]["data"].keys()
            elif name == "scaleTargetRef":
                assert value["kind"] == "Deployment"
                assert value["name"] in deployments
            elif name == "serviceAccountName":
                assert value in of_kind(found, "ServiceAccount")
            elif name == "backend":
                assert value["service"]["port"]["name"] in _ports(services[value["service"]["name"]])
            elif name == "authenticationRef":
                assert value["name"] in of_kind(found, "TriggerAuthentication")
        if document["kind"] in {"Service", "ServiceMonitor", "PodDisruptionBudget", "Deployment"}:
            selector = document["spec"]["selector"]
            labels = selector.get("matchLabels", selector)
            among = [one["metadata"]["labels"] for one in services.values()] if document["kind"][-1] == "r" else pods
            assert sum(labels.items() <= one.items() for one in among) == 1
        for container in containers_of(document):
            inside = document["spec"]["template"]["spec"]
            assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in inside["volumes"]}


def _ports(service: Document) -> set[str]:
    return {port["name"] for port in service["spec"]["ports"]}


def _environment(overlay: str, service: str, folder: Path) -> dict[str, str]:
    """The variables of a service's container, its secrets in files of a folder."""
    found = documents(overlay, "services")
    (container,) = containers_of(of_kind(found, "Deployment")[service])
    maps = of_kind(found, "ConfigMap")
    given = {
        name: value
        for source in container["envFrom"]
        for name, value in maps[source["configMapRef"]["name"]]["data"].items()
    }
    return _on_this_machine(given, f"{service}-secrets", folder)


def _on_this_machine(given: Mapping[str, str], secret: str, folder: Path) -> dict[str, str]:
    for key, value in secrets()[secret].items():
        (folder / key).write_text(value)
    return {name: value.replace(MOUNTED, f"{folder}/") for name, value in given.items()}


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_takes_its_settings_outside_local(overlay: str, service: str, tmp_path: Path) -> None:
    environ = _environment(overlay, service, tmp_path)
    ours = {name for name in environ if not name.startswith("PG")}
    written = {form for name in names.names_of(service) for form in (name, f"{service.upper()}_{name}")}
    assert {name for name in ours if not setting_names.is_known(name)} == set()
    # In a file of one service stands nothing that it does not read.
    own = (KUBERNETES / "base/services/settings" / f"{service}.env").read_text().splitlines()
    assert {line.partition("=")[0].removesuffix("_FILE") for line in own} <= written
    check = importlib.import_module(f"services.{service}.settings").check_settings
    settings: Any = load(names.settings_of(service), service=service, environ=environ, check=check)
    assert not settings.place.is_local
    assert settings.http.operations_token
    assert settings.http.http_host == "0.0.0.0"
    assert settings.http.http_port == environment.HTTP_PORTS[service]
    password = secrets()[f"{service}-secrets"]["database-password"]
    assert settings.database.database_url == f"postgresql://{service}_app:{password}@postgres-rw:5432/payments"
    assert re.fullmatch(rf"amqp://{service}:[0-9a-f]{{64}}@rabbitmq:5672/payments", settings.broker.rabbitmq_url)
    if service == "gateway":
        assert settings.processor.provider == ("stripe" if overlay == "production" else "sandbox")
    # Without any one of its secrets it does not start.
    for name in sorted(name for name in ours if name.endswith("_FILE")):
        broken = {**environ, name: f"{tmp_path}/missing"}
        with pytest.raises(SettingsError, match=f"{name} names a file that cannot be read"):
            load(names.settings_of(service), service=service, environ=broken)


@pytest.mark.parametrize("service", SERVICES)
def test_a_migration_takes_its_settings_and_the_owners_secret_alone(service: str, tmp_path: Path) -> None:
    job = of_kind(documents("production", "migrations"), "Job")[f"{service}-migrate"]
    (container,) = containers_of(job)
    assert container["args"] == ["migrate"]
    secret = f"{service}-owner-secrets"
    environ = _on_this_machine({one["name"]: one["value"] for one in container["env"]}, secret, tmp_path)
    settings = load(MigrationSettings, service=service, environ=environ)
    owner = f"{service}_owner:{secrets()[secret]['database-password']}"
    assert settings.database.migration_database_url == f"postgresql://{owner}@postgres-rw:5432/payments"
    mounted = {one["secret"]["secretName"] for one in job["spec"]["template"]["spec"]["volumes"] if "secret" in one}
    assert mounted == {secret, "postgres-ca"}


def test_the_init_sets_the_passwords_that_services_and_migrations_have() -> None:
    (container,) = containers_of(of_kind(documents("production", "migrations"), "Job")["database-init"])
    given = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one}
    assert [one for one in container["args"] if "PASSWORD" in one] == [], (
        "every process of the node reads command lines"
    )
    assert [one for one in container["args"] if one.startswith("--file=")] == [
        "--file=/bootstrap/variables.sql",
        "--file=/bootstrap/bootstrap.sql",
    ]
    mounted = of_kind(documents("production", "migrations"), "ConfigMap")["postgres-bootstrap"]["data"]
    sets = dict(re.findall(r"^\\getenv (\w+)_password (\w+)$", mounted["variables.sql"], re.MULTILINE))
    assert {role: given[variable] for role, variable in sets.items()} == {
        f"{service}_{kind}": {"name": f"{service}{secret}", "key": "database-password"}
        for service in SERVICES
        for kind, secret in (("owner", "-owner-secrets"), ("app", "-secrets"))
    }


@pytest.mark.parametrize("service", SERVICES)
def test_ports_probes_and_commands_are_the_services_own(service: str) -> None:
    found = documents("production", "services")
    (container,) = containers_of(of_kind(found, "Deployment")[service])
    port = environment.HTTP_PORTS[service]
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    assert of_kind(found, "Service")[service]["spec"]["ports"] == [{"name": "http", "port": port, "targetPort": "http"}]
    health = (ROOT / "libs/common/web/health.py").read_text()
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    paths = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert probes == {name: {"path": path, "port": "http"} for name, path in paths.items()}
    (scraped,) = of_kind(found, "ServiceMonitor")[service]["spec"]["endpoints"]
    assert all(f'"{path}",' in health for path in [*paths.values(), scraped["path"]])
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert container["image"] == f"registry.example.com/payments-{service}:{version}"
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert compose[service]["image"] == f"payments-{service}"
    assert f"CMD {json.dumps(container['args'])}\n" in (ROOT / "deploy/Dockerfile").read_text()
    job = of_kind(documents("production", "migrations"), "Job")[f"{service}-migrate"]
    assert containers_of(job)[0]["args"] == compose[f"{service}-migrate"]["command"]
