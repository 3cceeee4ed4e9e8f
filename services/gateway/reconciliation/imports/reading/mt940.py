"""MT940, the customer statement of SWIFT, line by line.

Fields by SWIFT's "Standards MT, Category 9"; the structured `:86:` by the German Banking Industry Committee's "Anlage 3",
Part "MT 940", and the words of SEPA inside it (EREF+, KREF+, MREF+, SVWZ+). `-` and the end of the file close a statement.
"""

import re
from collections.abc import Iterator

from libs.common.money import format_minor
from services.gateway.reconciliation.imports.domain import (
    NAME_MAX,
    FileRefused,
    Item,
    Line,
    LineError,
    Reading,
    Skipped,
    Statement,
    Wrong,
)
from services.gateway.reconciliation.imports.reading.amounts import read_amount, read_currency
from services.gateway.reconciliation.imports.reading.dates import make_date, nearest
from services.gateway.reconciliation.imports.reading.tables import text_of

FIELD_LINES_MAX = 100
"""Lines of one field; `:86:` has six by the standard, and banks write some more."""
_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):(.*)", re.DOTALL)
_MOVEMENT = re.compile(
    r"([0-9]{6})([0-9]{4})?(E?R?[CD])([A-Z])?([0-9]{1,15},[0-9]{0,5})([A-Z][A-Z0-9]{3})([^\n]*?)(?://([^\n]*))?(?:\n(.*))?$",
    re.DOTALL | re.ASCII,
)
_BALANCE = re.compile(r"([CD])([0-9]{6})([A-Z]{3})([0-9]{1,15},[0-9]{0,5})$", re.ASCII)
_NUMBER = re.compile(r"([0-9]{1,5})/([0-9]{1,5})(?!\n)$", re.ASCII)
"""The number of a statement, and of its page."""
_BLOCKS = re.compile(r"^(?:\{[1235]:(?:[^{}\n]|\{[^{}\n]*\})*\})*+\{4:\n?|^-\}.*|^\{[1235]:.*\}$", re.DOTALL)
_STRUCTURED = re.compile(r"([0-9]{3})([?~|@])(?=[0-9]{2})")
_SEPA = re.compile(r"(?:^| )?(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|IBAN|BIC)\+")
_SLASHED = re.compile(r"/(EREF|KREF|MREF|MARF|CSID|REMI|NAME|IBAN|BIC|TRTP|BENM|ORDP|PREF|RTRN)/")
_NAMES = {"EREF": "end_to_end", "KREF": "customer", "MREF": "mandate", "MARF": "mandate", "PREF": "payment_information"}
_NONE = ("NONREF", "KREF+", "NOTPROVIDED", "NOT PROVIDED", "")
_KNOWN = frozenset(
    {
        "20",
        "21",
        "25",
        "28",
        "28C",
        "60F",
        "60M",
        "61",
        "86",
        "62F",
        "62M",
        "64",
        "65",
        "NS",
        "13D",
        "90D",
        "90C",
        "34F",
    }
)


class _Statement:
    def __init__(self) -> None:
        self.account = self.currency = self.bank_number = ""
        self.place = 0
        self.opening: int | None = None
        self.total = 0
        self.is_whole = True
        self.number = 0
        self.is_open = self.is_first = False


class _Waiting:
    """A movement that waits for its `:86:`."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text
        self.details = ""


def read_mt940(lines: Iterator[str], _: Reading) -> Iterator[Item]:
    """Read the movements of each statement."""
    statement, waiting, seen = _Statement(), None, False
    last = places = 0
    for number, tag, text in _fields(lines):
        last = number
        if tag == "86" and waiting is not None:
            waiting.details = text
            continue
        if waiting is not None:
            yield from _movement(statement, waiting)
            waiting = None
        if tag in ("60F", "60M"):
            statement.is_open, statement.is_first = True, tag == "60F"
        try:
            if tag in ("20", "-"):
                yield from _end(statement)
                statement = _Statement()
                if tag == "20":
                    seen, statement.is_open, statement.number = True, True, number
            elif tag == "25":
                statement.account = text.strip()[:NAME_MAX]
            elif tag in ("60F", "60M"):
                statement.opening, statement.currency = _balance(text, tag)
                places += 1
                statement.place = places
            elif tag in ("28", "28C"):
                statement.bank_number = text.strip()[:NAME_MAX]
            elif tag == "61":
                waiting = _Waiting(number, text)
            elif tag in ("62F", "62M"):
                yield from _close(statement, text, number, tag)
                statement.is_open = False
            elif tag not in _KNOWN:
                yield LineError(number=number, column=f":{tag}:", reason="is no field of an MT940")
        except Wrong as wrong:
            statement.is_whole = False
            yield wrong.at(number)
    if waiting is not None:
        yield from _movement(statement, waiting)
    if not seen:
        raise FileRefused("the file is no MT940: it has no field :20:")
    if statement.is_open:
        raise FileRefused("the last statement has no closing balance (:62F:): the file is truncated", number=last)


def _fields(lines: Iterator[str]) -> Iterator[tuple[int, str, str]]:
    """Join the lines of each field; gives the first one's number, the tag and the text."""
    begin, tag, parts = 0, "", [""]
    for number, whole in enumerate(lines, start=1):
        line = whole.rstrip("\n").rstrip()
        if line.startswith(("{", "-}")):
            stripped = _BLOCKS.sub("", line)
            if line.startswith("-}"):
                stripped = "-" + stripped
            line = stripped
        match = _TAG.match(line)
        if match is not None or line == "-":
            if tag:
                yield begin, tag, "\n".join(parts)
            begin, tag, parts = (number, "-", []) if match is None else (number, match[1], [match[2]])
        elif line and tag not in ("", "-"):
            if len(parts) >= FIELD_LINES_MAX:
                raise FileRefused(f"the field :{tag}: has too many lines", number=begin, column=f":{tag}:")
            parts.append(line)
        elif line and not tag and number > 20:
            raise FileRefused("the file is no MT940: its first lines have no field")
    if tag:
        yield begin, tag, "\n".join(parts)


def _balance(text: str, tag: str) -> tuple[int, str]:
    match = _BALANCE.match(text.strip())
    if match is None:
        raise Wrong(f"{text[:30]!r} is no balance", column=f":{tag}:")
    code = read_currency(match[3], column=f":{tag}:")
    amount = read_amount(match[4], code, decimal=",", column=f":{tag}:")
    return (-amount if match[1] == "D" else amount), code


def _close(statement: _Statement, text: str, number: int, tag: str) -> Iterator[LineError | Statement]:
    closing, code = _balance(text, tag)
    if statement.opening is None or not statement.is_whole:
        return
    if code != statement.currency:
        raise Wrong(
            f"the balance is in {code}, the one before the movements in {statement.currency}", column=f":{tag}:"
        )
    if statement.opening + statement.total != closing:
        yield LineError(
            number=number,
            column=f":{tag}:",
            reason=f"the movements add up to {format_minor(statement.total, code)}, between the balances are "
            f"{format_minor(closing - statement.opening, code)}",
        )
        return
    # Between :60F: and :62F: it is the whole statement, whatever page it says: its pages lie inside of it.
    is_alone = statement.is_first and tag == "62F"
    paged = None if is_alone else _NUMBER.match(statement.bank_number)
    yield Statement(
        place=statement.place,
        number=statement.bank_number if paged is None else str(int(paged[1])),
        page=0 if paged is None else int(paged[2]),
        account=statement.account,
        currency=code,
        opening_minor=statement.opening,
        closing_minor=closing,
    )


def _end(statement: _Statement) -> Iterator[LineError]:
    if statement.is_open:
        yield LineError(
            number=statement.number,
            column=":60F:",
            reason="the statement has no closing balance (:62F:): it is truncated",
        )


def _movement(statement: _Statement, waiting: _Waiting) -> Iterator[Item]:
    try:
        line = _line(statement, waiting)
    except Wrong as wrong:
        statement.is_whole = False
        yield wrong.at(waiting.number)
        return
    if line is None:
        yield Skipped(number=waiting.number, reason="pending")
        return
    statement.total += line.amount_minor
    yield line


def _line(statement: _Statement, waiting: _Waiting) -> Line | None:
    if not statement.currency:
        raise Wrong("the movement stands before an opening balance (:60F:), which says its currency", column=":61:")
    match = _MOVEMENT.match(waiting.text)
    if match is None:
        raise Wrong(f"{waiting.text[:40]!r} is no movement", column=":61:")
    value, entry, mark, _, amount_text, kind, customer, bank, supplement = match.groups()
    if mark.startswith("E"):
        return None
    year = 2000 + int(value[:2]) if int(value[:2]) < 80 else 1900 + int(value[:2])
    value_on = make_date(year, int(value[2:4]), int(value[4:]), text=value, column=":61:")
    booked_on = value_on
    if entry and entry.strip("0"):
        booked_on = nearest(int(entry[:2]), int(entry[2:]), value_on, text=entry, column=":61:")
    amount = read_amount(amount_text, statement.currency, decimal=",", column=":61:")
    details = _Details(waiting.details)
    references = details.references
    for name, text in (("customer", customer), ("bank", bank)):
        reference = (text or "").strip()
        if reference.upper() not in _NONE:
            references[name if name not in references else f"{name}_61"] = reference[:NAME_MAX]
    return Line(
        number=waiting.number,
        statement=statement.place,
        account=statement.account,
        booked_on=booked_on,
        value_on=value_on,
        currency=statement.currency,
        amount_minor=amount if mark in ("C", "RD") else -amount,
        kind=" ".join(filter(None, (kind, details.code, "reversal" if mark.startswith("R") else "")))[:64],
        references=references,
        counterparty=details.counterparty[:NAME_MAX],
        description=text_of(" ".join(filter(None, (details.description, (supplement or "").replace("\n", " "))))),
        raw={":61:": waiting.text[:2_000], ":86:": waiting.details[:8_000]},
    )


class _Details:
    """What `:86:` says."""

    def __init__(self, text: str) -> None:
        self.code = self.counterparty = ""
        self.references: dict[str, str] = {}
        structured = _STRUCTURED.match(text)
        if structured is not None:
            self.code = structured[1]
            self.subfields(text[structured.end() - 1 :].replace("\n", ""), structured[2])
        elif _SLASHED.search(text):
            self.slashed(text.replace("\n", ""))
        else:
            self.description = text.replace("\n", " ")

    def subfields(self, text: str, separator: str) -> None:
        purposes: list[str] = []
        names: list[str] = []
        for field in re.split(rf"{re.escape(separator)}(?=[0-9]{{2}})", text):
            number, rest = field[:2], field[2:]
            if "20" <= number <= "29" or "60" <= number <= "63":
                purposes.append(rest)
            elif number in ("32", "33"):
                names.append(rest)
            elif number == "31" and rest:
                self.references["counterparty_account"] = rest[:NAME_MAX]
        self.counterparty = "".join(names).strip()
        parts = _SEPA.split("".join(purposes))
        if len(parts) > 1:
            self.named(zip(parts[1::2], parts[2::2], strict=True), parts[0])
        else:
            self.description = "".join(purposes)

    def slashed(self, text: str) -> None:
        parts = _SLASHED.split(text)
        self.named(zip(parts[1::2], parts[2::2], strict=True), parts[0])

    def named(self, pairs: Iterator[tuple[str, str]], before: str) -> None:
        words = [before]
        for name, value in pairs:
            stripped = value.strip(" /")
            if name in _NAMES:
                if stripped.upper() not in _NONE:
                    self.references[_NAMES[name]] = stripped[:NAME_MAX]
            elif name == "NAME":
                self.counterparty = self.counterparty or stripped
            elif name in ("SVWZ", "REMI"):
                words.append(stripped)
        self.description = " ".join(filter(None, (word.strip() for word in words)))
