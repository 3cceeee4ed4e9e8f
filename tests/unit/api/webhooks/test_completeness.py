"""Every field of an endpoint, a delivery and a replay shows to clients."""

from libs.common.contracts.notifier import Delivery, DeliveryAttempt, EndpointHealth, Gap, Replay, WebhookEndpoint
from services.api.webhooks.schemas import delivery_body, endpoint_body, replay_body
from tests.support.fields import filled, unseen

HEALTH = filled(EndpointHealth, status="healthy")
ENDPOINT = filled(WebhookEndpoint, health=HEALTH)


def test_each_field_of_an_endpoint_shows_to_clients() -> None:
    assert unseen(ENDPOINT, endpoint_body, health=None) == set()


def test_each_field_of_the_health_of_an_endpoint_shows_to_clients() -> None:
    def show(health: EndpointHealth) -> object:
        return endpoint_body(filled(WebhookEndpoint, health=health))

    assert unseen(HEALTH, show, status="paused") == set()


def test_each_field_of_the_gap_of_an_endpoint_shows_to_clients() -> None:
    def show(gap: Gap) -> object:
        return endpoint_body(filled(WebhookEndpoint, health=HEALTH, gap=gap))

    assert unseen(filled(Gap), show) == set()


def test_each_field_of_a_delivery_shows_to_clients() -> None:
    assert unseen(filled(Delivery), delivery_body) == set()


def test_each_field_of_an_attempt_shows_to_clients() -> None:
    def show(attempt: DeliveryAttempt) -> object:
        return delivery_body(filled(Delivery, attempts=[attempt]))

    assert unseen(filled(DeliveryAttempt), show) == set()


def test_each_field_of_a_replay_shows_to_clients() -> None:
    assert unseen(filled(Replay, status="RUNNING"), replay_body, status="DONE") == set()
