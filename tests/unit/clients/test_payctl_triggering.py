"""`payctl webhooks trigger` sends any event of the catalogue, signed as the platform signs."""

import json
import shlex
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from deploy.local.layout import ROOT
from payments_client import Event, Webhook
from payments_client.payctl.cli import payctl
from services.notifier.sending.signing import new_secret, signed_headers

pytestmark = pytest.mark.unit

SECRET = new_secret()
CATALOGUE = sorted(json.loads((ROOT / "docs/api/openapi.json").read_text())["webhooks"])
ANSWER_SECONDS = 60


class Taking(HTTPServer):
    """A receiver that keeps what it is sent."""

    status = 204

    def __init__(self) -> None:
        taken: list[tuple[bytes, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            timeout = ANSWER_SECONDS

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                taken.append((body, dict(self.headers.items())))
                self.send_response(Taking.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Write no log."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.taken = taken


@pytest.fixture
def receiver() -> Iterator[Taking]:
    with Taking() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def trigger(line: str, *, url: str, secret: str = SECRET) -> Result:
    env = {"PAYCTL_WEBHOOK_SECRET": secret, "PAYCTL_KEY": None, "no_proxy": "*"}
    return CliRunner().invoke(payctl, ["webhooks", "trigger", *shlex.split(line), "--url", url], env=env)


def address(receiver: Taking) -> str:
    return f"http://127.0.0.1:{receiver.server_port}/hooks"


def test_every_event_of_the_catalogue_is_sent_and_verified(receiver: Taking) -> None:
    events: list[Event] = []
    for name in CATALOGUE:
        ran = trigger(f"{name} --json", url=address(receiver))
        assert ran.exit_code == 0, ran.output
        body, headers = receiver.taken[-1]
        events.append(Webhook(SECRET).verify(body, headers))
        assert json.loads(ran.stdout) | {"status": 204} == json.loads(ran.stdout)
        assert (events[-1].type, headers["X-Webhook-Event"]) == (name, name)
        assert events[-1].data["event_id"] == events[-1].id == json.loads(ran.stdout)["id"]
        assert events[-1].data["occurred_at"] == events[-1].timestamp
    assert len({event.id for event in events}) == len(CATALOGUE) > 15


def test_headers_are_those_of_the_platform(receiver: Taking) -> None:
    assert trigger("payment.settled", url=address(receiver)).exit_code == 0
    body, headers = receiver.taken[-1]
    expected = signed_headers(
        signing_secrets=(SECRET,),
        event_id=UUID(headers["webhook-id"]),
        event_type="payment.settled",
        delivery_id=UUID(headers["X-Webhook-Delivery-Id"]),
        body=body,
        sent_at=datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC),
    )
    assert expected.items() <= headers.items()


def test_members_of_data_are_chosen(receiver: Taking) -> None:
    ran = trigger("payment.refunded --data tenant_id=t1 --data sequence=7 --data 'amount=1=2'", url=address(receiver))
    assert ran.exit_code == 0, ran.output
    event = Webhook(SECRET).verify(*receiver.taken[-1])
    assert (event.tenant_id, event.data["tenant_id"], event.data["sequence"], event.data["amount"]) == (
        *("t1", "t1"),
        7,
        "1=2",
    )


@pytest.mark.parametrize(
    ("line", "secret", "printed"),
    [
        ("payment.settled --data nothing=1", SECRET, "payment.settled has no nothing; it has amount"),
        ("payment.settled --data sequence=x", SECRET, "sequence: "),
        ("payment.settled --data sequence", SECRET, "'sequence' is not NAME=VALUE"),
        ("payment.unheard", SECRET, "is not one of"),
        ("payment.settled", "whpk_AAAA", "a secret is whsec_ and base64"),
        ("payment.settled", "whsec_!", "a secret is whsec_ and base64"),
    ],
    ids=["member", "sequence", "no value", "event", "no secret", "no base64"],
)
def test_what_is_wrong_is_printed_and_nothing_is_sent(line: str, secret: str, printed: str, receiver: Taking) -> None:
    ran = trigger(line, url=address(receiver), secret=secret)
    assert (type(ran.exception), printed in ran.output) == (SystemExit, True), ran.output
    assert receiver.taken == []


def test_receiver_that_refuses_or_is_away_is_an_error(receiver: Taking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Taking, "status", 400)
    refused = trigger("payment.settled", url=address(receiver))
    assert (refused.exit_code, "answered 400" in refused.output) == (1, True), refused.output
    away = trigger("payment.settled", url="http://127.0.0.1:9")
    assert (away.exit_code, "http://127.0.0.1:9: " in away.output) == (1, True), away.output
