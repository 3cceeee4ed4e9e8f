"""Webhook endpoints: registered once, shown without their secret, deleted with their history kept."""

import msgspec
import pytest

from libs.common.contracts.notifier import DeleteEndpoint, ListDeliveries, ListEndpoints, RegisterEndpoint
from libs.common.contracts.notifier.errors import EndpointConflict, EndpointNotFound, InvalidEndpoint, TooManyEndpoints
from libs.common.egress import EgressGuard
from libs.common.errors import InvalidCursor
from libs.common.ids import new_id
from services.notifier.deliveries import queries as delivery_queries
from services.notifier.endpoints import EndpointRules
from services.notifier.endpoints import commands as endpoint_commands
from services.notifier.endpoints import queries as endpoint_queries
from tests.integration.notifier.conftest import KEYRING, RULES, Notifier

URL = "https://merchant.example/hooks"


async def test_the_secret_is_shown_once_and_never_stored_in_clear(notifier: Notifier, tenant_id: str) -> None:
    registered = await notifier.register(tenant_id, URL, ["payment.settled", "payment.settled", "*"])
    assert registered.secret is not None
    assert registered.secret.startswith("whsec_")
    assert registered.events == ["payment.settled", "*"]
    (listed,) = (await endpoint_queries.list_endpoints(notifier.database, ListEndpoints(tenant_id=tenant_id))).endpoints
    assert listed == msgspec.structs.replace(registered, secret=None)
    row = await notifier.database.fetchrow("SELECT w::text AS text, secret_sealed FROM webhook_endpoints AS w")
    assert row is not None
    assert registered.secret not in row["text"]
    assert registered.secret.encode() not in row["secret_sealed"]


async def test_the_same_registration_again_is_success_without_the_secret(notifier: Notifier, tenant_id: str) -> None:
    request = RegisterEndpoint(tenant_id=tenant_id, endpoint_id=new_id(), url=URL, events=["*"])
    first = await notifier.ask_registration(request)
    assert await notifier.ask_registration(request) == msgspec.structs.replace(first, secret=None)
    with pytest.raises(EndpointConflict):
        await notifier.ask_registration(msgspec.structs.replace(request, url=URL + "/other"))
    with pytest.raises(EndpointConflict):
        await notifier.ask_registration(msgspec.structs.replace(request, events=["payment.*"]))


async def test_an_impossible_registration_names_every_fault(notifier: Notifier, tenant_id: str) -> None:
    with pytest.raises(InvalidEndpoint) as refused:
        await notifier.register(tenant_id, "ftp://merchant.example/", ["*", "payment.unheard_of"])
    assert [pointer for pointer, _ in refused.value.errors] == ["/url", "/events/1"]


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_a_literal_forbidden_address_is_refused_at_once(notifier: Notifier, tenant_id: str, host: str) -> None:
    rules = EndpointRules(is_local=False, allowed_ports=(443,), endpoints_max=5, admits=EgressGuard().admits)
    request = RegisterEndpoint(tenant_id=tenant_id, endpoint_id=new_id(), url=f"https://{host}/", events=["*"])
    with pytest.raises(InvalidEndpoint, match="may reach"):
        await endpoint_commands.register_endpoint(
            notifier.database, request, rules=rules, secrets=KEYRING, clock=notifier.clock
        )


async def test_a_tenant_has_so_many_endpoints_and_no_more(notifier: Notifier, tenant_id: str) -> None:
    for _ in range(RULES.endpoints_max):
        await notifier.register(tenant_id, URL)
    with pytest.raises(TooManyEndpoints):
        await notifier.register(tenant_id, URL)
    await notifier.register(tenant_id + "-other", URL)


async def test_one_tenant_sees_and_touches_only_its_own(notifier: Notifier, tenant_id: str) -> None:
    endpoint = await notifier.register(tenant_id, URL)
    other = tenant_id + "-other"
    assert (await endpoint_queries.list_endpoints(notifier.database, ListEndpoints(tenant_id=other))).endpoints == []
    with pytest.raises(EndpointNotFound):
        await notifier.delete(other, endpoint.id)
    with pytest.raises(EndpointNotFound):
        await notifier.deliveries(other, endpoint.id)


async def test_deleting_keeps_the_history_and_may_be_repeated(notifier: Notifier, tenant_id: str) -> None:
    endpoint = await notifier.register(tenant_id, URL)
    await notifier.handle(notifier.event(tenant_id))
    request = DeleteEndpoint(tenant_id=tenant_id, endpoint_id=endpoint.id)
    for _ in range(2):
        assert (
            await endpoint_commands.delete_endpoint(notifier.database, request, clock=notifier.clock)
        ).id == endpoint.id
    assert (
        await endpoint_queries.list_endpoints(notifier.database, ListEndpoints(tenant_id=tenant_id))
    ).endpoints == []
    (delivery,) = await notifier.deliveries(tenant_id, endpoint.id)
    assert (delivery.status, delivery.next_attempt_at, delivery.attempts) == ("FAILED", None, [])


async def test_deliveries_are_paged_newest_first_without_gaps(notifier: Notifier, tenant_id: str) -> None:
    endpoint = await notifier.register(tenant_id, URL)
    events = [notifier.event(tenant_id) for _ in range(7)]
    await notifier.handle(*events)
    seen, cursor = [], None
    for _ in range(4):
        page = await delivery_queries.list_deliveries(
            notifier.database,
            ListDeliveries(tenant_id=tenant_id, endpoint_id=endpoint.id, limit=2, cursor=cursor),
        )
        seen += [delivery.event_id for delivery in page.deliveries]
        cursor = page.next_cursor
    assert cursor is None
    assert seen == sorted((event.event_id for event in events), reverse=True)


@pytest.mark.parametrize("cursor", ["", "rubbish", "é", "AAAA", "'; DROP TABLE deliveries"])
async def test_a_cursor_of_ones_own_making_is_invalid(notifier: Notifier, tenant_id: str, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        await delivery_queries.list_deliveries(
            notifier.database, ListDeliveries(tenant_id=tenant_id, endpoint_id=new_id(), cursor=cursor)
        )
