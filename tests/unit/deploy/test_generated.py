"""Generated files that are stale are named, and written by one command."""

import json
from pathlib import Path

import pytest

from deploy.local import event_pages, generated
from deploy.local.bootstrap import SERVICES
from deploy.local.errors import LocalFailure
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


@pytest.mark.parametrize("service", SERVICES)
def test_migration_that_others_may_have_run_is_as_it_was(service: str) -> None:
    kept = (ROOT / "services" / service / "schema" / "functions" / generated.MIGRATIONS_DIGEST).read_text()
    assert generated.changed_migrations(kept, generated.migration_digests(service)) == [], "add another migration"


def test_changed_and_missing_migrations_are_named_and_new_ones_are_not() -> None:
    before = "aa  versions/0001_a.py\nbb  versions/0002_b.py\ncc  versions/0003_c.py\n"
    now = "aa  versions/0001_a.py\nee  versions/0002_b.py\ndd  versions/0004_d.py\n"
    assert generated.changed_migrations(before, now) == ["versions/0002_b.py", "versions/0003_c.py"]
    assert generated.changed_migrations("", now) == []


def test_command_refuses_a_changed_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / generated.MIGRATIONS_DIGEST
    other = "0" * 64 + "  baseline.sql\n"
    kept.write_text(other)
    monkeypatch.setattr(generated, "DIGESTS", {kept: "ledger"})
    with pytest.raises(LocalFailure, match=r"baseline\.sql of ledger was changed"):
        list(generated.write(tmp_path))
    assert kept.read_text() == other
