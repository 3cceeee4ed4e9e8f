"""One number for all balances of a moment. Pure."""

from collections.abc import Iterable
from hashlib import sha256

from libs.common.contracts.ledger import AccountBalance


def checksum(balances: Iterable[AccountBalance]) -> bytes:
    """Return the SHA-256 of balances by account code and currency: a line for each that has any postings.

    A line is the code, the currency, and both totals in minor units, separated by tabs and ended by a line feed.
    """
    digest = sha256()
    for balance in balances:
        line = f"{balance.account}\t{balance.currency}\t{balance.debits_minor}\t{balance.credits_minor}\n"
        digest.update(line.encode())
    return digest.digest()
