"""What makes two requests for a replay the same one."""

from libs.common.contracts.notifier import StartReplay
from services.notifier.replays.commands import NOT_IN_FINGERPRINT, fingerprint_of
from tests.support.fields import filled, unseen


def test_each_field_of_a_replay_is_in_its_fingerprint_or_named() -> None:
    assert unseen(filled(StartReplay), fingerprint_of) == NOT_IN_FINGERPRINT.keys()
