"""Options of the local commands are written out in full."""

import os
import subprocess
from io import StringIO

import pytest

from deploy.local import lifecycle, servers
from deploy.local.cli import main
from deploy.local.layout import ROOT


class Terminal(StringIO):
    """What somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("operation", "service"),
    [("redrive", "legder"), ("redrive", "ledger;id"), ("refused", "../api"), ("resend", "")],
)
def test_an_unknown_service_is_one_sentence(operation: str, service: str) -> None:
    done = subprocess.run(
        [str(ROOT / ".venv/bin/just"), operation, service, "ledger.payment.captured"],
        cwd=ROOT,
        env=os.environ | {"PAYMENTS_ENV_READY": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    expected = f"error: There is no service {service}; they are api, ledger, gateway, notifier.\n"
    assert (done.stdout, done.stderr) == ("", expected)


def test_a_command_reaches_its_service_as_it_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str]) -> int:
        ran.append(command)
        return 0

    monkeypatch.setattr(lifecycle, "run_with_settings", run)
    main(["operate", "refused", "api", "give-up", "payments.x", "--reason", "nobody's; $HOME"])
    main(["operate", "resend", "gateway", "--since", "2026-11-22T10:00:00Z"])
    assert [command[1:] for command in ran] == [
        ["-m", "services.api", "refused", "give-up", "payments.x", "--reason", "nobody's; $HOME"],
        ["-m", "services.gateway", "resend", "--since", "2026-11-22T10:00:00Z"],
    ]


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
    # The end of the input is no yes.
    assert (main(["down", "--wipe"]), ended) == (1, [True])
    monkeypatch.setattr("sys.stdin", StringIO())
    assert (main(["down", "--wipe"]), ended) == (0, [True, True])


def test_servers_keep_their_data_unless_somebody_says_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    def stop(_: str, *, wipe: bool) -> list[str]:
        ended.append(wipe)
        return []

    monkeypatch.setattr(servers, "stop", stop)
    monkeypatch.setattr("sys.stdin", Terminal("\nyes\n"))
    assert (main(["down-servers", "--wipe"]), ended) == (1, [])
    assert (main(["down-servers", "--wipe"]), ended) == (0, [True])
