"""Which variables are settings, and which are almost the name of one.

`setting_names.txt` beside this file lists every setting with the service that reads it; `just docs` writes it and a test
compares it. A service thus knows the names of the other three, with which it may share its environment.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path

LIST = Path(__file__).parent / "setting_names.txt"
"""A service, or `local` for what only the tools read, and a name, one pair a line."""

_TOOLS = "local"
_TWO_SLIPS_LENGTH = 12
"""From this length on two wrong letters are a slip too; in shorter names they make another word."""
_OTHERS = frozenset({"APP", "HTTP", "LOG", "MAX", "OTEL", "REQUEST", "RETRY"})
"""First words of ours that other programs use as well: what begins with one of them is not ours for that."""
_OF_OPENTELEMETRY = frozenset({"OTEL_BLRP_MAX_QUEUE_SIZE"})
"""Settings of its own that are almost one of ours, and mean something else."""
_FOREIGN = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(?:_|$)|_PORT_\d+_(?:TCP|UDP)(?:_|$)")
"""What Kubernetes and Docker tell every container about a service called `api`."""


@cache
def listed() -> dict[str, frozenset[str]]:
    """The names that each service reads without its prefix, and those of the tools."""
    found: dict[str, set[str]] = {}
    for line in LIST.read_text().splitlines():
        reader, name = line.split()
        found.setdefault(reader, set()).add(name)
    return {reader: frozenset(names) for reader, names in found.items()}


@cache
def _of_services() -> frozenset[str]:
    plain = {(reader, name) for reader, names in listed().items() if reader != _TOOLS for name in names}
    return frozenset(written for reader, name in plain for written in (name, f"{reader.upper()}_{name}"))


def is_known(name: str) -> bool:
    """Tell whether a variable is a setting, or names the file of one."""
    known = _of_services() | listed().get(_TOOLS, frozenset())
    return name in known or name.removesuffix("_FILE") in known


def misspelled(env: Mapping[str, str]) -> Iterator[str]:
    """Say of each variable that is almost a setting of a service what it must be called; one sentence each."""
    for name in sorted(env):
        meant = _meant(name) if env[name] and not is_known(name) and name not in _OF_OPENTELEMETRY else None
        if meant is not None:
            yield f"{name} is no setting: it must be called {meant}, or not be set"


def unknown(env: Mapping[str, str]) -> Iterator[str]:
    """Say of each variable that begins like a setting, and is none, that nothing reads it; one sentence each."""
    names = sorted(_of_services())
    services = {reader.upper() for reader in listed() if reader != _TOOLS}
    first = {name.partition("_")[0] for name in names} - _OTHERS | services
    for name in sorted(env):
        if not env[name] or is_known(name) or _is_foreign(name, env[name]) or _meant(name):
            continue
        if "_" in name and name.partition("_")[0] in first:
            nearest = get_close_matches(name, names, n=1, cutoff=0)
            yield f"{name} is no setting and nothing reads it; the nearest name of one is {nearest[0]}"


# The api reads its settings every ten seconds, for keys in files, and the names of the variables are always the same ones.
@lru_cache(maxsize=1024)
def _meant(name: str) -> str | None:
    suffix = "_FILE" if name.endswith("_FILE") else ""
    bare = name.removesuffix(suffix)
    if "_" not in bare or len(bare) < 6:
        return None
    slips = 2 if len(bare) >= _TWO_SLIPS_LENGTH else 1
    letters = frozenset(bare)
    near = [
        (count, known)
        for known in _of_services()
        if "_" in known and abs(len(known) - len(bare)) <= slips and len(letters ^ frozenset(known)) <= 2 * slips
        for count in [_slips(bare, known)]
        if count <= slips
    ]
    return min(near)[1] + suffix if near else None


def _is_foreign(name: str, value: str) -> bool:
    return _FOREIGN.search(name) is not None or (name.endswith("_PORT") and value.startswith(("tcp://", "udp://")))


def _slips(left: str, right: str) -> int:
    """How many letters were added, left out, exchanged or swapped with their neighbour (Damerau and Levenshtein)."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        above, row, older = row, [i], before
        for j, b in enumerate(right, start=1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        before = above
    return row[-1]
