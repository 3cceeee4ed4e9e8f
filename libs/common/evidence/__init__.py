"""What proves to others that records are as they were written: statements of where chains of hashes end, signed, and the file of them.

Whoever verifies an export needs `statements`, `keys` and `heads_file` alone: they are written from `docs/tamper-evidence.md`, and
share nothing with what seals.
"""

from libs.common.evidence.heads_file import HeadsRead, append_to, last_number, read_file
from libs.common.evidence.keys import SigningKeys, key_id, read_public_keys, write_public_keys
from libs.common.evidence.signed_heads import HeadsFile, all_signed, last_signed, readable, write_signed
from libs.common.evidence.standing import StandingSealer, seal_standing
from libs.common.evidence.statements import (
    ZERO_HASH,
    Bigint,
    Placed,
    Signed,
    SignedChain,
    Smallint,
    microseconds,
    read_statement,
    signed_by,
)

__all__ = [
    "ZERO_HASH",
    "Bigint",
    "HeadsFile",
    "HeadsRead",
    "Placed",
    "Signed",
    "SignedChain",
    "SigningKeys",
    "Smallint",
    "StandingSealer",
    "all_signed",
    "append_to",
    "key_id",
    "last_number",
    "last_signed",
    "microseconds",
    "read_file",
    "read_public_keys",
    "read_statement",
    "readable",
    "seal_standing",
    "signed_by",
    "write_public_keys",
    "write_signed",
]
