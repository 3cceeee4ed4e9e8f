"""The list of all settings, made from the settings of the four services and from `.env.example`."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from deploy.local.bootstrap import SERVICES
from deploy.local.layout import ROOT

DOCUMENTED = re.compile(r"^(?:# ?)?([A-Z][A-Z0-9_]+)=", re.MULTILINE)
"""A setting in `.env.example`."""


def settings_of(service: str) -> type[msgspec.Struct]:
    """Return the settings struct of a service."""
    kind: type[msgspec.Struct] = importlib.import_module(f"services.{service}.settings").Settings
    return kind


def names_of(service: str) -> list[str]:
    """Return the names that a service reads, without its prefix, in the order of their declaration."""
    return list(_names(settings_of(service)))


def listing(root: Path = ROOT) -> str:
    """The list as it is committed: for each name the service that reads it, or `local` for the tools."""
    read = {service: names_of(service) for service in SERVICES}
    written = {
        form for service, names in read.items() for name in names for form in (name, f"{service.upper()}_{name}")
    }
    documented = DOCUMENTED.findall((root / ".env.example").read_text())
    pairs = {(service, name) for service, names in read.items() for name in names}
    pairs.update(("local", name) for name in documented if name not in written)
    return "".join(f"{reader} {name}\n" for reader, name in sorted(pairs))


def _names(kind: type[msgspec.Struct]) -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _names(field.type)
        else:
            yield field.name.upper()
