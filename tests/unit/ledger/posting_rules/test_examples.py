"""The page for accountants is written by the rules themselves, and the committed one is what they write."""

from pathlib import Path

from libs.common.contracts.ledger import EntryKind
from libs.common.contracts.ledger_roles import Role
from services.ledger.posting_rules import page
from services.ledger.posting_rules.domain import PAYMENT_RULES, STORIES

ROOT = Path(__file__).parents[4]


def test_the_committed_page_is_what_the_rules_write() -> None:
    assert (ROOT / "docs/chart-of-accounts.md").read_text() == page(), "run `just docs`"


def test_every_rule_has_a_worked_story_that_ends_with_it() -> None:
    assert {story.kind for story in STORIES} == set(PAYMENT_RULES)
    assert all(story.events[-1][0] is story.kind for story in STORIES)


def test_every_kind_that_is_no_persons_doing_has_a_rule() -> None:
    by_hand = {EntryKind.MANUAL, EntryKind.REVERSAL, EntryKind.HOLD_CAPTURE, EntryKind.YEAR_END, EntryKind.REVALUATION}
    converted = {EntryKind.CONVERSION_SOLD, EntryKind.CONVERSION_BOUGHT}
    moved = {EntryKind.MOVEMENT, EntryKind.MOVEMENT_EXCHANGED, EntryKind.AVAILABLE}
    assert set(EntryKind) == set(PAYMENT_RULES) | by_hand | converted | moved


def test_every_role_is_explained_and_drawn() -> None:
    written = page()
    for role in Role:
        assert f"| `{role}` |" in written
        assert f"{role} (" in written
