"""Images are pinned by digest, and `just pin-images` reads from registries what a tag is now."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy.local import pins
from deploy.local.errors import LocalFailure
from deploy.local.layout import ROOT
from deploy.local.pins import Image

pytestmark = pytest.mark.unit

INDEX = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
KINDS = {
    "library/postgres/manifests/16": pins.LISTS[0],
    "acme/single/manifests/1": "application/vnd.oci.image.manifest",
}


class Registry(BaseHTTPRequestHandler):
    """A registry that gives a manifest to whoever has fetched the token that it names."""

    def do_GET(self) -> None:
        """Answer one request."""
        path, _, query = self.path.partition("?")
        if path == "/token":
            self._answer(200, json.dumps({"token": f"for {query}"}).encode(), "application/json")
        elif self.headers["Authorization"] != "Bearer for service=a+registry&scope=pull":
            port = self.server.server_port  # type: ignore[attr-defined]
            self.challenge = f'Bearer realm="http://127.0.0.1:{port}/token",service="a registry",scope="pull"'
            self._answer(401, b"", "text/plain")
        elif kind := KINDS.get(path.removeprefix("/v2/")):
            assert pins.LISTS[0] in self.headers["Accept"]
            self._answer(200, INDEX, kind)
        else:
            self._answer(404, b"", "text/plain")

    challenge = ""

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.challenge:
            self.send_header("WWW-Authenticate", self.challenge)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write no log."""


@pytest.fixture(scope="module")
def mirrors() -> Iterator[dict[str, str]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {pins.HUB: f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()
        thread.join()


def test_every_image_of_others_is_pinned() -> None:
    found = [image for name in pins.FILES for image in pins.images((ROOT / name).read_text())]
    assert {image.name for image in found if not image.digest} == set()
    assert len({(image.name, image.digest) for image in found}) == len({image.name for image in found})


def test_no_image_is_named_elsewhere() -> None:
    files = [ROOT / "docker-compose.yml", *(ROOT / "deploy").rglob("*.y*ml"), ROOT / "deploy" / "Dockerfile"]
    for file in files:
        named = re.findall(r"^(?:FROM|\s*image(?:Name)?:)\s+(\S+)", file.read_text(), re.MULTILINE)
        others = [image for image in named if not image.startswith(("payments-", "${"))]
        read = pins.images(file.read_text()) if str(file.relative_to(ROOT)) in pins.FILES else []
        assert {image.partition("@")[0] for image in others} <= {f"{image.name}:{image.tag}" for image in read}, file


@pytest.mark.parametrize(
    ("name", "registry", "repository"),
    [
        ("postgres", "docker.io", "library/postgres"),
        ("docker.io/postgres", "docker.io", "library/postgres"),
        ("prom/prometheus", "docker.io", "prom/prometheus"),
        ("ghcr.io/astral-sh/uv", "ghcr.io", "astral-sh/uv"),
    ],
)
def test_image_is_looked_for_where_docker_does(name: str, registry: str, repository: str) -> None:
    assert (Image(name, "1").registry, Image(name, "1").repository) == (registry, repository)


def test_digest_is_that_of_what_the_registry_sends(mirrors: dict[str, str]) -> None:
    expected = f"sha256:{hashlib.sha256(INDEX).hexdigest()}"
    assert pins.digest_of(Image("postgres", "16"), mirrors) == expected


@pytest.mark.parametrize(
    ("image", "says"),
    [(Image("acme/single", "1"), "one platform only"), (Image("acme/missing", "1"), "404")],
)
def test_image_that_cannot_be_pinned_is_named(image: Image, says: str, mirrors: dict[str, str]) -> None:
    with pytest.raises(LocalFailure, match=rf"{image.name}:1 .*{says}"):
        pins.digest_of(image, mirrors)


def test_digest_is_written_behind_its_tag() -> None:
    old, new = f"sha256:{'0' * 64}", f"sha256:{'f' * 64}"
    text = f"FROM postgres:16 AS a\nARG PYTHON_IMAGE=python:3.13@{old}\n  image: postgres:16@{old}\n  image: payments-api\n"
    digests = {("postgres", "16"): new, ("python", "3.13"): new}
    assert pins.pinned(text, digests) == (
        f"FROM postgres:16@{new} AS a\nARG PYTHON_IMAGE=python:3.13@{new}\n  image: postgres:16@{new}\n  image: payments-api\n"
    )


def test_nothing_is_written_where_one_image_is_missing(mirrors: dict[str, str]) -> None:
    before = [(ROOT / name).read_text() for name in pins.FILES]
    url = mirrors[pins.HUB]
    assert pins.main(["--mirror", f"docker.io={url}", "--mirror", f"ghcr.io={url}"]) == 1
    assert [(ROOT / name).read_text() for name in pins.FILES] == before
