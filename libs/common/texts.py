"""What texts of others may contain."""

import unicodedata

_BREAKS = frozenset({"Cc", "Zl", "Zp"})
"""What control characters and line breaks are in Unicode."""


def is_one_line(text: str) -> bool:
    """Tell whether a text has no line breaks and no other control characters.

    What merely cannot be seen is allowed: a space that does not break, or what joins the parts of an emoji.
    """
    return text.isprintable() or not any(unicodedata.category(character) in _BREAKS for character in text)
