"""Build a kustomization as `kubectl kustomize` does, as far as deploy/kubernetes uses it; no binary is needed.

Known are `resources`, `components`, `namespace`, `labels`, `images`, `configMapGenerator` and `patches` that merge; anything
else is refused, so that nothing is left out silently. One thing differs: the names of ConfigMaps have no digest.
"""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

KNOWN = frozenset(
    {
        "apiVersion",
        "kind",
        "components",
        "configMapGenerator",
        "configurations",  # only says where names are
        "images",
        "labels",
        "namespace",
        "patches",
        "resources",
    }
)
CLUSTER_WIDE = frozenset({"Namespace"})

type Document = dict[str, Any]


def build(folder: Path) -> list[Document]:
    """Return the documents of a kustomization.

    Raises:
        ValueError: when it has something that is not known here.
        FileNotFoundError: when it names a file or folder that does not exist.
    """
    documents: list[Document] = []
    _apply(folder.resolve(), documents)
    return documents


def _apply(folder: Path, documents: list[Document]) -> None:
    recipe: Document = yaml.safe_load((folder / "kustomization.yaml").read_text())
    if unknown := recipe.keys() - KNOWN:
        raise ValueError(f"{folder} has {', '.join(sorted(unknown))}, which are not known here")
    for name in recipe.get("resources", []):
        place = folder / name
        documents += build(place) if place.is_dir() else list(_read(_inside(folder, name)))
    for entry in recipe.get("configMapGenerator", []):
        _generate(folder, entry, documents)
    for name in recipe.get("configurations", []):
        _inside(folder, name).read_text()
    for name in recipe.get("components", []):
        _apply((folder / name).resolve(), documents)
    for entry in recipe.get("patches", []):
        patch = yaml.safe_load(entry["patch"] if "patch" in entry else _inside(folder, entry["path"]).read_text())
        _merge(_same(patch, documents), patch)
    for image in recipe.get("images", []):
        for container in (one for document in documents for one in containers_of(document)):
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"
    for document in documents:
        if "namespace" in recipe and document["kind"] not in CLUSTER_WIDE:
            document["metadata"]["namespace"] = recipe["namespace"]
        for label in recipe.get("labels", []):
            document["metadata"].setdefault("labels", {}).update(label["pairs"])


def containers_of(document: Document) -> list[Document]:
    """Return the containers of a Deployment or Job."""
    if document["kind"] not in {"Deployment", "Job"}:
        return []
    found: list[Document] = document["spec"]["template"]["spec"]["containers"]
    return found


def _inside(folder: Path, name: str) -> Path:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder):
        raise ValueError(f"{name} is outside of {folder}, where kustomize takes no file from")
    return file


def _read(file: Path) -> Iterator[Document]:
    yield from yaml.safe_load_all(file.read_text())


def _generate(folder: Path, entry: Document, documents: list[Document]) -> None:
    values: dict[str, str] = {}
    for name in entry.get("files", []):
        values[name] = _inside(folder, name).read_text()
    for name in entry.get("envs", []):
        for line in _inside(folder, name).read_text().splitlines():
            if line and not line.startswith("#"):
                key, _, value = line.partition("=")
                values[key] = value
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": entry["name"]}, "data": values}
    if entry.get("behavior") == "merge":
        _same(made, documents)["data"].update(values)
    else:
        documents.append(made)


def _same(patch: Document, documents: list[Document]) -> Document:
    (found,) = (
        document
        for document in documents
        if (document["kind"], document["metadata"]["name"]) == (patch["kind"], patch["metadata"]["name"])
    )
    return found


def _merge(into: Document, patch: Document) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = deepcopy(value)
