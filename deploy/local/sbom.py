"""What is in a service's image, as a CycloneDX 1.6 document: read from uv.lock, from which the image is built.

    python -m deploy.local.sbom api

Each package has its version, its purl and the SHA-256 digests of the files that may have been installed. Packages of the
operating system are not in it: a scanner of images (`docker sbom`, syft) lists those.
"""

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.markers import Marker

from deploy.local.bootstrap import SERVICES
from deploy.local.layout import ROOT

PYTHON = {
    "python_version": "3.13",
    "python_full_version": "3.13.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
}
"""Where an image runs; `deploy/Dockerfile` has the same version."""

type Package = Mapping[str, Any]


def document(service: str) -> dict[str, Any]:
    """Return the bill of materials of a service's image.

    Raises:
        KeyError: when there is no such service.
    """
    if service not in SERVICES:
        raise KeyError(service)
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    packages = {package["name"]: package for package in lock["package"]}
    ours = packages["payments-platform"]
    direct = [*ours["dependencies"], *ours.get("optional-dependencies", {}).get(service, [])]
    needed = _closure(packages, direct)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"payments-{service}",
                "name": f"payments-{service}",
                "version": ours["version"],
            }
        },
        "components": [_component(packages[name]) for name in sorted(needed)],
        "dependencies": [
            {"ref": f"payments-{service}", "dependsOn": sorted(_purl(packages[name]) for name in _names(direct))},
            *(
                {
                    "ref": _purl(packages[name]),
                    "dependsOn": sorted({_purl(packages[one]) for one in _all(packages[name], extras)}),
                }
                for name, extras in sorted(needed.items())
            ),
        ],
    }


def _closure(packages: Mapping[str, Package], direct: list[Package]) -> dict[str, set[str]]:
    """Find the packages that are installed, each with its extras."""
    found: dict[str, set[str]] = {}
    waiting = [*direct]
    while waiting:
        one = waiting.pop()
        extras = set(one.get("extra", ()))
        if not _applies(one) or (one["name"] in found and extras <= found[one["name"]]):
            continue
        found.setdefault(one["name"], set()).update(extras)
        waiting += _dependencies(packages[one["name"]], found[one["name"]])
    return found


def _dependencies(package: Package, extras: set[str]) -> list[Package]:
    optional = package.get("optional-dependencies", {})
    return [*package.get("dependencies", ()), *(one for extra in sorted(extras) for one in optional.get(extra, ()))]


def _all(package: Package, extras: set[str]) -> Iterator[str]:
    return _names(_dependencies(package, extras))


def _names(dependencies: list[Package]) -> Iterator[str]:
    return (one["name"] for one in dependencies if _applies(one))


def _applies(dependency: Package) -> bool:
    return "marker" not in dependency or Marker(dependency["marker"]).evaluate(PYTHON)


def _component(package: Package) -> dict[str, Any]:
    files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
    return {
        "type": "library",
        "bom-ref": _purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": _purl(package),
        "externalReferences": [
            {
                "type": "distribution",
                "url": file["url"],
                "hashes": [{"alg": "SHA-256", "content": file["hash"].removeprefix("sha256:")}],
            }
            for file in files
        ],
    }


def _purl(package: Package) -> str:
    return f"pkg:pypi/{package['name']}@{package['version']}"


if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in SERVICES:
        sys.exit(f"usage: python -m deploy.local.sbom ({' | '.join(SERVICES)})")
    print(json.dumps(document(sys.argv[1]), indent=2))
