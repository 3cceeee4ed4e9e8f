"""What deploy/kubernetes promises beside its form: rights of pods, who reaches whom, and numbers that fit each other."""

import json
import os
import re
import subprocess
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from deploy.local import environment
from deploy.local.bootstrap import SERVICES
from deploy.local.definitions import definitions
from deploy.local.environment import TEAMS
from deploy.local.layout import ROOT
from libs.common.contracts.foreign import subscriptions_of
from libs.common.messaging.topology import topology
from libs.common.settings import DatabaseSettings, HttpSettings
from tests.support.kubernetes import KUBERNETES, OVERLAYS, documents, members, of_kind, secrets
from tests.support.kustomize import containers_of

pytestmark = pytest.mark.unit

BESIDE_THE_POOL = 5
"""Connections that are left for what a process opens beside its pool."""
KEPT_CONNECTIONS = 20
"""Of PostgreSQL: for its administrator, its copies and backups."""
PAGE = ROOT / "docs" / "kubernetes.md"


def pods() -> list[tuple[str, dict[str, Any]]]:
    return [
        (document["metadata"]["name"], document["spec"]["template"])
        for document in documents("production")
        if document["kind"] in {"Deployment", "Job"}
    ]


def test_pods_are_bounded_and_may_nothing_special() -> None:
    assert {name for name, _ in pods()} >= {*SERVICES, "redis", "database-init"}
    for name, template in pods():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        # Variables that Kubernetes makes of Services, such as API_PORT, would look like settings of ours.
        assert spec["enableServiceLinks"] is False, name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"].keys() == {"cpu", "memory"}, name
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        for volume in spec["volumes"]:
            assert "hostPath" not in volume, name
            assert volume.get("emptyDir", {"sizeLimit": ""}).keys() == {"sizeLimit"}, name


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_is_the_user_of_its_image_and_writes_to_tmp_alone(service: str) -> None:
    template = dict(pods())[service]
    assert f"USER {template['spec']['securityContext']['runAsUser']}:" in (ROOT / "deploy/Dockerfile").read_text()
    (container,) = template["spec"]["containers"]
    writable = {one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")}
    assert writable == {"/tmp"}
    assert "env" not in container, "secrets come as files"


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_has_time_to_finish_what_it_has_begun(service: str) -> None:
    template = dict(pods())[service]
    (container,) = template["spec"]["containers"]
    command, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    steps = 3 * HttpSettings().shutdown_timeout_seconds
    assert template["spec"]["terminationGracePeriodSeconds"] >= int(seconds) + steps


def test_a_pod_that_is_slow_to_answer_is_not_killed_for_it() -> None:
    for name in SERVICES:
        (container,) = dict(pods())[name]["spec"]["containers"]
        alive = container["livenessProbe"]
        assert alive["periodSeconds"] * alive["failureThreshold"] >= 60
        assert container["readinessProbe"]["timeoutSeconds"] >= 4, "each check of /readyz may take 2.5 s"


def test_nothing_reaches_anything_unless_a_policy_says_so() -> None:
    policies = of_kind(documents("production"), "NetworkPolicy")
    denied = policies["nothing-by-default"]["spec"]
    assert denied["podSelector"] == {}
    assert denied["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in denied
    assert {port["port"] for rule in denied["egress"] for port in rule["ports"]} == {53}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reaches_the_servers_of_its_settings(service: str) -> None:
    found = documents("production")
    labels = dict(pods())[service]["metadata"]["labels"]
    settings = of_kind(found, "ConfigMap")[f"{service}-settings"]["data"]
    policies = of_kind(found, "NetworkPolicy")
    used = {
        "postgres": urlsplit(settings["DATABASE_URL"]),
        "rabbitmq": urlsplit(settings["RABBITMQ_URL"]),
        **({"redis": urlsplit(settings["REDIS_URL"])} if "REDIS_URL" in settings else {}),
    }
    assert {name for name in labels if name.startswith("payments/uses-")} == {f"payments/uses-{name}" for name in used}
    for server, address in used.items():
        assert address.hostname == ("postgres-rw" if server == "postgres" else server)
        assert address.username == {"postgres": f"{service}_app", "rabbitmq": service, "redis": None}[server]
        (rule,) = (one for one in policies[server]["spec"]["ingress"] if f"payments/uses-{server}" in str(one["from"]))
        assert rule["ports"] == [{"protocol": "TCP", "port": address.port}]
        leaves = [
            port["port"]
            for policy in policies.values()
            if _selects(policy["spec"]["podSelector"], labels)
            for rule in policy["spec"].get("egress", [])
            if re.search(rf"'{server}'", str(rule.get("to")))
            for port in rule["ports"]
        ]
        assert leaves == [address.port], f"{service} cannot leave for {server}"


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    listed = all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))
    return listed and selector.get("matchLabels", {}).items() <= labels.items()


def test_the_internet_is_without_private_addresses() -> None:
    blocks = [value for name, value in members(documents("production", "services")) if name == "ipBlock"]
    assert len(blocks) == 3
    assert all(
        {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(one["except"]) for one in blocks
    )


def _processes_max(overlay: str) -> dict[str, int]:
    found = documents(overlay, "services")
    most = dict.fromkeys(SERVICES, 1)
    most |= {name: one["spec"]["maxReplicas"] for name, one in of_kind(found, "HorizontalPodAutoscaler").items()}
    return most | {name: one["spec"]["maxReplicaCount"] for name, one in of_kind(found, "ScaledObject").items()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_postgres_has_a_connection_for_every_process(overlay: str) -> None:
    cluster = of_kind(documents(overlay, "servers"), "Cluster")["postgres"]["spec"]
    each = DatabaseSettings().database_pool_size + BESIDE_THE_POOL
    # While a version is replaced, each service has one process more.
    needed = sum((most + 1) * each for most in _processes_max(overlay).values()) + KEPT_CONNECTIONS
    assert needed <= int(cluster["postgresql"]["parameters"]["max_connections"])


def test_the_gateways_share_stripes_calls_by_as_many_as_may_run() -> None:
    settings = of_kind(documents("production", "services"), "ConfigMap")["gateway-settings"]["data"]
    # And one more while a version is replaced.
    assert int(settings["STRIPE_CALLS_SHARED_BY"]) == _processes_max("production")["gateway"] + 1


def test_no_number_of_processes_undoes_what_scaling_has_done() -> None:
    deployments = of_kind(documents("production", "services"), "Deployment")
    assert {name for name, one in deployments.items() if "replicas" in one["spec"]} == set()
    assert {name for name, most in _processes_max("production").items() if most < 2} == set()
    assert _processes_max("small") == dict.fromkeys(SERVICES, 1)


@pytest.mark.parametrize("service", ["ledger", "gateway", "notifier"])
def test_scaling_looks_at_the_queues_that_a_service_consumes(service: str) -> None:
    (trigger,) = of_kind(documents("production", "services"), "ScaledObject")[service]["spec"]["triggers"]
    pattern = re.compile(trigger["metadata"]["queueName"])
    every = {queue.name for one in SERVICES for queue in topology(one, subscriptions_of(one), is_apart=True).queues}
    waits = (".dead", ".postponed", ".due")
    own = {
        name
        for name in every
        if name.startswith(f"{service}.") and not name.endswith(waits) and not name.startswith(f"{service}.wait.")
    }
    assert own
    assert {name for name in every if pattern.search(name)} == own
    assert trigger["metadata"]["vhostName"] == environment.VHOST


def test_every_user_of_rabbitmq_has_a_password_of_its_own() -> None:
    users = json.loads(secrets()["rabbitmq-users"]["users.json"])["users"]
    known = {user["name"]: user["tags"] for user in definitions()["users"]} | {"payments": ["administrator"]}
    # Other teams' users cannot log in before somebody gives them a password.
    assert {user["name"]: user["tags"] for user in users} == {
        name: tags for name, tags in known.items() if name not in TEAMS
    }
    assert len({user["password"] for user in users}) == len(users)
    given = {user["name"]: user["password"] for user in users}
    assert {name: secrets()[f"{name}-secrets"]["rabbitmq-password"] for name in SERVICES}.items() <= given.items()
    assert secrets()["keda-rabbitmq"]["host"].startswith(f"http://monitoring:{given['monitoring']}@rabbitmq.")


def test_no_secret_is_made_twice_alike() -> None:
    values = [value for name, keys in secrets().items() if name.endswith("-secrets") for value in keys.values()]
    shared = {value for value in values if values.count(value) > 1}
    assert shared == {secrets()["redis-secrets"]["password"]}


def test_jobs_in_prometheus_have_the_names_of_the_alerts() -> None:
    found = documents("production", "services")
    scraped = yaml.safe_load((ROOT / "deploy/observability/prometheus.yml").read_text())["scrape_configs"]
    jobs = {one["spec"]["jobLabel"] for one in of_kind(found, "ServiceMonitor").values()}
    (label,) = jobs
    named = {one["metadata"]["labels"][label] for one in of_kind(found, "Service").values()}
    assert named == {job["job_name"] for job in scraped if job["job_name"].startswith("payments-")}


def test_only_what_is_public_is_reached_from_outside() -> None:
    ingress = of_kind(documents("production", "services"), "Ingress")["payments"]["spec"]
    (rule,) = ingress["rules"]
    assert [one["hosts"] for one in ingress["tls"]] == [[rule["host"]]]
    paths = {one["path"]: one["backend"]["service"]["name"] for one in rule["http"]["paths"]}
    routes = (ROOT / "services/gateway/notices/routes.py").read_text()
    for path, service in paths.items():
        assert service == ("gateway" if path.endswith("/webhooks/stripe") else "api")
        assert service == "api" or f'"{path}", ' in routes or f'"{path}"]' in routes
    public = json.loads((ROOT / "docs/api/openapi.json").read_text())["paths"]
    assert {path.split("/")[1] for path in public} - {"healthz", "readyz"} == {"v1"}
    assert {"/v1", "/.well-known"} <= paths.keys()


def test_the_servers_are_those_of_compose() -> None:
    found = documents("small", "servers")
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert containers_of(of_kind(found, "Deployment")["redis"])[0]["image"] == compose["redis"]["image"]
    rabbitmq = of_kind(found, "RabbitmqCluster")["rabbitmq"]["spec"]
    assert rabbitmq["image"] == compose["rabbitmq"]["image"]
    # The operator's own image, `system` since the others lack what backups are made with: the same version of PostgreSQL.
    (ours, theirs) = (of_kind(found, "Cluster")["postgres"]["spec"]["imageName"], compose["postgres"]["image"])
    assert ours.partition("@")[0] == f"ghcr.io/cloudnative-pg/{theirs.partition('@')[0]}-system-trixie".replace(
        "/postgres:", "/postgresql:"
    )
    own = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text()
    settings = dict(re.findall(r"^(\w[\w.]+) = (.+)$", own, re.M))
    here = dict(re.findall(r"^(\w[\w.]+) = (.+)$", rabbitmq["rabbitmq"]["additionalConfig"], re.M))
    differing = {name for name in settings.keys() | here.keys() if settings.get(name) != here.get(name)}
    assert differing == {"load_definitions", "disk_free_limit.absolute"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_rabbitmq_reads_files_and_no_folder(overlay: str) -> None:
    cluster = of_kind(documents(overlay, "servers"), "RabbitmqCluster")["rabbitmq"]["spec"]
    pod = cluster["override"]["statefulSet"]["spec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    # It stops at its start where one of the names in the folder is that of another folder, as a whole volume has.
    (folder,) = re.findall(r"^load_definitions = (.+)$", cluster["rabbitmq"]["additionalConfig"], re.MULTILINE)
    found = {one["mountPath"]: one.get("subPath") for one in container["volumeMounts"] if one["name"] == volume["name"]}
    files = [
        item["path"] for source in volume["projected"]["sources"] for one in source.values() for item in one["items"]
    ]
    assert found == {f"{folder}/{file}": file for file in files}


def test_what_is_acknowledged_outlives_a_node() -> None:
    found = documents("production", "servers")
    cluster = of_kind(found, "Cluster")["postgres"]["spec"]
    assert cluster["postgresql"]["synchronous"] == {"method": "any", "number": 1, "dataDurability": "required"}
    assert {"minSyncReplicas", "maxSyncReplicas"} & cluster.keys() == set()
    assert cluster["instances"] >= 3, "with one copy away, it must be able to go on"
    assert of_kind(found, "PodDisruptionBudget")["rabbitmq"]["spec"]["maxUnavailable"] == 1
    rabbitmq = of_kind(found, "RabbitmqCluster")["rabbitmq"]["spec"]
    assert rabbitmq["replicas"] == 3
    assert rabbitmq["terminationGracePeriodSeconds"] >= 3600, "a node waits for the majority of every queue"


def test_the_page_installs_what_production_needs() -> None:
    script = str(KUBERNETES / "make-secrets.sh")
    (install,) = re.findall(r"## Install\n\n```console\n(.+?)```", PAGE.read_text(), re.DOTALL)
    read = set(re.findall(r"\$\{(\w+):[-?]", (KUBERNETES / "make-secrets.sh").read_text()))
    assert {name for name in read if f"{name}=" not in install} == set()
    assert "--for=condition=ContinuousArchiving cluster/postgres" in install
    printed = subprocess.run(
        [script], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True
    ).stderr
    assert re.findall(r"^no ([\w-]+)", printed, re.MULTILINE) == ["backup-secrets", "stripe-secret-key"]
    half = {"PATH": os.environ["PATH"], "BACKUP_ACCESS_KEY_ID": "backups"}
    refused = subprocess.run([script], env=half, capture_output=True, text=True, check=False)
    assert (refused.returncode != 0, refused.stdout) == (True, "")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_page_names_operators_whose_pods_are_let_in(overlay: str) -> None:
    labels = of_kind(documents(overlay), "Namespace")["payments"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    # Those of before make pods without the settings that this asks for (their internal/resource/statefulset.go).
    assert "cluster operator 2.17 or later" in PAGE.read_text()
    # The first one that knows `dataDurability`.
    assert "CloudNativePG 1.25 or later" in PAGE.read_text()


def test_the_page_names_every_folder_and_no_other() -> None:
    named = set(re.findall(r"-k (deploy/kubernetes/\S+)", PAGE.read_text()))
    assert named == {
        str(file.parent.relative_to(ROOT))
        for file in (KUBERNETES / "overlays").rglob("kustomization.yaml")
        if "production" in str(file)
    }
    assert "deploy/kubernetes/overlays/small" in PAGE.read_text()
    parts = {file.parent.name for file in (KUBERNETES / "components").rglob("kustomization.yaml")}
    assert {name for name in parts if f"`{name}`" not in PAGE.read_text()} == set()
