"""Options of the local commands are written out in full."""

from io import StringIO

import pytest

from deploy.local import lifecycle
from deploy.local.cli import main


class Terminal(StringIO):
    """What somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", ["down", "down-servers"])
def test_a_destructive_option_is_never_abbreviated(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--wip"])
    assert ended.value.code == 2
    assert "--wip" in capsys.readouterr().err


def test_at_a_terminal_only_yes_removes_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(lifecycle, "down", lambda _, *, wipe: ended.append(wipe))
    monkeypatch.setattr("sys.stdin", Terminal("no\nyes\n"))
    assert (main(["down", "--wipe"]), ended) == (1, [])
    assert (main(["down", "--wipe"]), ended) == (0, [True])
    monkeypatch.setattr("sys.stdin", StringIO())
    assert (main(["down", "--wipe"]), ended) == (0, [True, True])
