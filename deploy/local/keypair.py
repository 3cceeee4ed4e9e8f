"""Make a key pair for signing tokens: the private key in a file that only its owner reads, the public one beside it."""

import os
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from deploy.local.errors import LocalFailure

type Algorithm = Literal["ES256", "RS256"]

_RSA_BITS = 3072


def make_pair(file: Path, algorithm: Algorithm = "ES256") -> Path:
    """Write a fresh private key to `file` and its public key to `file` with `.pub` added, which is returned.

    Raises:
        LocalFailure: when a file of that name is there already, or cannot be written.
    """
    key = (
        ec.generate_private_key(ec.SECP256R1())
        if algorithm == "ES256"
        else rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    )
    public = file.with_name(f"{file.name}.pub")
    _write(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    _write(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), mode=0o644)
    return public


def _write(file: Path, text: bytes, *, mode: int) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise LocalFailure(f"{file} is there already; choose another name, tokens may still need that key.") from None
    except OSError as fault:
        raise LocalFailure(f"{file} cannot be written: {fault.strerror}.") from fault
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(text)
