"""What the documents point to exists: files that they link or name, headings, and tasks of `just`."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    str(file.relative_to(ROOT)) for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if file.is_file()
)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:services|libs|tests|docs|deploy|scripts)/[\w./-]*\w)`")
_TASK = re.compile(r"`(?:\.venv/bin/)?just ([a-z][a-z0-9-]*)")
_FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def text_of(document: str) -> str:
    """A document without its blocks of code."""
    return _FENCE.sub("", (ROOT / document).read_text())


def headings(file: Path) -> set[str]:
    """The anchors of a document, as forges make them of its headings."""
    lines = re.findall(r"^#+ (.+)$", file.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_and_headings(document: str) -> None:
    lost = []
    for target in _LINK.findall(text_of(document)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in headings(file)):
            lost.append(target)
    assert lost == []


def test_architecture_names_every_subject_and_files_in_full() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    rows = dict(re.findall(r"^\| (api|ledger|gateway|notifier) \| (.+) \|$", text, re.M))
    for service, row in rows.items():
        folders = {file.parent.name for file in (ROOT / "services" / service).glob("*/__init__.py")} - {"schema"}
        named = set(re.findall(r"`(\w+)`", row))
        assert folders <= named, f"the table of subjects lacks some of {service}: {folders - named}"
    assert len(rows) == 4
    assert [path for path in re.findall(r"`([\w./-]+/\w+\.py)`", text) if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_and_tasks_that_are_named_exist(document: str) -> None:
    tasks = set(re.findall(r"^([a-z][a-z0-9-]*)(?: [^\n]*)?:(?!=)(?:\s|$)", (ROOT / "justfile").read_text(), re.M))
    # What the changelog and the decisions name was there when they were written.
    is_history = document == "CHANGELOG.md" or document.startswith("docs/decisions/")
    text = text_of(document)
    lost = [] if is_history else [path for path in _PATH.findall(text) if not (ROOT / path).exists()]
    lost += [] if is_history else [f"just {task}" for task in _TASK.findall(text) if task not in tasks]
    assert lost == []
