"""CAMT.053, the bank statement of ISO 20022, versions 2 and later, read element by element.

No declaration of a document type is read, so that there are no entities to expand. Each `TxDtls` of a booked entry is a line,
and their sum must be the entry's amount; an entry whose parts have no amounts in its currency is one line.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, tzinfo
from sys import intern
from xml.parsers import expat

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
from services.gateway.reconciliation.imports.reading.amounts import read_currency
from services.gateway.reconciliation.imports.reading.camt_entries import (
    TEXT_MAX,
    Node,
    amount_in,
    amount_of_part,
    counterparty_of,
    description_of,
    kind_of,
    one,
    raw_of,
    references_of,
    sign_of,
)
from services.gateway.reconciliation.imports.reading.dates import read_iso, zone

PARTS_MAX = 50_000
"""`TxDtls` of one entry; ISO 20022 has no limit, and banks split batches at 10,000 or below."""
DEPTH_MAX = 64
"""Elements inside each other; the schema has about 15."""
_ENTRY_MAX = 16_777_216
"""Characters of one entry with all its parts: it is kept until it is complete."""
_ELEMENTS_MAX = 2_000
_OTHERS = {
    "BkToCstmrAcctRpt": "a camt.052, the report during the day",
    "BkToCstmrDbtCdtNtfctn": "a camt.054, a notice of entries",
    "CstmrCdtTrfInitn": "a pain.001, an order of payments",
    "CstmrPmtStsRpt": "a pain.002, the answer to an order",
}
_NAMES = ("ElctrncSeqNb", "LglSeqNb", "Id")
_PAGES = ("StmtPgntn", "MsgPgntn")
"""Which page of a statement, or of the message that has it, this is."""
_PAGE_NUMBER = re.compile(r"[0-9]{1,5}(?!\n)$", re.ASCII)


class _Statement:
    """What is known of the statement that is read."""

    def __init__(self, number: int, place: int, page: int) -> None:
        self.number = number
        self.place = place
        self.page = page
        """Which page of a statement this is, from 1; 0: it is the whole."""
        self.interim: list[int] = []
        """Balances at the end of a page and at the beginning of the next one."""
        self.names: dict[str, str] = {}
        """What the bank calls it: `ElctrncSeqNb`, `LglSeqNb` or `Id`."""
        self.account = self.currency = ""
        self.opening: int | None = None
        self.closing: int | None = None
        self.total = self.turned = 0
        self.is_whole = True


class _Parser:
    """Collects an element at a time; what is complete waits in `items`."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.where = zone(reading.time_zone)
        self.items: list[Item] = []
        self.path: list[str] = []
        self.text: list[str] = []
        self.size = 0
        self.begins: dict[str, int] = {}
        self.statement: _Statement | None = None
        self.statements = self.page = 0
        self.base = 0
        """Depth of what is collected; 0: nothing is."""
        self.node: Node = {}
        self.entry: Node = {}
        self.parts: list[Node] = []
        self.elements = self.kept = 0
        self.expat = expat.ParserCreate(namespace_separator="}")
        self.expat.buffer_text = True
        self.expat.StartElementHandler = self.start
        self.expat.EndElementHandler = self.end
        self.expat.CharacterDataHandler = self.character_data
        self.expat.StartDoctypeDeclHandler = self.doctype

    def doctype(self, *_: object) -> None:
        """Refuse a document type, and with it every entity."""
        raise FileRefused("the file declares a document type, which no statement has", number=self.line())

    def line(self) -> int:
        return self.expat.CurrentLineNumber

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition("}")[2]
        if len(self.path) >= DEPTH_MAX:
            raise FileRefused("elements are too deep inside each other", number=self.line())
        if tag in _OTHERS:
            raise FileRefused(f"the file is {_OTHERS[tag]}; send the camt.053", number=self.line())
        self.path.append(tag)
        self.text, self.size = [], 0
        if tag == "Stmt" and self.path[-2:-1] == ["BkToCstmrStmt"]:
            self.statements += 1
            self.statement = _Statement(self.line(), self.statements, self.page)
        elif not self.base and (self.statement is not None or tag == "MsgPgntn"):
            if tag in ("Acct", "Bal", "Ntry", *_PAGES) or (tag in _NAMES and self.path[-2] == "Stmt"):
                self.base, self.node, self.elements, self.kept = len(self.path), {}, 0, 0
                self.begins[tag] = self.line()
                if tag == "Ntry":
                    self.entry, self.parts = self.node, []
        elif tag == "TxDtls" and self.path[self.base - 1] == "Ntry":
            if len(self.parts) >= PARTS_MAX:
                raise FileRefused(f"the entry has more than {PARTS_MAX} parts", number=self.line(), column="TxDtls")
            self.node, self.elements = {"#": [str(self.line())]}, 0
            self.parts.append(self.node)
        if self.base:
            self.elements += 1
            if self.elements > _ELEMENTS_MAX:
                raise FileRefused(f"{tag} has too many elements", number=self.line(), column=tag)
            if "Ccy" in attributes:
                self.node.setdefault(f"{self.below()}@Ccy", []).append(attributes["Ccy"])

    def below(self) -> str:
        """Say where we are, from the element that is collected."""
        for place in range(len(self.path) - 1, self.base - 1, -1):
            if self.path[place] == "TxDtls":
                return "/".join(self.path[place + 1 :])
        return "/".join(self.path[self.base :])

    def character_data(self, text: str) -> None:
        if self.base:
            self.size += len(text)
            if self.size > TEXT_MAX:
                raise FileRefused("a text is too long", number=self.line(), column=self.path[-1])
            self.text.append(text)

    def end(self, _: str) -> None:
        tag = self.path[-1]
        if self.base:
            text = "".join(self.text).strip()
            self.kept += len(text)
            if self.kept > _ENTRY_MAX:
                raise FileRefused("an entry is too long", number=self.line(), column=tag)
            if text:
                self.node.setdefault(intern(self.below()), []).append(text)
            self.text, self.size = [], 0
            if len(self.path) == self.base:
                self.complete(tag)
                self.base = 0
            elif tag == "TxDtls":
                self.node = self.entry
        self.path.pop()
        if tag == "Stmt" and self.statement is not None and self.path[-1:] == ["BkToCstmrStmt"]:
            self.close(self.statement)
            self.statement = None

    def complete(self, tag: str) -> None:
        statement = self.statement
        if statement is None:
            # Of the message, for each statement in it that has none of its own.
            self.page = _page(self.node)
            return
        number = self.begins[tag]
        try:
            if tag == "Acct":
                statement.account = (one(self.node, "Id/IBAN") or one(self.node, "Id/Othr/Id"))[:NAME_MAX]
                statement.currency = one(self.node, "Ccy")
            elif tag in _PAGES:
                statement.page = _page(self.node)
            elif tag in _NAMES:
                statement.names[tag] = one(self.node, "")[:NAME_MAX]
            elif tag == "Bal":
                self.balance(statement, self.node)
            else:
                self.items += self.booked(statement, number)
        except Wrong as wrong:
            statement.is_whole = False
            self.items.append(wrong.at(number))

    def balance(self, statement: _Statement, node: Node) -> None:
        kind = one(node, "Tp/CdOrPrtry/Cd")
        if kind not in ("OPBD", "PRCD", "CLBD", "ITBD"):
            return
        amount, code = amount_in(node, "Amt")
        amount = -amount if one(node, "CdtDbtInd") == "DBIT" else amount
        statement.currency = statement.currency or code
        if kind == "ITBD":
            statement.interim.append(amount)
        elif kind == "CLBD":
            statement.closing = amount
        elif kind == "OPBD" or statement.opening is None:
            statement.opening = amount

    def booked(self, statement: _Statement, number: int) -> list[Item]:
        entry = self.entry
        status = one(entry, "Sts/Cd") or one(entry, "Sts") or "BOOK"
        if status != "BOOK":
            return [Skipped(number=number, reason="pending")]
        amount, code = amount_in(entry, "Amt")
        is_reversal = one(entry, "RvslInd") in ("true", "1")
        sign = sign_of(entry)
        turns = is_reversal and self.reading.reversal_turns_sign
        signed = -sign * amount if turns else sign * amount
        statement.total += signed
        statement.turned += -signed if is_reversal else signed
        statement.is_whole = statement.is_whole and code == (statement.currency or code)
        booked_on, occurred_at, value_on = self.days(entry)
        lines = [
            Line(
                number=int(part["#"][0]) if part is not entry else number,
                statement=statement.place,
                account=statement.account,
                booked_on=booked_on,
                value_on=value_on,
                occurred_at=occurred_at,
                currency=code,
                amount_minor=part_amount,
                kind=kind_of(entry, part, is_reversal=is_reversal),
                references=references_of(entry, part),
                counterparty=counterparty_of(part, came=part_amount >= 0),
                description=description_of(entry, part),
                raw=raw_of(entry, part),
            )
            for part, part_amount in self.split(entry, signed, code, turns=turns)
        ]
        return list(lines)

    def split(self, entry: Node, signed: int, code: str, *, turns: bool) -> list[tuple[Node, int]]:
        """Say how the entry's amount divides into its parts; one part has it all, whatever it says of other currencies."""
        if not self.parts:
            return [(entry, signed)]
        if len(self.parts) == 1:
            return [(self.parts[0], signed)]
        found: list[tuple[Node, int]] = []
        for part in self.parts:
            amount = amount_of_part(part, code)
            if amount is None:
                return [(entry, signed)]
            sign = sign_of(part) if "CdtDbtInd" in part else sign_of(entry)
            found.append((part, -sign * amount if turns else sign * amount))
        total = sum(amount for _, amount in found)
        if total != signed:
            raise Wrong(
                f"the parts of the entry add up to {format_minor(total, code)}, the entry is {format_minor(signed, code)}",
                column="TxDtls",
            )
        return found

    def days(self, entry: Node) -> tuple[date, datetime | None, date | None]:
        where: tzinfo = self.where
        booked = one(entry, "BookgDt/Dt") or one(entry, "BookgDt/DtTm")
        value = one(entry, "ValDt/Dt") or one(entry, "ValDt/DtTm")
        if not booked and not value:
            raise Wrong("the entry has no date", column="BookgDt")
        value_on = read_iso(value, where, "ValDt")[0] if value else None
        if not booked:
            booked = value
        day, instant = read_iso(booked, where, "BookgDt")
        return day, instant, value_on

    def close(self, statement: _Statement) -> None:
        """Compare the balances with what lies between them: those of a page, which may be between pages, in either order.

        A page with the balances of the whole statement is refused: what is on it might be on another one too.
        """
        if statement.page and statement.interim:
            first, last = statement.interim[0], statement.interim[-1]
            if statement.opening is None and statement.closing is None and first - last == statement.total:
                first, last = last, first
            statement.opening = first if statement.opening is None else statement.opening
            statement.closing = last if statement.closing is None else statement.closing
        if statement.opening is None or statement.closing is None or not statement.is_whole or not statement.currency:
            return
        moved = statement.closing - statement.opening
        code = read_currency(statement.currency)
        if statement.total == moved:
            self.items.append(
                Statement(
                    place=statement.place,
                    number=next((statement.names[name] for name in _NAMES if statement.names.get(name)), ""),
                    page=statement.page,
                    account=statement.account,
                    currency=code,
                    opening_minor=statement.opening,
                    closing_minor=statement.closing,
                )
            )
            return
        hint = ""
        if statement.turned == moved:
            hint = "; it fits when reversal_turns_sign of the source is changed"
        elif statement.page:
            hint = f"; page {statement.page} needs the balances of what is on it (ITBD between pages)"
        self.items.append(
            LineError(
                number=statement.number,
                column="Bal",
                reason=f"the entries add up to {format_minor(statement.total, code)}, between the balances are "
                f"{format_minor(moved, code)}{hint}",
            )
        )


def read_camt(pieces: Iterable[bytes], reading: Reading) -> Iterator[Item]:
    """Read the booked entries of each statement."""
    parser = _Parser(reading)
    is_begun = False
    try:
        for piece in pieces:
            text = piece if is_begun else piece.lstrip(b" \t\r\n")
            is_begun = is_begun or bool(text)
            parser.expat.Parse(text, False)
            if parser.items:
                found, parser.items = parser.items, []
                yield from found
        parser.expat.Parse(b"", True)
    except expat.ExpatError as fault:
        yield from parser.items
        ended = fault.code in (3, 4, 5, 6) and parser.path
        words = (
            "the file ends in the middle: it is truncated"
            if ended
            else f"the XML is damaged: {expat.ErrorString(fault.code)}"
        )
        raise FileRefused(words, number=fault.lineno, column=str(fault.offset)) from fault
    except (LookupError, ValueError) as fault:
        raise FileRefused("the XML is in an encoding that is not read; UTF-8 is") from fault
    yield from parser.items
    if not parser.statements:
        raise FileRefused("the file has no statement of camt.053 (BkToCstmrStmt/Stmt)")


def _page(node: Node) -> int:
    """Return which page it is; 0: it is the only one."""
    number = one(node, "PgNb")
    page = int(number) if _PAGE_NUMBER.match(number) else 0
    return 0 if page == 1 and one(node, "LastPgInd") in ("true", "1") else page
