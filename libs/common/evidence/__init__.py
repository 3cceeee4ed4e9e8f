"""What proves to others that records are as they were written: statements of where chains of hashes end, signed, and the file of them.

Written from `docs/tamper-evidence.md` alone: nothing here is shared with what seals, and whoever verifies an export needs no more.
"""

from libs.common.evidence.heads_file import HeadsRead, append_to, last_number, read_file
from libs.common.evidence.keys import SigningKeys, key_id, read_public_keys, write_public_keys
from libs.common.evidence.statements import ZERO_HASH, Placed, Signed, SignedChain, microseconds, signed_by

__all__ = [
    "ZERO_HASH",
    "HeadsRead",
    "Placed",
    "Signed",
    "SignedChain",
    "SigningKeys",
    "append_to",
    "key_id",
    "last_number",
    "microseconds",
    "read_file",
    "read_public_keys",
    "signed_by",
    "write_public_keys",
]
