"""Open Financial Exchange: SGML without end tags (1.x) and XML (2.x), element by element.

Amounts have a point or a comma before their decimals, times a zone in brackets and GMT without one (OFX 2.3, 3.2.8.2). Of SGML
only what statements need is read: no declaration and no entity but those of five characters.
"""

import datetime as dt
import re
from collections.abc import Iterator

from services.gateway.reconciliation.imports.domain import (
    NAME_MAX,
    FileRefused,
    Item,
    Line,
    LineError,
    Reading,
    Skipped,
    Wrong,
)
from services.gateway.reconciliation.imports.reading.amounts import read_amount, read_currency
from services.gateway.reconciliation.imports.reading.dates import make_date, read_offset_time
from services.gateway.reconciliation.imports.reading.tables import name_of, text_of

ELEMENTS_MAX = 200
"""Elements of one transaction; the standard has about 50."""
TEXT_MAX = 1_048_576
"""Characters between two tags."""
_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2,6})(?:\.[0-9]{1,6})?)?\s*(?:\[([+-]?[0-9]{1,2})(?:[.:]([0-9]{1,2}))?(?::([A-Za-z]{0,5}))?\])?(?!\n)$",
    re.ASCII,
)
_ENTITY = re.compile(r"&(amp|lt|gt|nbsp|quot|apos|#[0-9]{2,5});")
_CHARACTERS = {"amp": "&", "lt": "<", "gt": ">", "nbsp": " ", "quot": '"', "apos": "'"}
_SURROGATES = range(0xD800, 0xE000)


def read_ofx(texts: Iterator[str], _: Reading) -> Iterator[Item]:
    """Read the transactions of each account."""
    account = default = ""
    path: list[str] = []
    found: dict[str, str] = {}
    begin = 0
    is_begun = is_ended = inside = False
    for number, tag, text in _elements(texts):
        if tag == "OFX":
            is_begun = True
        elif tag == "/OFX":
            is_ended = True
        elif not is_begun:
            continue
        elif tag == "STMTTRN":
            if inside:
                yield LineError(number=begin, column="STMTTRN", reason="the transaction has no end")
            inside, found, begin, path = True, {}, number, []
        elif tag == "/STMTTRN":
            if inside:
                try:
                    yield _line(found, begin, account, default)
                except Wrong as wrong:
                    yield wrong.at(begin)
            inside = False
        elif inside:
            if len(found) > ELEMENTS_MAX:
                raise FileRefused("the transaction has too many elements", number=begin, column="STMTTRN")
            if tag[0] == "/":
                if path and path[-1] == tag[1:]:
                    path.pop()
            elif text:
                found.setdefault("/".join((*path, tag)), text)
            elif tag in ("PAYEE", "CURRENCY", "ORIGCURRENCY", "BANKACCTTO", "CCACCTTO", "IMAGEDATA"):
                path.append(tag)
        elif tag == "CURDEF":
            default = text
        elif tag == "ACCTID":
            account = text[:NAME_MAX]
        elif tag in ("/STMTRS", "/CCSTMTRS"):
            account = default = ""
        elif tag == "SEVERITY" and text == "ERROR":
            yield LineError(
                number=number, column="STATUS", reason="the bank answered with an error instead of a statement"
            )
        elif tag == "STMTTRNP":
            yield Skipped(number=number, reason="pending")
    if not is_begun:
        raise FileRefused("the file is no OFX: it has no element OFX")
    if not is_ended:
        raise FileRefused("the file ends in the middle, without </OFX>: it is truncated")


def _elements(texts: Iterator[str]) -> Iterator[tuple[int, str, str]]:
    """Give each tag with the text behind it, and its line; many banks write the whole file as one line."""
    number, rest, is_begun = 1, "", False
    for text in texts:
        pieces = (rest + text).split("<")
        rest = pieces.pop()
        if len(rest) > TEXT_MAX:
            raise FileRefused("a text is too long: the file is of another kind", number=number)
        for piece in pieces:
            if is_begun:
                yield _element(piece, number)
            is_begun = True
            number += piece.count("\n")
    if is_begun:
        yield _element(rest, number)


def _element(piece: str, number: int) -> tuple[int, str, str]:
    name, mark, text = piece.partition(">")
    words = name.split()
    if not mark or not words:
        raise FileRefused("a tag has no end", number=number)
    if name[0] in "?!":  # A declaration is no element.
        return number, "?", ""
    tag = words[0].upper().rpartition(":")[2]
    return number, ("/" + tag if name[0] == "/" and tag[0] != "/" else tag), _plain(text)


def _plain(text: str) -> str:
    stripped = text.strip()
    return _ENTITY.sub(_character, stripped) if "&" in stripped else stripped


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if name[0] != "#":
        return _CHARACTERS[name]
    code = int(name[1:])
    return " " if code < 32 or code in _SURROGATES else chr(code)


def _line(found: dict[str, str], number: int, account: str, default: str) -> Line:
    code = read_currency(found.get("CURRENCY/CURSYM") or default, column="CURDEF")
    fitid = found.get("FITID", "")
    if not fitid:
        raise Wrong("the transaction has no id", column="FITID")
    booked_on, occurred_at = _time(found.get("DTPOSTED", ""), "DTPOSTED")
    value = found.get("DTAVAIL")
    references = {
        name: name_of(found[tag], column=tag)
        for tag, name in (
            ("REFNUM", "bank"),
            ("CHECKNUM", "cheque"),
            ("SRVRTID", "server"),
            ("CORRECTFITID", "corrects"),
        )
        if tag in found
    }
    return Line(
        number=number,
        account=account,
        bank_id=name_of(fitid, column="FITID"),
        booked_on=booked_on,
        value_on=_time(value, "DTAVAIL")[0] if value else None,
        occurred_at=occurred_at,
        currency=code,
        amount_minor=_amount(found.get("TRNAMT", ""), code),
        kind=found.get("TRNTYPE", "")[:64],
        references=references,
        counterparty=text_of(found.get("PAYEE/NAME") or found.get("NAME", ""))[:NAME_MAX],
        description=text_of(found.get("MEMO", "")),
        raw={path: text[:2_000] for path, text in found.items()},
    )


def _amount(text: str, code: str) -> int:
    """Read an amount whose last separator is that of the decimals."""
    point, comma = text.rfind("."), text.rfind(",")
    if point >= 0 and comma >= 0:
        decimal, thousands = (".", ",") if point > comma else (",", ".")
    else:
        decimal, thousands = ("," if comma >= 0 else "."), ""
    return read_amount(text, code, decimal=decimal, thousands=thousands, column="TRNAMT")


def _time(text: str, column: str) -> tuple[dt.date, dt.datetime | None]:
    match = _TIME.match(text)
    if match is None:
        raise Wrong(f"{text[:30]!r} is no time such as 20260131 or 20260131143000[-3:BRT]", column=column)
    day = make_date(int(match[1]), int(match[2]), int(match[3]), text=text, column=column)
    if match[4] is None:
        return day, None
    hours, minutes = int(match[5] or 0), int(match[6] or 0)
    # A fraction of an hour is written in hundredths, or in minutes by some: .5 and .50 are half of one, .30 too, .45 three quarters.
    if match[6] and len(match[6]) == 1:
        minutes = int(match[6]) * 6
    elif match[6] in ("50", "75", "25"):
        minutes = int(match[6]) * 60 // 100
    sign = -1 if (match[5] or "").startswith("-") else 1
    if abs(hours) > 14 or minutes > 59:
        raise Wrong(f"{text[:40]!r} has no offset of a zone", column=column)
    offset = dt.timezone(sign * dt.timedelta(hours=abs(hours), minutes=minutes))
    return day, read_offset_time(day, match[4], offset, text=text, column=column)
