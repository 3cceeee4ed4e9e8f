"""An operator sees the dead letters of every service and has one handled again; each service answers with its own rights."""

import json

from tests.e2e.bookkeeping import new_tenant, person
from tests.support.lost import QUEUE, forget, lose
from tests.support.platform import ADMIN, Platform
from tests.support.waiting import until


async def test_a_dead_letter_is_found_and_handled_again(platform: Platform) -> None:
    tenant = new_tenant()
    admin = await platform.login(ADMIN)
    event = str(await lose(platform.rabbitmq_url, tenant))
    try:
        listed = await admin.call("GET", "/v1/dead-letters?service=ledger&limit=200")
        assert (listed.status, listed.json["unavailable"]) == (200, [])
        assert QUEUE in [each["queue"] for each in listed.json["queues"]]
        [letter] = [each for each in listed.json["data"] if each["message_id"] == event]
        assert (letter["service"], letter["queue"], letter["reason"]) == ("ledger", QUEUE, "a_test")
        assert letter["events"][0] | {"tenant_id": tenant, "correlation_id": "lost"} == letter["events"][0]
        every = (await admin.call("GET", "/v1/dead-letters?limit=200")).json
        assert (every["unavailable"], letter["id"] in [each["id"] for each in every["data"]]) == ([], True)
        path = f"/v1/dead-letters/ledger/{letter['id']}"
        shown = (await admin.call("GET", path)).json
        assert json.loads(shown["body"])["events"][0]["body"]["tenant_id"] == tenant
        # An administrator of one tenant sees nothing of it.
        member = person(platform, tenant, "boss@example.com", ("admin:write", "ledger:read"))
        for method, where in (("GET", "/v1/dead-letters"), ("GET", path), ("POST", f"{path}/redrive")):
            refused = await member.call(method, where)
            assert (refused.status, refused.json["code"]) == (403, "operator_required")
        done = await admin.call("POST", f"{path}/redrive", key="once")
        assert (done.status, done.json["queue"], done.json["is_repeated"]) == (200, QUEUE, False)

        async def is_handled() -> bool:
            return bool((await member.call("GET", "/v1/accounts")).json)

        await until(is_handled)
        again = await admin.call("POST", f"{path}/redrive")
        assert (again.status, again.json["is_repeated"], again.json["queue"]) == (200, True, None)
        assert (await admin.call("GET", path)).json["code"] == "dead_letter_not_found"
        audit = await admin.call("GET", f"/v1/audit?target={letter['id']}&outcome=success")
        assert {line["action"] for line in audit.json["data"]} == {"platform.redrive_dead_letter"}
    finally:
        await forget(platform.rabbitmq_url)
