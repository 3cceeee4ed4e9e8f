"""Statements of where chains end, each signed and following from the one before it. Pure."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ZERO_HASH = bytes(32)
"""What the first link of a chain follows, and the first statement."""

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)

type Bigint = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A number that PostgreSQL has, whatever somebody has written into a statement."""
type Smallint = Annotated[int, msgspec.Meta(ge=-(2**15), le=2**15 - 1)]
"""A small one."""


class Placed(Protocol):
    """A statement by its place among the others."""

    @property
    def number(self) -> int:
        """From 1, without gaps."""
        ...

    @property
    def previous(self) -> str:
        """SHA-256 of the statement before it, in hexadecimal; zeros before the first."""
        ...


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A statement and its signatures: a line of the file, and of an export."""

    number: int
    statement: str
    """The statement as JSON, byte by byte as it was signed."""
    signatures: dict[str, str]
    """The Ed25519 signature by each key, in base64, by the key's id."""

    @property
    def sha256(self) -> str:
        """What the next statement names as its previous one."""
        return sha256(self.statement.encode()).hexdigest()


def read_statement[T](decoder: msgspec.json.Decoder[T], statement: str) -> T:
    """Read a statement, which somebody may have written over.

    Raises:
        msgspec.DecodeError: when it is none.
    """
    try:
        return decoder.decode(statement)
    except RecursionError as fault:
        raise msgspec.DecodeError("the statement is nested too deeply") from fault


def signed_by(keys: Mapping[str, Ed25519PrivateKey], *, number: int, statement: str) -> Signed:
    """Sign a statement by each key."""
    signatures = {name: b64encode(key.sign(statement.encode())).decode() for name, key in keys.items()}
    return Signed(number=number, statement=statement, signatures=signatures)


class SignedChain:
    """Statements one after the other: each has to follow from the one before it, to be signed by a key that is known, and to be as
    it is in the file.
    """

    def __init__(
        self, keys: Mapping[str, Ed25519PublicKey], *, read: Callable[[str], Placed], in_file: Sequence[Signed] = ()
    ) -> None:
        """Begin before the first.

        Args:
            keys: those that are known, by id.
            read: decodes a statement, and raises `msgspec.DecodeError` where it cannot.
            in_file: what the file has that statements are appended to.
        """
        self._keys = keys
        self._read = read
        self._in_file = {signed.number: signed.statement for signed in in_file}
        self._previous = ZERO_HASH.hex()
        self._number = 0
        self.trusted = 0
        """The number of the last statement that a known key has signed; it vouches for all before it."""

    def faults(self, signed: Signed) -> list[str]:
        """Return what is wrong with the next statement; one sentence each."""
        found = []
        if self._in_file.pop(signed.number, signed.statement) != signed.statement:
            found.append("the file of heads has another statement")
        try:
            heads = self._read(signed.statement)
        except msgspec.DecodeError:
            return [*found, "the statement cannot be read"]
        if (heads.number, signed.number) != (self._number + 1, self._number + 1):
            found.append(f"a statement is missing or was added: it follows number {self._number}")
        if heads.previous != self._previous:
            found.append("the statement does not follow from the one before it")
        for key_id, signature in signed.signatures.items():
            key = self._keys.get(key_id)
            if key is None:
                continue
            try:
                key.verify(b64decode(signature, validate=True), signed.statement.encode())
            except (InvalidSignature, ValueError):
                found.append(f"the signature by the key {key_id} is invalid")
            else:
                self.trusted = signed.number
        self._number, self._previous = signed.number, signed.sha256
        return found

    def only_in_file(self) -> list[int]:
        """Return the numbers of the statements that the file has, and that were not among these."""
        return sorted(self._in_file)

    @property
    def is_trusted(self) -> bool:
        """Whether a known key has signed the last statement; without keys nothing is."""
        return self._number == self.trusted


def microseconds(instant: datetime) -> int:
    """Count the microseconds since 1970."""
    passed = instant - _ZERO
    return passed.days * 86_400_000_000 + passed.seconds * 1_000_000 + passed.microseconds
