"""What `payctl` prints, what it says about errors, and the webhooks that it receives."""

import contextlib
import json
import os
import pty
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NoReturn

import click
import pytest
from click.testing import CliRunner

from deploy.local.layout import ROOT
from libs.common.ids import new_id
from payments_client import Client, Retries, models
from payments_client.exchange import Exchange
from payments_client.payctl import listening, output, session
from payments_client.payctl.cli import payctl
from payments_client.payctl.commands import Command
from services.notifier.sending.signing import new_secret, signed_headers

pytestmark = pytest.mark.unit

SECRET = new_secret()
ANSWER_SECONDS = 60
BARE: dict[str, str | None] = {
    **dict.fromkeys(("PAYCTL_URL", "PAYCTL_KEY", "PAYCTL_TENANT", "PAYCTL_WEBHOOK_SECRET")),
    # No proxy of the machine, either.
    "no_proxy": "*",
}
PROBLEM = '{"code": "%s", "detail": "d"}'


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
        ("payments show .", {"PAYCTL_KEY": "a"}, "another path"),
        ("login --email a --password b", {"PAYCTL_URL": "http://["}, "Invalid IPv6 URL"),
        ("webhooks listen --port 0 --count 1 --seconds 0", {"PAYCTL_WEBHOOK_SECRET": SECRET}, "Nothing arrived"),
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
    config = {"XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("config"))}
    ran = CliRunner().invoke(payctl, line.split(), env=BARE | config | env)
    assert (type(ran.exception), printed in ran.output) == (SystemExit, True), (ran.output, ran.exception)


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (None, "", "It may have taken effect. Repeat it with"),
        (200, "{}", "It may have taken effect. Repeat it with"),
        (500, "", "It may have taken effect. Repeat it with"),
        (409, PROBLEM % "idempotency_in_progress", "It may have taken effect. Repeat it with"),
        (401, PROBLEM % "unauthenticated", "payctl login\nRepeat it with"),
        (409, PROBLEM % "invalid_transition", ""),
    ],
)
def test_an_open_refund_names_the_key_to_repeat_it_with(
    status: int | None, body: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "Client", partial(Client, retries=Retries(max=0)))
    keys = []

    class Handler(BaseHTTPRequestHandler):
        timeout = ANSWER_SECONDS

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Idempotency-Key"])
            if status is not None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.timeout = ANSWER_SECONDS
        once = threading.Thread(target=server.handle_request)
        once.start()
        env = BARE | {"PAYCTL_KEY": "a", "PAYCTL_URL": f"http://127.0.0.1:{server.server_port}"}
        ran = CliRunner().invoke(payctl, ["payments", "refund", "1"], env=env)
        once.join()
    assert (ran.exit_code, len(keys)) == (1, 1), ran.output
    assert ran.output.endswith(f"{hint} --idempotency-key {keys[0]}\n") if hint else keys[0] not in ran.output


@pytest.mark.parametrize(("given", "named"), [((), ""), (("--idempotency-key", "my key"), "'my key'")])
def test_an_interrupted_refund_names_its_key(
    given: tuple[str, ...], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = []

    def interrupted(_: Client, exchange: Exchange[object]) -> NoReturn:
        keys.append(exchange.key)
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "_send", interrupted)
    ran = CliRunner().invoke(payctl, ["payments", "refund", "1", *given], env=BARE | {"PAYCTL_KEY": "a"})
    assert ran.exit_code == 1
    assert f"It may have taken effect. Repeat it with --idempotency-key {named or keys[0]}\n" in ran.output


@pytest.mark.parametrize(
    ("env", "where", "tenant"),
    [
        ({}, "https://kept.example", "kept"),
        ({"PAYCTL_TENANT": "other"}, "https://kept.example", "other"),
        ({"PAYCTL_KEY": "live"}, session.DEFAULT_URL, None),
        ({"PAYCTL_KEY": "live", "PAYCTL_URL": "https://live.example"}, "https://live.example", None),
    ],
)
def test_a_key_of_the_environment_goes_to_no_address_of_a_log_in(
    env: dict[str, str], where: str, tenant: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in BARE:
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"XDG_CONFIG_HOME": str(tmp_path)} | env).items():
        monkeypatch.setenv(name, value)
    session.save(url="https://kept.example", key="kept", tenant="kept")
    with session.client() as client:
        assert (client.base_url, client.tenant_id) == (where, tenant)


@pytest.mark.parametrize(
    ("status", "capture_method", "is_listed"),
    [("PROCESSING", "manual", True), ("AUTHORIZED", "automatic", True), ("AUTHORIZED", "manual", False)],
)
def test_stuck_lists_what_waits_for_no_merchant(
    status: str, capture_method: str, is_listed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = dict.fromkeys(models.PaymentIntentBody.__struct_fields__, "")
    members |= {"status": status, "capture_method": capture_method}
    payment = models.PaymentIntentBody(**members)  # type: ignore[arg-type]
    chosen = []

    def listed(_: Client, **choice: object) -> Iterator[models.PaymentIntentBody]:
        chosen.append(choice["status"])
        yield payment

    monkeypatch.setattr(Client, "iterate_payment_intents", listed)
    ran = CliRunner().invoke(payctl, ["payments", "stuck", "--json"], env=BARE | {"PAYCTL_KEY": "a"})
    assert (len(json.loads(ran.output)), chosen) == (is_listed, ["PROCESSING,AUTHORIZED"])


def test_a_shell_can_complete_its_commands() -> None:
    ran = CliRunner().invoke(payctl, [], env=BARE | {"_PAYCTL_COMPLETE": "bash_source"}, prog_name="payctl")
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
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

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
                statuses.append(direct.open(request, timeout=ANSWER_SECONDS).status)
            except urllib.error.HTTPError as refused:
                statuses.append(refused.code)

    sender = threading.Thread(target=deliver)
    sender.start()
    line = ["webhooks", "listen", "--port", "0", "--count", "1", "--seconds", str(ANSWER_SECONDS), "--json"]
    ran = CliRunner().invoke(payctl, line, env=BARE | {"PAYCTL_WEBHOOK_SECRET": SECRET})
    sender.join()
    assert (ran.exit_code, statuses) == (0, [400, 400, 204]), ran.output
    assert json.loads(ran.stdout)["data"] == {"currency": "BRL"}
    assert ran.stderr.count("refused:") == 2


def test_a_journal_that_breaks_off_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "Client", partial(Client, retries=Retries(max=0)))

    class Handler(BaseHTTPRequestHandler):
        timeout = ANSWER_SECONDS

        def do_GET(self) -> None:
            self.send_response(200)
            # The file is cut off where the tenant asks for its dates in UTC.
            self.send_header("Content-Length", "12" if "tz=UTC" in self.path else "6")
            self.end_headers()
            self.wfile.write(b"; part")

    written, old = tmp_path / "journal.beancount", b"of yesterday"
    written.write_bytes(old)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.timeout = ANSWER_SECONDS
        env = BARE | {"PAYCTL_KEY": "k", "PAYCTL_URL": f"http://127.0.0.1:{server.server_port}"}
        line = ["ledger", "export", "--format", "beancount", "--output", str(written)]
        for further, code, content in ((["--tz", "UTC"], 1, old), ([], 0, b"; part")):
            answering = threading.Thread(target=server.handle_request)
            answering.start()
            ran = CliRunner().invoke(payctl, [*line, *further], env=env)
            answering.join()
            assert (ran.exit_code, written.read_bytes()) == (code, content), ran.output
            assert [path.name for path in tmp_path.iterdir()] == [written.name]
    nowhere = CliRunner().invoke(payctl, [*line[:-1], str(tmp_path / "none" / "file")], env=env)
    assert (nowhere.exit_code, type(nowhere.exception)) == (1, SystemExit)


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
            shown = CliRunner().invoke(payctl, [*f"{path} {name}".split()[1:], "--help"], env=BARE).output
            assert {"Example:", "--json"} <= {*shown.split()}, shown
            assert any({*command.columns} <= {*fields} for fields in structs), (path, name)
            paths.append(name)

    check(payctl, "payctl")
    assert page.count("\n| `payctl ") == len(paths) > 30


def test_progress_is_shown_in_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    shown = {}
    for is_terminal in (False, True):
        ours, theirs = pty.openpty() if is_terminal else os.pipe()
        with os.fdopen(theirs, "w") as out:
            monkeypatch.setattr(sys, "stderr", out)
            with output.progress("reconciliation") as step:
                step("books: 2 payments", 0)
        shown[is_terminal] = b""
        # The end of a terminal is an error on Linux.
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65_536):
                shown[is_terminal] += part
        os.close(ours)
    assert shown[False] == b""
    assert b"books: 2 payments" in shown[True]
