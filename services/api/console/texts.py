"""Languages: every text of the console is written in English, which is its key in the other catalogues."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from babel import Locale, negotiate_locale

_CATALOGUES = Path(__file__).parent / "languages"
_OFFERED = {"en": "en_US", "pt": "pt_BR"}


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """A language, with how its readers write amounts and dates."""

    code: str
    locale: Locale
    catalogue: Mapping[str, str]

    def text(self, english: str, /, **values: Any) -> str:
        """Return a text; what its catalogue lacks stays English."""
        found = self.catalogue.get(english, english)
        return found.format(**values) if values else found


@cache
def language(code: str) -> Language:
    """Return a language by its code.

    Raises:
        KeyError: for one that is not offered.
    """
    locale = Locale.parse(_OFFERED[code])
    path = _CATALOGUES / f"{code}.json"
    return Language(code=code, locale=locale, catalogue=json.loads(path.read_text()) if path.exists() else {})


def offered() -> Sequence[str]:
    """Return the codes of all languages."""
    return tuple(_OFFERED)


def preferred(accepted: str) -> str:
    """Return the code of the language that a browser prefers, by its `Accept-Language`."""
    names = [part.split(";")[0].strip().replace("-", "_") for part in accepted.split(",")[:10]]
    return negotiate_locale([name for name in names if name], list(_OFFERED), sep="_") or "en"
