"""Generated files that are stale are named, and written by one command."""

import json
from pathlib import Path

import pytest

from deploy.local import event_pages, generated
from deploy.local.layout import ROOT

pytestmark = pytest.mark.unit

IN_PART = {
    "docker-compose.yml": "the variables of each service",
    "docs/gateway.md": "the outcomes of Stripe",
    "docs/rabbitmq.md": "the rights",
    "docs/scaling.md": "the table of rates",
}
"""Files of which a part alone is generated, each with which: the rest is read in a review."""


def test_changed_and_missing_files_are_named_and_others_are_not(tmp_path: Path) -> None:
    same, changed, missing = (tmp_path / name for name in ("same", "changed", "missing"))
    same.write_text("a")
    changed.write_text("b")
    assert generated.differing({same: "a", changed: "c", missing: "d"}) == [changed, missing]


def test_every_file_that_git_calls_generated_is_written_by_the_command() -> None:
    lines = (ROOT / ".gitattributes").read_text().splitlines()
    patterns = [line.split()[0] for line in lines if line.endswith(" linguist-generated")]
    written = {file.relative_to(ROOT) for file in generated.files()}
    frozen = {"uv.lock", "services/*/schema/migrations/baseline.sql"}
    unknown = {pattern for pattern in patterns if not any(file.match(pattern) for file in written)}
    assert unknown == frozen
    unmarked = {str(file) for file in written if not any(file.match(pattern) for pattern in patterns)}
    assert unmarked == IN_PART.keys(), "mark it in .gitattributes"


def test_every_event_has_its_page_and_names_events_that_exist() -> None:
    document = json.loads((generated.API / "openapi.json").read_text())
    pages = event_pages.texts(document)
    events = {file.stem for file in pages} - {"README"}
    assert events == set(event_pages.ADVICE) == set(document["webhooks"])
    assert pages.keys() == event_pages.known_files()
    assert {then for advice in event_pages.ADVICE.values() for then in advice.then} <= events
