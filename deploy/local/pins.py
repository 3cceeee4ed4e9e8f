"""Pins images by digest: reads what each tag is now from its registry, and writes the digest behind the tag.

    python -m deploy.local.pins [--check] [--mirror docker.io=http://127.0.0.1:5000]

A tag moves, a digest does not: what was tried is what is started. `FILES` name every image that is not built here, as
`python:3.13-slim@sha256:...`; the tag says what may be written there next. A digest is that of the whole list of platforms, computed
from what the registry has sent, so that nothing but that content can be fetched by it later.
"""

import argparse
import hashlib
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any, NamedTuple

from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT

FILES = (
    "docker-compose.yml",
    "deploy/Dockerfile",
    "deploy/ha/Dockerfile",
    "deploy/ha/compose.yml",
    "deploy/local/containers.py",
    "deploy/kubernetes/base/migrations/database-init.yaml",
    "deploy/kubernetes/base/servers/postgres.yaml",
    "deploy/kubernetes/base/servers/rabbitmq.yaml",
    "deploy/kubernetes/base/servers/redis.yaml",
)
"""Where images of others are named."""

IMAGE = re.compile(
    r"""(?P<before>^\#\ syntax=|^FROM\ |^ARG\ \w+_IMAGE=|^\s*image(?:Name)?:\s|"(?:postgres|redis|rabbitmq)":\s")"""
    r"""(?P<name>[a-z0-9][\w.-]*(?:/[\w.-]+)*):(?P<tag>[\w.-]+)(?:@(?P<digest>sha256:[0-9a-f]{64}))?""",
    re.MULTILINE,
)
"""An image with a tag; ours have none."""

HUB = "docker.io"
HUBS_REGISTRY = "https://registry-1.docker.io"
LISTS = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
"""What a list of platforms is called."""
ANSWER_SECONDS = 20.0
ANSWER_BYTES_MAX = 4 * 1024 * 1024
"""The registries' own limit of a manifest."""


class Image(NamedTuple):
    """An image of somebody else's, and what it is pinned to."""

    name: str
    """As it is written: `python`, `prom/prometheus`, `ghcr.io/astral-sh/uv`."""
    tag: str
    digest: str = ""

    @property
    def registry(self) -> str:
        """The host that has it."""
        first, slash, _ = self.name.partition("/")
        return first if slash and ("." in first or ":" in first or first == "localhost") else HUB

    @property
    def repository(self) -> str:
        """Its name there: official images of Docker's registry are below `library`."""
        if self.registry != HUB:
            return self.name.partition("/")[2]
        bare = self.name.removeprefix(f"{HUB}/")
        return bare if "/" in bare else f"library/{bare}"


def images(text: str) -> list[Image]:
    """Return the images that a file names, in its order."""
    return [Image(found["name"], found["tag"], found["digest"] or "") for found in IMAGE.finditer(text)]


def pinned(text: str, digests: Mapping[tuple[str, str], str]) -> str:
    """Return the text with the digest of each image behind its tag."""

    def written(found: re.Match[str]) -> str:
        return f"{found['before']}{found['name']}:{found['tag']}@{digests[found['name'], found['tag']]}"

    return IMAGE.sub(written, text)


def digest_of(image: Image, mirrors: Mapping[str, str]) -> str:
    """Ask the registry of an image, or its mirror, what its tag is now.

    Raises:
        LocalFailure: when it cannot be reached, does not have it, or has it for one platform only.
    """
    default = HUBS_REGISTRY if image.registry == HUB else f"https://{image.registry}"
    base = mirrors.get(image.registry, default).rstrip("/")
    address = f"{base}/v2/{image.repository}/manifests/{image.tag}"
    try:
        body, kind = _manifest(address)
    except (urllib.error.URLError, HTTPException, OSError, ValueError) as problem:
        raise LocalFailure(f"{image.name}:{image.tag} cannot be read from {base}: {problem}") from problem
    if kind not in LISTS:
        raise LocalFailure(f"{image.name}:{image.tag} of {base} is for one platform only ({kind}).")
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _manifest(address: str) -> tuple[bytes, str]:
    headers = {"Accept": ", ".join(LISTS)}
    try:
        return _read(address, headers)
    except urllib.error.HTTPError as refused:
        challenge = refused.headers.get("WWW-Authenticate", "")
        if refused.code != 401 or not challenge.lower().startswith("bearer "):
            raise
    return _read(address, headers | {"Authorization": f"Bearer {_token(challenge)}"})


def _token(challenge: str) -> str:
    """Get the token that anybody gets, from where the registry says."""
    named = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    query = urllib.parse.urlencode({name: named[name] for name in ("service", "scope") if name in named})
    answer: Any = json.loads(_read(f"{named.get('realm', '')}?{query}", {})[0])
    return str(answer.get("token") or answer["access_token"])


def _read(address: str, headers: Mapping[str, str]) -> tuple[bytes, str]:
    if not address.startswith(("https://", "http://")):
        raise ValueError(f"{address!r} is no address of a registry")
    request = urllib.request.Request(address, headers=dict(headers))  # noqa: S310 - looked at above
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
        body: bytes = answer.read(ANSWER_BYTES_MAX + 1)
        if len(body) > ANSWER_BYTES_MAX:
            raise ValueError(f"{address} is longer than a manifest may be")
        return body, answer.headers.get_content_type()


def main(arguments: Sequence[str]) -> int:
    """Pin all images; with --check only tell which have another digest now."""
    parser = argparse.ArgumentParser(prog="just pin-images", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a tag has moved")
    parser.add_argument(
        "--mirror", action="append", default=[], metavar="REGISTRY=URL", help="where to ask instead: docker.io=URL"
    )
    chosen = parser.parse_args(arguments)
    mirrors = dict(one.split("=", 1) for one in chosen.mirror if "=" in one)
    if len(mirrors) != len(chosen.mirror):
        parser.error("a mirror is named as docker.io=https://mirror.example.com, each registry once")
    texts = {name: (ROOT / name).read_text() for name in FILES}
    found = {(image.name, image.tag): image for text in texts.values() for image in images(text)}
    try:
        digests = {key: digest_of(image, mirrors) for key, image in found.items()}
    except LocalFailure as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    moved = [key for key, image in found.items() if image.digest != digests[key]]
    for name, tag in moved:
        print(f"{name}:{tag} {digests[name, tag]}")
    if not chosen.check:
        for name, text in texts.items():
            (ROOT / name).write_text(pinned(text, digests))
    return 1 if chosen.check and moved else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
