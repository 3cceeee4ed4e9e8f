"""Which secrets are none: published in this repository, too short, or easy to guess. Services refuse them outside local.

`published_secrets.txt` beside this file has the SHA-256 digest of every secret that stands in a file of this repository;
`just docs` writes it and a test compares it, so that nobody has to remember to add one.
"""

import base64
import binascii
import hashlib
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

PUBLISHED = Path(__file__).parent / "published_secrets.txt"
"""Digests in hexadecimal, one a line."""

PASSWORD_LENGTH_MIN = 12
"""Characters of a password in an address: beyond what is guessed over a network."""
KEY_LENGTH_MIN = 32
"""Characters of a key that signs or seals (RFC 7518, section 3.2)."""
_DIFFERENT_MIN = 5
"""Different characters that a secret has at least; 16 random hexadecimal digits have fewer once in ten million times."""

_NAMED = re.compile(
    r"(?:^|_)(?:secret|secrets|password|encryption_key|encryption_keys|console_key|console_keys|private_key|operations_token"
    r"|otlp_headers)(?:_|$)"
)
_SIGNS = re.compile(r"^(?:jwt_secret|encryption_key|console_key|operations_token)")
_SEALS = ("encryption_key", "console_key")
"""How the names of keys begin that are 32 bytes in base64."""
_HOW = "make one with `openssl rand -hex 32`"
_HOW_KEY = "make one with `openssl rand -base64 32`"
HOW_PRIVATE_KEY = (
    "make one with `just make-key FILE`, or `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE`"
)
"""How a key pair that signs tokens is made, for the sentence that refuses one."""


def digest(secret: str) -> str:
    """The form in which the list keeps a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def one_line(pem: str) -> str:
    """A key in PEM without its line breaks, however they are written: equal keys look alike."""
    return "".join(pem.replace("\\n", "\n").split())


@cache
def published() -> frozenset[str]:
    """The digests of all secrets that stand in this repository."""
    return frozenset(PUBLISHED.read_text().split())


def is_secret(field: str) -> bool:
    """Tell whether a settings field of this name holds a secret."""
    return _NAMED.search(field) is not None


def secret_fault(field: str, value: str, *, setting: str) -> str | None:
    """Say in one sentence why the value of a secret field must not be used, if it must not.

    Args:
        field: name of the settings field, such as `jwt_secret`.
        value: what it is set to.
        setting: name of the environment variable, for the sentence.
    """
    if field.endswith("private_key"):
        return _fault(setting, one_line(value), length_min=KEY_LENGTH_MIN, how=HOW_PRIVATE_KEY)
    signs = _SIGNS.search(field) is not None
    how = _HOW_KEY if field.startswith(_SEALS) else _HOW
    return _fault(setting, value, length_min=KEY_LENGTH_MIN if signs else PASSWORD_LENGTH_MIN, how=how)


def address_fault(url: str, *, setting: str) -> str | None:
    """Say in one sentence why the password in an address must not be used, if there is one and it must not."""
    try:
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        return None
    if not password:
        return None
    if password == user:
        return f"{setting} has a password that equals its user, which only APP_ENV=local may use; {_HOW}"
    return _fault(f"the password in {setting}", password, length_min=PASSWORD_LENGTH_MIN, how=_HOW)


def _fault(what: str, value: str, *, length_min: int, how: str) -> str | None:
    if digest(value) in published():
        return f"{what} stands in the sources of this platform, so everybody knows it; {how}"
    if len(value) < length_min:
        return f"{what} must have at least {length_min} characters outside APP_ENV=local; {how}"
    if len(set(value)) < _DIFFERENT_MIN or len(set(_decoded(value))) < _DIFFERENT_MIN:
        return f"{what} repeats the same few characters and is easy to guess; {how}"
    return None


def _decoded(value: str) -> bytes:
    """What a key in base64 or hexadecimal stands for; anything else stands for itself."""
    for decode in (bytes.fromhex, _base64):
        try:
            return decode(value)
        except ValueError:
            continue
    return value.encode()


def _base64(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as fault:
        raise ValueError(value) from fault
