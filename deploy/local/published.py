"""Find the secrets that stand in the files of this repository, so that services can refuse them outside local."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from deploy.local.layout import ROOT
from libs.common.secrets import digest, one_line

_NAME = re.compile(r"secret|passw|encryption_?key|private_?key|api_?key", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+]*://[^\s:/@'\"{}<>|\\]+:([^\s/@'\"{}<>|\\]{3,})@")
_DEFAULT = re.compile(r"\$\{([A-Z0-9_]+):-([^}$\n]{3,})\}")
_ASSIGNED = re.compile(r"^[#\s-]*(?:export\s+)?[\"']?([\w.-]+)[\"']?\s*[:=]\s*[\"']?([^\s\"'`,$#{}\[\]()<>|]{3,})")
_PRIVATE_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----[A-Za-z0-9+/=\s\\]+-----END \1-----")
_LEFT_OUT = re.compile(
    r"^(?:uv\.lock|docs/(?:api|contracts)/|docs/(?:messages|routes)\.md|tests/contract/\S+\.json|libs/common/published_secrets\.txt)"
)
_BYTES_MAX = 1_000_000
PEERS_SECRETS = ("change-me", "local-dev-secret-min-32-chars-for-hs256-signing")
"""Development secrets that stand in the published sources of systems that work with this one."""


def secrets(root: Path = ROOT) -> frozenset[str]:
    """Every value in a place where secrets stand: in addresses, after names of secrets, as defaults of variables."""
    found: set[str] = set()
    for file in _files(root):
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        found.update(_in_text(text))
        # Few files name a secret at all: only those are parsed.
        if _NAME.search(text):
            found.update(_in_python(text) if file.suffix == ".py" else _assigned(text))
    return frozenset(found)


def listing(found: Iterable[str] | None = None) -> str:
    """The digests of all secrets found, as they are committed."""
    return "".join(f"{line}\n" for line in sorted(map(digest, secrets() if found is None else found)))


def _files(root: Path) -> Iterator[Path]:
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in sorted(set(names)):
        file = root / name
        if not _LEFT_OUT.match(name) and file.is_file() and file.stat().st_size <= _BYTES_MAX:
            yield file


def _in_text(text: str) -> Iterator[str]:
    yield from (one_line(key[0]) for key in _PRIVATE_KEY.finditer(text))
    # No match goes over the end of a line.
    yield from _ADDRESS.findall(text)
    yield from (value for name, value in _DEFAULT.findall(text) if _NAME.search(name))


def _assigned(text: str) -> Iterator[str]:
    for line in text.splitlines():
        assigned = _ASSIGNED.match(line)
        if assigned and _NAME.search(assigned[1]):
            yield assigned[2]


def _in_python(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Assign(targets=targets, value=value):
                named = [name for target in targets for name in _names(target)]
            case ast.AnnAssign(target=target, value=value) if value is not None:
                named = list(_names(target))
            case ast.keyword(arg=str(name), value=value):
                named = [name]
            case ast.Dict(keys=keys, values=values):
                for key, item in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str) and _NAME.search(key.value):
                        yield from _strings(item)
                continue
            case _:
                continue
        if any(_NAME.search(name) for name in named):
            yield from _strings(value)


def _names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Attribute):
        yield target.attr


def _strings(value: ast.expr) -> Iterator[str]:
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) >= 3:
            yield node.value
