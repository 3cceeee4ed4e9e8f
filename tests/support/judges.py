"""Two programs of others that compute balances from an exported journal: beancount, and hledger where it can be installed."""

import csv
import io
import os
import subprocess
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from beancount import loader
from beancount.core.data import Open, Transaction

from deploy.local import packages
from deploy.local.errors import LocalFailure
from deploy.local.processes import which

SECONDS = 120.0

type Totals = dict[tuple[str, str], tuple[Decimal, Decimal]]
"""Debits and credits of each account in each currency; an account is named as in the file."""


def by_beancount(path: Path) -> tuple[Totals, dict[str, str]]:
    """Have beancount check a file and add it up; returns the totals, and the code of each account.

    Raises:
        AssertionError: when it finds a fault in the file.
    """
    entries, errors, _ = loader.load_file(str(path))
    assert errors == [], [error.message for error in errors[:5]]
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    codes = {}
    for entry in entries:
        if isinstance(entry, Open):
            codes[entry.account] = entry.meta["code"]
        elif isinstance(entry, Transaction):
            for posting in entry.postings:
                assert posting.units is not None
                assert isinstance(posting.units.number, Decimal)
                sums[posting.account, posting.units.currency][posting.units.number < 0] += abs(posting.units.number)
    return {key: (debits, credits_) for key, (debits, credits_) in sums.items()}, codes


def facts_by_beancount(path: Path) -> list[dict[str, str]]:
    """Read what beancount knows of each transaction, in the order of the file: its words as `narration`, and its metadata."""
    entries, errors, _ = loader.load_file(str(path))
    assert errors == [], [error.message for error in errors[:5]]
    found = [entry for entry in entries if isinstance(entry, Transaction)]
    found.sort(key=lambda entry: entry.meta["lineno"])
    return [{**entry.meta, "narration": entry.narration or "", "date": entry.date.isoformat()} for entry in found]


def hledger() -> str:
    """Return where hledger is; it is installed first where we may. Empty: it cannot be."""
    found = which("hledger")
    if not found:
        try:
            packages.install(["hledger"], report=print)
        except LocalFailure as failed:
            print(f"hledger does not judge: {failed}")
    return found or which("hledger")


def by_hledger(program: str, path: Path) -> Totals:
    """Have hledger check a file, declarations included, and add it up.

    Raises:
        AssertionError: when it finds a fault in the file, or its trial balance is not empty.
    """
    _output(program, path, "check", "--strict")
    # Its own trial balance: of no currency anything is left over.
    left = csv.DictReader(io.StringIO(_output(program, path, "balance", "--depth=0", *_AS_CSV)))
    assert [row for row in left if Decimal(row["balance"]) != 0] == []
    debits, credits_ = (_sums(_output(program, path, *_LISTED, f"amt:{side}")) for side in (">0", "<0"))
    keys = debits.keys() | credits_.keys()
    return {key: (debits.get(key, Decimal(0)), -credits_.get(key, Decimal(0))) for key in keys}


_AS_CSV = ("--layout=bare", "--output-format=csv")
_LISTED = ("balance", "--flat", "--no-total", *_AS_CSV)


def _sums(listed: str) -> dict[tuple[str, str], Decimal]:
    rows = csv.DictReader(io.StringIO(listed))
    return {(row["account"], row["commodity"]): Decimal(row["balance"]) for row in rows}


def _output(program: str, path: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [program, "--file", str(path), *arguments],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
