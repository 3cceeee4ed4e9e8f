"""The part of deploy/kubernetes that turns traces on, over the services of an overlay."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from deploy.local.bootstrap import SERVICES
from libs.common.settings import TracingSettings, load
from tests.support.kubernetes import KUBERNETES, OVERLAYS, of_kind
from tests.support.kustomize import build
from tests.unit.deploy.test_kubernetes import validator

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_may_reach_the_collector_that_they_are_given(overlay: str, tmp_path: Path) -> None:
    recipe = {
        "resources": [str(KUBERNETES / "overlays" / overlay / "services")],
        "components": [str(KUBERNETES / "components" / "traces")],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(recipe))
    built = build(tmp_path)
    environ = of_kind(built, "ConfigMap")["common-settings"]["data"]
    settings = load(TracingSettings, service="api", environ=environ)
    collector = urlsplit(settings.otel_exporter_otlp_endpoint)
    assert collector.hostname is not None
    namespace = collector.hostname.split(".")[1]
    policy = of_kind(built, "NetworkPolicy")["services-to-collector"]
    assert list(validator("NetworkPolicy", policy["apiVersion"]).iter_errors(policy)) == []
    (who,) = policy["spec"]["podSelector"]["matchExpressions"]
    assert set(who["values"]) == set(SERVICES)
    (way,) = policy["spec"]["egress"]
    assert way["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}]
    assert way["ports"] == [{"protocol": "TCP", "port": collector.port}]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_traces_are_off_without_it(overlay: str) -> None:
    built = build(KUBERNETES / "overlays" / overlay / "services")
    environ = of_kind(built, "ConfigMap")["common-settings"]["data"]
    assert load(TracingSettings, service="api", environ=environ).otel_exporter_otlp_endpoint == ""
    assert "services-to-collector" not in of_kind(built, "NetworkPolicy")
