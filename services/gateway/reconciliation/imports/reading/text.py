"""Bytes to lines of text, in memory that does not grow with the file: marks, encodings, line ends, ZIP files."""

import codecs
import io
import zlib
from collections.abc import Generator, Iterable, Iterator
from typing import Protocol

from services.gateway.reconciliation.imports.domain import FileRefused

LINE_MAX = 1_048_576
"""Characters of one line at most: Stripe's widest rows have some kilobytes, and a file without line ends is of another kind."""
_PIECE = 65_536
"""Bytes that are decoded at a time."""
_HEAD = 512
_DIRECTORY_MAX = 262_144
"""Bytes of a ZIP behind its file: its directory of one entry, and what a Mac keeps of the file beside it."""
_WRONG_KINDS = (
    (b"%PDF", "a PDF; ask the bank for a file of data"),
    (b"\x1f\x8b", "gzip; send the file itself or a ZIP"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV"),
    (b"7z\xbc\xaf", "7-Zip; send the file itself or a ZIP"),
)


class Decoder(Protocol):
    """What decodes a text piece by piece."""

    def decode(self, data: bytes, final: bool = False) -> str:
        """Decode the next piece."""


def opened(chunks: Iterable[bytes], *, bytes_max: int) -> Iterator[bytes]:
    """Give the bytes of a file in small pieces, unpacked where it is a ZIP.

    Raises:
        FileRefused: it is empty, damaged, of a kind that is never read, or has more than `bytes_max` bytes.
    """
    pieces = _pieces(chunks)
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= _HEAD:
            break
    if not head.strip():
        raise FileRefused("the file is empty")
    for mark, kind in _WRONG_KINDS:
        if head.startswith(mark):
            raise FileRefused(f"the file is {kind}")
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise FileRefused("the file is a web page, perhaps that of a session that had ended")
    whole = _joined(head, pieces)
    size = 0
    for piece in _unzipped(whole) if head.startswith(b"PK\x03\x04") else whole:
        size += len(piece)
        if size > bytes_max:
            raise FileRefused(f"the file has more than {bytes_max} bytes")
        yield piece


def _joined(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            yield chunk[start : start + _PIECE]


class _Source:
    """Bytes that are taken by number, from an iterator of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.rest = b""

    def take(self, size: int) -> bytes:
        """Take exactly so many bytes; fewer only at the end."""
        while len(self.rest) < size:
            piece = next(self.pieces, None)
            if piece is None:
                break
            self.rest += piece
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def piece(self) -> bytes:
        """Take what comes next; empty: the end."""
        if self.rest:
            taken, self.rest = self.rest, b""
            return taken
        return next(self.pieces, b"")


def _unzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack the one file of a ZIP as it arrives, without the directory at its end (PKWARE, APPNOTE.TXT, 4.3.7)."""
    source = _Source(pieces)
    header = source.take(30)
    flags, method = int.from_bytes(header[6:8], "little"), int.from_bytes(header[8:10], "little")
    crc, packed = int.from_bytes(header[14:18], "little"), int.from_bytes(header[18:22], "little")
    name = source.take(int.from_bytes(header[26:28], "little"))
    source.take(int.from_bytes(header[28:30], "little"))
    if name.startswith((b"[Content_Types]", b"_rels/", b"docProps/", b"xl/")):
        raise FileRefused("the file is an Excel workbook; save it as CSV")
    if flags & 1:
        raise FileRefused("the ZIP is encrypted")
    if method == 8:
        actual = yield from _inflated(source)
    elif method == 0 and not flags & 8:
        actual = yield from _stored(source, packed)
    else:
        raise FileRefused("the ZIP is packed in a way that is not read; pack it with deflate")
    if flags & 8:
        descriptor = source.take(4)
        if descriptor == b"PK\x07\x08":
            descriptor = source.take(4)
        crc = int.from_bytes(descriptor, "little")
        after = source.take(8)
        next_mark = source.take(4)
        if not next_mark.startswith(b"PK"):  # Sizes of eight bytes each, as ZIP64 has them.
            next_mark = (after[8:] + next_mark + source.take(8))[-4:]
    else:
        next_mark = source.take(4)
    if crc != actual:
        raise FileRefused("the ZIP is damaged: its checksum does not fit")
    if next_mark == b"PK\x03\x04":
        second = source.take(26)
        if not source.take(int.from_bytes(second[22:24], "little")).startswith(b"__MACOSX/"):
            raise FileRefused("the ZIP has more than one file; send each by itself")
    elif not next_mark.startswith(b"PK\x01\x02"):
        raise FileRefused("the ZIP is truncated")
    directory = source.take(_DIRECTORY_MAX)
    end = directory.rfind(b"PK\x05\x06")
    if end < 0 or len(directory) < end + 22:
        raise FileRefused("the ZIP is truncated")


def _inflated(source: _Source) -> Generator[bytes, None, int]:
    unpack, crc = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while not unpack.eof:
        packed = unpack.unconsumed_tail or source.piece()
        if not packed:
            raise FileRefused("the ZIP is truncated")
        try:
            text = unpack.decompress(packed, _PIECE)
        except zlib.error as fault:
            raise FileRefused("the ZIP is damaged") from fault
        crc = zlib.crc32(text, crc)
        if text:
            yield text
    source.rest = unpack.unused_data + source.rest
    return crc


def _stored(source: _Source, size: int) -> Generator[bytes, None, int]:
    crc = 0
    while size:
        text = source.take(min(size, _PIECE))
        if not text:
            raise FileRefused("the ZIP is truncated")
        crc, size = zlib.crc32(text, crc), size - len(text)
        yield text
    return crc


class _Auto:
    """UTF-8 until a byte is none; then cp1252, unless UTF-8 has been seen before: then the file is damaged."""

    def __init__(self) -> None:
        self.utf8: Decoder | None = codecs.getincrementaldecoder("utf-8")()
        self.pending = b""
        self.is_certain = False

    def decode(self, data: bytes, final: bool = False) -> str:
        """Decode the next piece."""
        data = self.pending + data
        if self.utf8 is None:
            self.pending = b""
            return _cp1252(data)
        try:
            text, used = codecs.utf_8_decode(data, "strict", final)
        except UnicodeDecodeError as fault:
            if self.is_certain or not data[: fault.start].isascii():
                raise FileRefused("the text is UTF-8 at first and then is not") from fault
            self.utf8, self.pending = None, b""
            return _cp1252(data)
        self.pending = data[used:]
        self.is_certain = self.is_certain or not text.isascii()
        return text


def _cp1252(data: bytes) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("iso-8859-1")


class _Strict:
    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.decoder = codecs.getincrementaldecoder(encoding)()

    def decode(self, data: bytes, final: bool = False) -> str:
        """Decode the next piece."""
        try:
            return self.decoder.decode(data, final)
        except UnicodeDecodeError as fault:
            raise FileRefused(f"the text is not {self.encoding}") from fault


def texts(pieces: Iterable[bytes], encoding: str) -> Iterator[str]:
    r"""Decode a file piece by piece; line ends become \n.

    Raises:
        FileRefused: it is not in this encoding, or has characters that no text has.
    """
    decoder: io.IncrementalNewlineDecoder | None = None
    waiting = b""
    for piece in pieces:
        data = piece
        if decoder is None:
            waiting += piece
            if len(waiting) < 4:
                continue
            chosen, skip = _encoding(waiting, encoding)
            decoder, data = _newlines(chosen), waiting[skip:]
        yield _clean(decoder.decode(data))
    if decoder is None:
        chosen, skip = _encoding(waiting, encoding)
        decoder = _newlines(chosen)
        yield _clean(decoder.decode(waiting[skip:]))
    yield _clean(decoder.decode(b"", final=True))


def _newlines(chosen: str) -> io.IncrementalNewlineDecoder:
    return io.IncrementalNewlineDecoder(_Auto() if chosen == "auto" else _Strict(chosen), translate=True)  # type: ignore[arg-type]


def _clean(text: str) -> str:
    if "\0" in text:
        raise FileRefused("the file has NUL characters: it is no text, or in another encoding")
    return text


def _encoding(head: bytes, encoding: str) -> tuple[str, int]:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", 2
    if encoding in ("auto", "utf-16"):
        if head[1:2] == b"\0":
            return "utf-16-le", 0
        if head[:1] == b"\0":
            return "utf-16-be", 0
    return ("utf-16-le" if encoding == "utf-16" else encoding), 0


def lines(pieces: Iterable[bytes], encoding: str) -> Iterator[str]:
    r"""Give the lines of a text, each with its \n but perhaps the last one.

    Raises:
        FileRefused: as `texts`, or a line is longer than `LINE_MAX`.
    """
    rest, number = "", 0
    for text in texts(pieces, encoding):
        parts = (rest + text).split("\n")
        rest = parts.pop()
        for part in parts:
            number += 1
            if len(part) > LINE_MAX:
                raise FileRefused("the line is too long: the file is of another kind", number=number)
            yield part + "\n"
        if len(rest) > LINE_MAX:
            raise FileRefused("the line is too long: the file is of another kind", number=number + 1)
    if rest:
        yield rest
