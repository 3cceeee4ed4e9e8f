"""The demo's receiver and client: real HTTP on loopback, signatures checked by the official library."""

import time
from datetime import UTC, datetime

import msgspec
import pytest
from standardwebhooks import Webhook

from deploy.local.client import Client
from deploy.local.errors import LocalFailure
from deploy.local.receiver import receiving
from deploy.local.smoke import Checks

pytestmark = pytest.mark.unit

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Thing(msgspec.Struct):
    id: int

    @staticmethod
    def refuse() -> None:
        raise LocalFailure("why")


def signed(body: bytes) -> dict[str, str]:
    now = datetime.now(tz=UTC)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", now, body.decode()),
        "X-Webhook-Event": "payment.settled",
    }


def test_a_genuine_webhook_is_found_and_verifies() -> None:
    with receiving() as receiver:
        body = b'{"id": 1}'
        client = Client(base_url=receiver.url)
        assert client.post("", {"id": 1}, headers=signed(body)).status == 204
        delivery = receiver.wait_for("payment.settled", '"id": 1', seconds=5)
        assert delivery is not None
        assert delivery.is_signed_with(SECRET)
        assert not delivery.is_signed_with("whsec_" + "A" * 32)
        changed = msgspec.structs.replace(delivery, body=b'{"id": 2}')
        assert not changed.is_signed_with(SECRET)


def test_a_webhook_that_never_comes_is_not_waited_for_without_end() -> None:
    with receiving() as receiver:
        Client(base_url=receiver.url).post("", {"id": 1}, headers={"X-Webhook-Event": "payment.authorized"})
        began = time.monotonic()
        assert receiver.wait_for("payment.settled", "1", seconds=0.1) is None
        assert time.monotonic() - began < 2


def test_an_answer_is_read_expected_or_explained() -> None:
    with receiving() as receiver:
        answer = Client(base_url=receiver.url, token="t", tenant="x").get("/nothing")
        assert answer.status == 501
        with pytest.raises(LocalFailure, match="answered 501"):
            answer.expect(200)
        with pytest.raises(LocalFailure, match="answered 501"):
            answer.read(Thing)
        assert msgspec.structs.replace(answer, body=b'{"id": 3, "more": true}').read(Thing) == Thing(id=3)


def test_nobody_there_is_a_sentence() -> None:
    with pytest.raises(LocalFailure, match=r"up\.sh"):
        Client(base_url="http://127.0.0.1:1").delete("/x")


def test_checks_count_and_tell() -> None:
    reports: list[str] = []
    checks = Checks(reports.append)
    checks.that("this holds", holds=True)
    checks.that("that does not", holds=False, found=7)
    with checks.step("a step that fails"):
        Thing.refuse()
    assert (checks.passed, checks.failed) == (1, 2)
    assert reports == ["ok    this holds", "FAIL  that does not: 7", "FAIL  a step that fails: why"]
