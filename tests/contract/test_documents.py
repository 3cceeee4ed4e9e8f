"""Committed documents and the compatibility baseline say what the code says."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract import baseline

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("service", "command", "file"),
    [
        ("api", "openapi", "openapi.json"),
        ("api", "asyncapi", "asyncapi-api.json"),
        ("ledger", "asyncapi", "asyncapi-ledger.json"),
        ("gateway", "asyncapi", "asyncapi-gateway.json"),
        ("notifier", "asyncapi", "asyncapi-notifier.json"),
    ],
)
def test_committed_document_is_what_the_service_prints(service: str, command: str, file: str) -> None:
    environ = {**os.environ, "APP_ENV": "local"}
    printed = subprocess.run(
        [sys.executable, "-m", f"services.{service}", command],
        cwd=ROOT,
        env=environ,
        check=True,
        capture_output=True,
        timeout=60,
    )
    committed = json.loads((ROOT / "docs" / "api" / file).read_text())
    assert json.loads(printed.stdout) == committed, "run `just docs` and commit the result"


def test_no_message_breaks_what_others_know() -> None:
    assert baseline.breaks(baseline.known(), baseline.current()) == []


def test_every_message_stands_in_the_baseline() -> None:
    assert baseline.known() == baseline.current(), "run `python -m tests.contract.baseline` and commit the result"


def test_baseline_notices_every_kind_of_break() -> None:
    before = baseline.current()
    name = "event:api:payment.settled"
    fields = before[name]["parts"]["PaymentSettled"]["fields"]
    broken = copy.deepcopy(before)
    del broken["event:api:payment.failed"]
    now = broken[name]["parts"]["PaymentSettled"]
    del now["fields"]["amount"]
    now["fields"]["currency"] = {"type": "integer"}
    now["required"].append("status")
    broken[name]["heard_by"] = []
    assert "amount" in fields
    assert sorted(baseline.breaks(before, broken)) == [
        "event:api:payment.failed is gone",
        "event:api:payment.settled is no longer heard by ledger",
        "event:api:payment.settled is no longer heard by notifier",
        "event:api:payment.settled: PaymentSettled.amount is gone",
        "event:api:payment.settled: PaymentSettled.currency has another type",
        "event:api:payment.settled: PaymentSettled.status is required now",
    ]
