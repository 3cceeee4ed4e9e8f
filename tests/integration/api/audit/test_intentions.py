"""What another service is to do leaves its intention and its outcome in the audit log."""

from enum import StrEnum

import asyncpg
import pytest

from libs.common.errors import Conflict, Unavailable
from tests.integration.api.conftest import Api
from tests.integration.api.idempotency.conftest import ALL, Owner, api, client, owner, root, send
from tests.support.databases import TestDatabase
from tests.support.platform import Client

__all__ = ["api", "client", "owner"]


class Outcome(StrEnum):
    """What the audit log has of a request."""

    REQUESTED = "requested"
    SUCCESS = "success"
    FAILED = "failed"
    UNKNOWN = "unknown"


async def audited(api: Api, tenant_id: str) -> list[tuple[str, str]]:
    rows = await api.database.fetch(
        "SELECT outcome, coalesce(detail->>'reason', '') AS reason FROM audit_log WHERE tenant_id = $1 "
        "AND outcome <> 'denied' ORDER BY id",
        tenant_id,
    )
    return [(row["outcome"], row["reason"]) for row in rows]


@pytest.mark.parametrize("operation", ["deleteWebhook", "putLedgerSettings", "approveProposal", "placeHold"])
async def test_missing_reply_leaves_a_line_that_says_so(
    api: Api, client: Client, owner: Owner, tenant_id: str, operation: str
) -> None:
    write = next(w for w in ALL if w.operation == operation)
    owner.fails = Unavailable("the owner does not answer")
    assert (await send(client, write, key=None)).status == 503
    assert await audited(api, tenant_id) == [(Outcome.REQUESTED, ""), (Outcome.UNKNOWN, "unavailable")]


async def test_done_and_refused_requests_have_both_lines(
    api: Api, client: Client, owner: Owner, tenant_id: str
) -> None:
    write = next(w for w in ALL if w.operation == "deleteWebhook")
    assert (await send(client, write, key=None)).status == 204
    owner.fails = Conflict("no", code="webhook_endpoint_conflict")
    assert (await send(client, write, key=None)).status == 409
    assert await audited(api, tenant_id) == [
        (Outcome.REQUESTED, ""),
        (Outcome.SUCCESS, ""),
        (Outcome.REQUESTED, ""),
        (Outcome.FAILED, "webhook_endpoint_conflict"),
    ]
    listed = await root(api, tenant_id).call("GET", "/v1/audit?outcome=requested")
    assert [line["outcome"] for line in listed.json["data"]] == ["requested", "requested"]


async def test_outcome_that_the_log_does_not_take_denies_nothing(
    api: Api, api_database: TestDatabase, client: Client, owner: Owner, tenant_id: str
) -> None:
    admin = await asyncpg.connect(api_database.admin_url)
    rule = "ALTER TABLE api.audit_log ADD CONSTRAINT no_success CHECK (outcome <> 'success') NOT VALID"
    await admin.execute(rule)
    try:
        for operation in ("deleteWebhook", "putLedgerSettings"):
            write = next(w for w in ALL if w.operation == operation)
            assert (await send(client, write, key=None)).status < 300
    finally:
        await admin.execute("ALTER TABLE api.audit_log DROP CONSTRAINT no_success")
        await admin.close()
    assert await audited(api, tenant_id) == [(Outcome.REQUESTED, "")] * 2
    assert len(owner.done) == 2


async def test_without_a_log_of_the_intention_nothing_is_requested(
    api: Api, api_database: TestDatabase, client: Client, owner: Owner, tenant_id: str
) -> None:
    admin = await asyncpg.connect(api_database.admin_url)
    await admin.execute("ALTER TABLE api.audit_log ADD CONSTRAINT none CHECK (outcome <> 'requested') NOT VALID")
    try:
        write = next(w for w in ALL if w.operation == "deleteWebhook")
        assert (await send(client, write, key=None)).status >= 500
    finally:
        await admin.execute("ALTER TABLE api.audit_log DROP CONSTRAINT none")
        await admin.close()
    assert owner.done == []
