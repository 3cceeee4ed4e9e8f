"""What `payctl` prints, what it says about errors, and the webhooks that it receives."""

import json
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from functools import partial
from http.server import HTTPServer

import click
import pytest
from click.testing import CliRunner

from deploy.local.layout import ROOT
from libs.common.ids import new_id
from payments_client import Client, Retries, models
from payments_client.payctl import listening, output, session
from payments_client.payctl.cli import payctl
from payments_client.payctl.commands import Command
from services.notifier.sending.signing import new_secret, signed_headers

pytestmark = pytest.mark.unit

SECRET = new_secret()
ANSWER_SECONDS = 60


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (None, ""),
        (True, "yes"),
        (["a", "b"], "a,b"),
        ({"a": 1}, '{"a":1}'),
        (5, "5"),
        # Neither a column, nor a line, nor a command to the terminal is in what a customer wrote.
        ("a\tb\nc\x1b[2J\u202e", "a b c [2J "),
    ],
)
def test_a_cell_is_a_part_of_one_line(value: object, printed: str) -> None:
    assert output.cell(value) == printed


@pytest.mark.parametrize(
    ("line", "env", "printed"),
    [
        ("me", {}, "Log in first"),
        ("me", {"PAYCTL_KEY": "a b"}, "PAYCTL_KEY: a key has visible"),
        ("me", {"PAYCTL_KEY": "a", "PAYCTL_URL": "http://127.0.0.1:9"}, "Error: "),
        ("payments list --limit 0", {"PAYCTL_KEY": "a"}, "--limit"),
        ("webhooks listen --secret nothing", {}, "a key is whsec_"),
    ],
)
def test_what_is_wrong_is_printed_in_a_sentence(
    line: str,
    env: dict[str, str],
    printed: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "Client", partial(Client, retries=Retries(max=0)))
    env = {"XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("config")), **env}
    ran = CliRunner().invoke(payctl, line.split(), env=env)
    assert (ran.exit_code != 0, printed in ran.output, "Traceback" in ran.output) == (True, True, False)


def test_a_shell_can_complete_its_commands() -> None:
    ran = CliRunner().invoke(payctl, [], env={"_PAYCTL_COMPLETE": "bash_source"}, prog_name="payctl")
    assert "_PAYCTL_COMPLETE=bash_complete" in ran.output


def test_signed_webhooks_are_printed_and_others_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ports: list[int] = []
    bound = threading.Event()

    class Server(HTTPServer):
        def server_activate(self) -> None:
            super().server_activate()
            ports.append(self.server_port)
            bound.set()

    monkeypatch.setattr(listening, "HTTPServer", Server)
    statuses: list[int] = []

    def deliver() -> None:
        assert bound.wait(ANSWER_SECONDS)
        event_id, now = new_id(), datetime.now(UTC)
        body = json.dumps(
            {"id": str(event_id), "type": "payment.settled", "timestamp": now.isoformat(), "version": 1}
            | {"tenant_id": "t", "data": {"currency": "BRL"}}
        ).encode()
        for secret, sent in ((new_secret(), body), (SECRET, body + b" "), (SECRET, body)):
            headers = signed_headers(
                signing_secrets=(secret,),
                event_id=event_id,
                event_type="payment.settled",
                delivery_id=new_id(),
                body=body,
                sent_at=now,
            )
            request = urllib.request.Request(f"http://127.0.0.1:{ports[0]}/", data=sent, headers=headers)
            try:
                statuses.append(urllib.request.urlopen(request, timeout=ANSWER_SECONDS).status)
            except urllib.error.HTTPError as refused:
                statuses.append(refused.code)

    sender = threading.Thread(target=deliver)
    sender.start()
    line = ["webhooks", "listen", "--port", "0", "--count", "1", "--json"]
    ran = CliRunner().invoke(payctl, line, env={"PAYCTL_WEBHOOK_SECRET": SECRET})
    sender.join()
    assert (ran.exit_code, statuses) == (0, [400, 400, 204]), ran.output
    assert json.loads(ran.stdout)["data"] == {"currency": "BRL"}
    assert ran.stderr.count("refused:") == 2


def test_every_command_is_on_its_page_and_shows_members_that_exist() -> None:
    page = (ROOT / "docs" / "payctl.md").read_text()
    structs = [kind.__struct_fields__ for kind in vars(models).values() if hasattr(kind, "__struct_fields__")]
    paths = []

    def check(group: click.Group, path: str) -> None:
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                check(command, f"{path} {name}")
                continue
            assert isinstance(command, Command)
            assert command.example.startswith(f"{path} {name}")
            assert f"| `{command.example}` | " in page
            shown = CliRunner().invoke(payctl, [*f"{path} {name}".split()[1:], "--help"]).output
            assert {"Example:", "--json"} <= {*shown.split()}, shown
            assert any({*command.columns} <= {*fields} for fields in structs), (path, name)
            paths.append(name)

    check(payctl, "payctl")
    assert page.count("\n| `payctl ") == len(paths) > 30
