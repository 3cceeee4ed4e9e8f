"""The documents of deploy/kubernetes as a cluster would get them, and the secrets that make-secrets.sh makes."""

import base64
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.kustomize import Document, build

KUBERNETES = Path(__file__).parents[2] / "deploy" / "kubernetes"
STAGES = ("servers", "migrations", "services")
"""In the order in which they are applied."""
OVERLAYS = ("small", "production")


@cache
def _built(overlay: str, stage: str) -> list[Document]:
    return build(KUBERNETES / "overlays" / overlay / stage)


def documents(overlay: str, *stages: str) -> list[Document]:
    return [document for stage in stages or STAGES for document in deepcopy(_built(overlay, stage))]


def of_kind(found: list[Document], kind: str) -> dict[str, Document]:
    return {document["metadata"]["name"]: document for document in found if document["kind"] == kind}


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Every member of a document, however deep."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield name, member
            yield from members(member)
    elif isinstance(value, list):
        for item in value:
            yield from members(item)


@cache
def secrets() -> dict[str, dict[str, str]]:
    """What make-secrets.sh makes for a platform with Stripe and backups."""
    given = {"STRIPE_SECRET_KEY": "sk_test_" + "4eC39HqLyjWD", "STRIPE_WEBHOOK_SECRETS": "whsec_" + "8fK2mQx7Lp0V"}
    given |= {
        "BACKUP_ACCESS_KEY_ID": "backups",
        "BACKUP_SECRET_ACCESS_KEY": "x",
        "PATH": "/usr/bin:/bin:/usr/local/bin",
    }
    command = [str(KUBERNETES / "make-secrets.sh")]
    printed = subprocess.run(command, env=given, capture_output=True, text=True, check=True).stdout
    return {
        one["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in one["data"].items()}
        for one in yaml.safe_load_all(printed)
        if one
    }
