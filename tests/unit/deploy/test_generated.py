"""Generated files that are stale are named, and written by one command."""

from pathlib import Path

import pytest

from deploy.local import generated
from deploy.local.layout import ROOT

pytestmark = pytest.mark.unit


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
