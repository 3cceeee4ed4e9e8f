"""What the api shows of dead letters while services answer, are down, or know no such letter."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.common.contracts import Message
from libs.common.contracts.dead_letters import (
    DeadLetter,
    DeadLetterCount,
    DeadLetterList,
    DeadLetterNotFound,
    DeadLetterUnreadable,
    GetDeadLetter,
    ListDeadLetters,
    RedriveDeadLetter,
    ShownDeadLetter,
)
from libs.common.errors import Unavailable
from libs.common.ids import new_id
from services.api.app import seed
from tests.integration.api.conftest import Api, serving, settings_for
from tests.support.databases import TestDatabase
from tests.support.platform import Client

PATH = "/v1/dead-letters"


class Services:
    """The four services: each has two letters, and may be down."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.refusal: Exception | None = None
        self.received: list[Message] = []

    async def ask(self, message: Message) -> Any:
        """Answer for the requested service."""
        self.received.append(message)
        owner = message.contract.owner
        if owner in self.down:
            raise Unavailable(f"the {owner} service does not answer")
        if self.refusal is not None:
            raise self.refusal
        if isinstance(message, ListDeadLetters):
            queue = f"{owner}.something"
            letters = [letter(queue, minutes=minutes) for minutes in (len(owner), 100 + len(owner))]
            return DeadLetterList(queues=[DeadLetterCount(queue=queue, count=2)], letters=letters[: message.limit])
        assert isinstance(message, GetDeadLetter)
        return ShownDeadLetter(letter=letter("q", minutes=None), body=None, omitted="not_json")


def letter(queue: str, *, minutes: int | None) -> DeadLetter:
    """A letter that died so many minutes ago, or at an unknown time."""
    return DeadLetter(
        id=new_id(),
        queue=queue,
        message_type="",
        message_id="",
        reason="",
        detail="",
        failed_at=None if minutes is None else datetime.now(UTC) - timedelta(minutes=minutes),
        size_bytes=1,
        event_count=0,
        events=[],
    )


@pytest.fixture(scope="module")
def services() -> Services:
    return Services()


@pytest.fixture(scope="module")
async def api(api_database: TestDatabase, services: Services) -> AsyncIterator[Api]:
    settings = settings_for(api_database)
    await seed(settings)
    async with serving(api_database, settings, ask=services.ask) as running:
        yield running


@pytest.fixture
async def root(api: Api, services: Services, tenant_id: str) -> Client:
    member = api.client(tenant_id)
    assert (await member.call("GET", "/v1/feature-flags")).status in {200, 403}
    services.down.clear()
    services.refusal = None
    services.received.clear()
    return api.client(tenant_id, sub="root@platform", tid="*", roles=["admin"], perms=[])


async def test_letters_of_all_services_are_listed_oldest_first(root: Client) -> None:
    listed = (await root.call("GET", PATH)).json
    assert [(each["service"], each["count"]) for each in listed["queues"]] == [
        (service, 2) for service in ("api", "gateway", "ledger", "notifier")
    ]
    assert [each["service"] for each in listed["data"]] == [
        *("notifier", "gateway", "ledger", "api"),
        *("notifier", "gateway", "ledger", "api"),
    ]
    ages = [each["age_seconds"] for each in listed["data"]]
    assert ages == sorted(ages, reverse=True)
    assert len((await root.call("GET", f"{PATH}?limit=3")).json["data"]) == 3


async def test_others_are_listed_where_one_does_not_answer(root: Client, services: Services) -> None:
    services.down = {"gateway", "ledger"}
    listed = await root.call("GET", PATH)
    assert (listed.status, listed.json["unavailable"]) == (200, ["gateway", "ledger"])
    assert {each["service"] for each in listed.json["data"]} == {"api", "notifier"}
    for method, path in (("GET", f"{PATH}?service=ledger"), ("GET", f"{PATH}/ledger/{new_id()}")):
        refused = await root.call(method, path)
        assert (refused.status, refused.json["code"]) == (503, "unavailable")
    assert (await root.call("GET", f"{PATH}?service=api")).status == 200


async def test_one_service_and_one_queue_may_be_named(root: Client, services: Services) -> None:
    await root.call("GET", f"{PATH}?service=ledger&queue=ledger.payment.captured&limit=7")
    [received] = services.received
    assert isinstance(received, ListDeadLetters)
    assert (received.contract.owner, received.queue, received.limit) == ("ledger", "ledger.payment.captured", 7)
    for wrong in (f"{PATH}?service=shop", f"{PATH}?limit=201", f"{PATH}/shop/{new_id()}", f"{PATH}/ledger/x"):
        assert (await root.call("GET", wrong)).status == 422, wrong


async def test_what_is_unknown_of_a_letter_is_null(root: Client) -> None:
    shown = (await root.call("GET", f"{PATH}/api/{new_id()}")).json
    assert [shown[name] for name in ("message_type", "message_id", "reason", "failed_at", "age_seconds")] == [None] * 5
    assert (shown["body"], shown["omitted"]) == (None, "not_json")


@pytest.mark.parametrize("refusal", [DeadLetterNotFound("there is none"), DeadLetterUnreadable("it is no JSON")])
async def test_a_refusal_of_the_service_is_passed_on(root: Client, services: Services, refusal: Any) -> None:
    services.refusal = refusal
    refused = await root.call("POST", f"{PATH}/notifier/{new_id()}/redrive")
    assert (refused.status, refused.json["code"], refused.json["detail"]) == (
        refusal.status,
        refusal.code,
        refusal.detail,
    )
    [received] = services.received
    assert isinstance(received, RedriveDeadLetter)
    assert (received.contract.owner, received.actor) == ("notifier", "root@platform")
