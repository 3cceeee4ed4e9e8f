"""Card numbers in texts that are not meant for them: recognised, refused or masked, so that none is kept by accident.

A card number has 13 to 19 digits, in one piece or in groups with spaces or dashes between them; it begins as an issuer's
numbers do, has a length that this issuer uses, and passes the check of Luhn. UUIDs and other hexadecimal ids, longer runs
of digits (invoice keys, barcodes of slips), dates with a counter and registration numbers of Brazilian companies are none.
Of numbers with 16 random digits about 3 in 100 look like one, which no check can tell from one.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, compress
from operator import sub

_RUN = re.compile(r"[0-9](?:[ \-]{0,2}[0-9]){12,}")
_RUN_BYTES = re.compile(rb"[0-9](?:[ \-]{0,2}[0-9]){12}")
_IDENTIFIER = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{24,}")
_NO_DIGITS = bytes(byte for byte in range(256) if not 0x30 <= byte <= 0x39)
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u00ad", "-"))
_IS_DIGIT = bytes(0x30 <= byte <= 0x39 for byte in range(256))
_PLAIN = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
"""What a digit counts in the check of Luhn: every other one from the last is doubled."""
_DIGITS_MIN = 13
_PREFIX = 6
"""Digits that name an issuer, at most."""
_BRIEF = 4
"""Digits that nearly always suffice."""
_LONG_PREFIXES = frozenset({b"6062", b"6370", b"6375", b"6376", b"5041", b"6362", b"6363"})
"""Beginnings that need more."""
_LEFT_OPEN, _LEFT_END = 6, 4
"""Digits that may be shown (PCI DSS 3.4): the first six and the last four."""

_ISSUERS: tuple[tuple[re.Pattern[str], tuple[int, ...]], ...] = tuple(
    (re.compile(prefix), lengths)
    for prefix, lengths in (
        ("4", (13, 16, 19)),  # Visa, Elo
        ("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
        ("3[47]", (15,)),  # American Express
        ("6011|64[4-9]|65", (16, 17, 18, 19)),  # Discover, Elo, RuPay
        ("30[0-5]|3095|36|38|39", (14, 16, 19)),  # Diners Club
        ("352[89]|35[3-8]", (16, 17, 18, 19)),  # JCB
        ("62", (16, 17, 18, 19)),  # UnionPay
        ("606282|637(?:095|568|599|609|612)", (16, 19)),  # Hipercard
        ("5067|5090|504175|636(?:297|368)|6500|6516|6550", (16,)),  # Elo
        ("50[0-9]{2}|5[6-8]|6304|67", (16, 18, 19)),  # Maestro
        ("220[0-4]", (16, 17, 18, 19)),  # Mir
        ("508", (16,)),  # RuPay
    )
)


def has_card_number(text: str) -> bool:
    """Tell whether a card number stands in a text."""
    return bool(_RUN.search(_plain(text))) and next(_found(_plain(text)), None) is not None


def may_have_card_number(raw: bytes) -> bool:
    """Tell, quickly and on the safe side, whether a JSON document may have a card number in one of its texts."""
    if b"\\u" in raw or not raw.isascii():
        return True
    return len(raw.translate(None, _NO_DIGITS)) >= _DIGITS_MIN and _RUN_BYTES.search(raw) is not None


def mask_card_numbers(text: str) -> str:
    """Replace the middle digits of every card number in a text by asterisks."""
    plain = _plain(text)
    if not _RUN.search(plain):
        return text
    shown = list(plain)
    hidden = False
    for start, end in _found(plain):
        hidden = True
        places = [at for at in range(start, end) if plain[at].isdigit()]
        for at in places[_LEFT_OPEN:-_LEFT_END]:
            shown[at] = "*"
    return "".join(shown) if hidden else text


def _plain(text: str) -> str:
    """Write digits, spaces and dashes of every script as those of ASCII."""
    if text.isascii():
        return text
    return "".join(
        str(digit) if (digit := unicodedata.digit(character, -1)) >= 0 else " " if character.isspace() else character
        for character in text.translate(_DASHES)
    )


def _found(text: str) -> Iterator[tuple[int, int]]:
    """Find card numbers: where each begins and ends."""
    text = _IDENTIFIER.sub(lambda found: "x" * len(found[0]), text)
    for run in _RUN.finditer(text):
        start, part = run.start(), run[0].encode()
        # Without a loop in Python for each digit: a text may be long, and nothing else is done meanwhile.
        places = list(compress(range(len(part)), part.translate(_IS_DIGIT)))
        digits = part.translate(None, _NO_DIGITS)
        sums = _luhn_sums(digits)
        # A number begins and ends where a group of digits does, so that longer runs of digits are none.
        is_begin = [True, *map((1).__ne__, map(sub, places[1:], places))]
        is_begin.append(True)
        free = 0
        for first in compress(range(len(digits)), is_begin):
            if first < free:
                continue
            for length in _lengths(digits[first : first + _PREFIX]):
                end = first + length
                if (
                    end < len(is_begin)
                    and is_begin[end]
                    and (sums[end % 2][end] - sums[end % 2][first]) % 10 == 0
                    and _is_card_number(digits[first:end].decode())
                ):
                    yield start + places[first], start + places[end - 1] + 1
                    free = end
                    break


def _lengths(prefix: bytes) -> tuple[int, ...]:
    """How long a number that begins like this may be, by its issuer."""
    brief = prefix[:_BRIEF]
    return _lengths_of(prefix) if brief in _LONG_PREFIXES else _lengths_of(brief)


@lru_cache(maxsize=16_384)
def _lengths_of(prefix: bytes) -> tuple[int, ...]:
    digits = prefix.decode()
    return tuple(sorted({length for issuer, lengths in _ISSUERS if issuer.match(digits) for length in lengths}))


def _luhn_sums(digits: bytes) -> tuple[list[int], list[int]]:
    """Sum up what Luhn's check counts, for numbers that end at an even and at an odd place, up to each place."""
    plain, doubled = digits.translate(_PLAIN), digits.translate(_DOUBLED)
    even, odd = bytearray(plain), bytearray(doubled)
    even[0::2], odd[0::2] = doubled[0::2], plain[0::2]
    return list(accumulate(even, initial=0)), list(accumulate(odd, initial=0))


def _is_card_number(digits: str) -> bool:
    return len(set(digits)) > 1 and not _is_company(digits)


def _is_company(digits: str) -> bool:
    """Tell a CNPJ, whose 14 digits may look like a Diners Club number, by its own two check digits."""
    if len(digits) != 14:
        return False
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    for length in (12, 13):
        rest = sum(int(digit) * weight for digit, weight in zip(digits[:length], weights[-length:], strict=True)) % 11
        if int(digits[length]) != (0 if rest < 2 else 11 - rest):
            return False
    return True


__all__ = ["has_card_number", "mask_card_numbers", "may_have_card_number"]
