"""The words that the glossary retires are gone from code, documents and tests."""

import re
import subprocess
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
GLOSSARY = "docs/glossary.md"
SECTION = "## Retired words"
FILES = (
    "justfile",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docker-compose.yml",
    ".env.example",
)
FOLDERS = ("libs", "services", "deploy", "tests", "docs", "clients", "scripts", *FILES)
SUFFIXES = (".c", ".md", ".py", ".sh", ".sql", ".toml", ".yaml", ".yml", *FILES)
HISTORY = ("docs/decisions/", "/migrations/", "/schema/functions/")
"""Decisions, and what is frozen with a migration, keep the words of their day."""
GENERATED = (
    "docs/api/",
    "docs/messages.md",
    "docs/routes.md",
    "docs/errors.md",
    "docs/chart-of-accounts.md",
    "docs/sandbox.md",
)
COMMENT = re.compile(r'comment="[^"]*"')
"""Comments in a database are frozen with the migration that wrote them."""
HERE = "tests/unit/common/test_words.py"

EXCEPTIONS = {
    "asked_tenant": "a member of the detail of audit lines",
    "asked_at": "a column of the gateway's attempts",
    "closings_under_way": "a table of the ledger",
    "is_told": "a column of the ledger's claims",
    "message.buried": "the former name of an event, in the changelog",
    "pk_closings_under_way": "the key of that table",
    "refused.given_up": "an action in the column of the operators' actions",
    "requests_asked_total": "the former name of a metric, in the changelog",
    "requests_given_up_total": "a metric",
    "stuck_give_up_days": "a setting",
    "_GIVE_UP_DAYS_MAX": "the bound of that setting",
    "wanted_types": "a member of the selection in the notifier's replays",
}
"""Names that somebody else depends on, each with what it is."""
TERMS = re.compile(r"(?:in|single)[ _-]?flights?\b", re.IGNORECASE)


@cache
def words() -> tuple[str, ...]:
    """Read the words of the glossary's table."""
    table = (ROOT / GLOSSARY).read_text().partition(SECTION)[2]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    found = tuple(word for row in rows for word in re.findall(r"`(.+?)`", row))
    assert found, f"{GLOSSARY} has no table of retired words"
    return found


@cache
def retired() -> re.Pattern[str]:
    """Make the pattern of the words in the glossary's table."""
    ends = "|".join(re.escape(word) + ("(?![a-z])" if word[-1].isalpha() else "") for word in words())
    return re.compile(rf"(?<![a-z])(?:{ends})", re.IGNORECASE)


@cache
def lines() -> tuple[tuple[str, str], ...]:
    """Return every line that is read, after `file:line` of it."""
    return tuple(_lines())


@cache
def whole() -> str:
    """Return all that is read as one text, which is searched far sooner than line by line."""
    return "\n".join(line for _, line in lines())


def _lines() -> Iterator[tuple[str, str]]:
    listing = subprocess.run(
        ["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    for name in listing.stdout.splitlines():
        file = ROOT / name
        is_frozen = any(part in name for part in HISTORY) or name.startswith(GENERATED)
        if is_frozen or name == HERE or not name.endswith(SUFFIXES) or not file.is_file():
            continue
        text = file.read_text()
        if name == GLOSSARY:
            text = text.partition(SECTION)[0]
        for number, line in enumerate(text.splitlines(), start=1):
            yield f"{name}:{number}", line


def _suspected() -> Iterator[tuple[str, str]]:
    """Yield the lines in which one of the words stands at all, as a part of another word too: a far simpler search."""
    text = _apart(whole()).lower()
    ends = list(accumulate(len(line) + 1 for line in text.split("\n")))
    numbers = {
        bisect_right(ends, found.start()) for word in words() for found in re.finditer(re.escape(word.lower()), text)
    }
    return (lines()[number] for number in sorted(numbers))


def retired_word(line: str) -> str:
    """Return the first retired word in a line, with names taken apart; empty when it has none."""
    if not _search(line):
        return ""
    for name in EXCEPTIONS:
        line = _name(name).sub("", line)
    return _search(TERMS.sub("", COMMENT.sub("", line).replace("_", " ")))


def _search(line: str) -> str:
    match = retired().search(_apart(line))
    return match[0] if match else ""


def _apart(text: str) -> str:
    return re.sub(r"([a-z])([A-Z])", r"\1 \2", text).replace("_", " ")


def _name(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?:\b|_){re.escape(name)}\b", re.IGNORECASE)


def test_retired_words_are_gone() -> None:
    found = [f"{where}: {word}" for where, line in _suspected() if (word := retired_word(line))]
    assert found == [], f"{GLOSSARY} lists what to write instead:\n" + "\n".join(found)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exception_is_still_needed(name: str) -> None:
    assert _name(name).search(whole()), "leave it out of the exceptions"
    assert _search(name), "it has no retired word"


@pytest.mark.parametrize(
    "line", ["news = 1", "def is_landed()", "class PostingDesk", "say(1)", "it was put off", "Told"]
)
def test_retired_word_is_recognised(line: str) -> None:
    assert retired_word(line)


@pytest.mark.parametrize(
    "line", ["requests in flight", "class SingleFlight", "as the settings say", "unwanted", "asked_at"]
)
def test_other_word_is_admitted(line: str) -> None:
    assert not retired_word(line)
