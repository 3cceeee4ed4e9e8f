"""The journal in the text formats of two other programs for double-entry books, beancount and hledger.

Both compute balances by themselves, so that an auditor needs not believe ours. One entry is one transaction on the day of its
record; whatever else is known of it is metadata. The same account has the same name in both formats.
"""

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, tzinfo
from enum import StrEnum

from libs.common.clock import iso
from libs.common.contracts.ledger import AccountType, Side
from libs.common.contracts.ledger_reports import JournalLine, JournalRecord
from libs.common.errors import Unavailable
from libs.common.money import format_minor
from services.api.books.schemas.records import NO_PAYMENTS, NOBODY, Payments

_ROOTS = {
    AccountType.ASSET: "Assets",
    AccountType.LIABILITY: "Liabilities",
    AccountType.EQUITY: "Equity",
    AccountType.REVENUE: "Income",
    AccountType.EXPENSE: "Expenses",
}
"""The root accounts of beancount; hledger knows their types by the same names."""
_BEGINS = frozenset({"Lu", "Nd"})
"""The classes of characters (Unicode) with which a part of an account's name begins in beancount."""
_GOES_ON = _BEGINS | {"Ll", "Lt", "Lm", "Lo"}
"""Those with which it goes on, beside the hyphen."""
_WIDE = str.maketrans({";": "\uff1b", ",": "\uff0c"})
"""hledger has no quotes: what would end a text there is written in its full width."""


class TextFormat(StrEnum):
    """A program that reads the file."""

    BEANCOUNT = "beancount"
    HLEDGER = "hledger"


def account_name(account_type: AccountType, code: str) -> str:
    """Write an account's code as a name that both programs take; two codes never have the same.

    Letters and digits stay, an underscore between them is a hyphen, and anything else its code point in hexadecimal digits
    between two hyphens and one: `VAT 10%` is `VAT--20-10--25-`. A code that does not begin with a capital letter or a digit is
    after `X---`.
    """
    parts: list[str] = []
    for i, character in enumerate(code):
        if unicodedata.category(character) in _GOES_ON:
            parts.append(character)
        elif character == "_" and _is_plain(code[i - 1 : i]) and _is_plain(code[i + 1 : i + 2]):
            parts.append("-")
        else:
            parts.append(f"--{ord(character):x}-")
    name = "".join(parts)
    begins = unicodedata.category(name[0]) in _BEGINS
    return f"{_ROOTS[account_type]}:{name if begins else f'X---{name}'}"


def _is_plain(neighbour: str) -> bool:
    return neighbour != "" and unicodedata.category(neighbour) in _GOES_ON


class JournalText:
    """Writes entries, oldest first, page by page; remembers which accounts and currencies it has declared.

    Args:
        text_format: for which program.
        zone: in whose calendar the dates are.
    """

    def __init__(self, text_format: TextFormat, *, zone: tzinfo) -> None:
        self._is_beancount = text_format is TextFormat.BEANCOUNT
        self._zone = zone
        self._declared: set[str] = set()
        self._count = 0

    def begin(self, notes: Iterable[tuple[str, str]]) -> str:
        """Write what stands before the first entry: what the file is."""
        head = [f"; {name}: {_one_line(text)}" for name, text in notes]
        head.append('option "title" "Journal"' if self._is_beancount else "decimal-mark .")
        return "\n".join([*head, "", ""])

    def page(self, entries: Iterable[JournalRecord], payments: Payments = NO_PAYMENTS) -> str:
        """Write entries, each after the accounts that are in use for the first time.

        Args:
            entries: of one page.
            payments: whose payments they are, as far as the reader may know.

        Raises:
            Unavailable: where the ledger does not yet name the types of accounts.
        """
        return "".join(f"{line}\n" for entry in entries for line in self._entry(entry, payments))

    def end(self) -> str:
        """Write what stands after the last entry: a file that was cut off does not have it."""
        return f"; entries: {self._count}\n"

    def _entry(self, entry: JournalRecord, payments: Payments) -> Iterator[str]:
        self._count += 1
        on = entry.posted_at.astimezone(self._zone).date()
        names = [_name(line) for line in entry.lines]
        for line, name in zip(entry.lines, names, strict=True):
            yield from self._declare(line, name, on)
        words = entry.description or entry.kind.replace("_", " ")
        if self._is_beancount:
            yield f"{on.isoformat()} * {_quoted(words)}"
        else:
            # With a code in front, no text is taken for a mark or a code.
            yield f"{on.isoformat()} * ({_hledger(entry.number or '')}) {_hledger(words)}"
        yield from self._metadata(_facts(entry, payments))
        for line, name in zip(entry.lines, names, strict=True):
            signed = line.amount_minor if line.side is Side.DEBIT else -line.amount_minor
            amount, code = format_minor(signed, line.currency), line.currency
            yield f"  {name}  {amount} {code}" if self._is_beancount else f"  {name}  {_symbol(code)} {amount}"
        yield ""

    def _declare(self, line: JournalLine, name: str, on: date) -> Iterator[str]:
        if line.currency not in self._declared:
            self._declared.add(line.currency)
            if not self._is_beancount:
                yield f"commodity {_symbol(line.currency)} {_sample(line.currency)}"
        if name in self._declared:
            return
        self._declared.add(name)
        yield f"{on.isoformat()} open {name}" if self._is_beancount else f"account {name}"
        yield from self._metadata([("code", line.account), ("label", line.label)])

    def _metadata(self, facts: Sequence[tuple[str, str]]) -> Iterator[str]:
        for name, text in facts:
            yield f"  {name}: {_quoted(text)}" if self._is_beancount else f"  ; {name}: {_hledger(text)}"


def _name(line: JournalLine) -> str:
    if line.account_type is None:
        raise Unavailable("the ledger is of an earlier version, which does not name the types of accounts")
    return account_name(line.account_type, line.account)


def _facts(entry: JournalRecord, payments: Payments) -> list[tuple[str, str]]:
    order_id, customer_ref = payments.get(entry.payment_intent_id or NOBODY, (None, None))
    effective_at = entry.effective_at or entry.occurred_at
    facts = [
        ("entry", str(entry.id)),
        ("number", entry.number),
        ("kind", entry.kind),
        ("posted", iso(entry.posted_at)),
        ("occurred", iso(entry.occurred_at)),
        ("effective", iso(effective_at)),
        ("reverses", entry.reverses and str(entry.reverses)),
        ("payment", entry.payment_intent_id and str(entry.payment_intent_id)),
        ("order", order_id),
        ("customer", customer_ref),
        ("conversion", entry.conversion_id and str(entry.conversion_id)),
        ("author", entry.made_by),
        ("approver", entry.approved_by),
    ]
    return [(name, text) for name, text in facts if text]


def _one_line(text: str) -> str:
    """Make what would end a line, or steer a terminal, a space."""
    return "".join(character if character.isprintable() else " " for character in text)


def _quoted(text: str) -> str:
    """Quote a text for beancount, which escapes as JSON does where a text is printable."""
    return json.dumps(_one_line(text), ensure_ascii=False)


def _hledger(text: str) -> str:
    return _one_line(text).translate(_WIDE).strip()


def _symbol(code: str) -> str:
    """Write a code as hledger takes it: in quotes where it has a digit, as that of an own unit."""
    return code if code.isalpha() else f'"{code}"'


def _sample(code: str) -> str:
    """Show how many decimals a currency has: by its point, a number without any is one too."""
    shown = format_minor(0, code)
    return shown if "." in shown else f"{shown}."
