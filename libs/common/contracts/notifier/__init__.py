"""Requests to the notifier and its events: one module for each subject.

Webhook endpoints, what was delivered to them and what is replayed; and the events of an endpoint in trouble.
"""

from libs.common.contracts.notifier.bodies import TEST_EVENT, TEST_EXAMPLE, TestData, WebhookBody
from libs.common.contracts.notifier.deliveries import (
    Delivery,
    DeliveryAttempt,
    DeliveryPage,
    ListDeliveries,
)
from libs.common.contracts.notifier.endpoints import (
    ChangeEndpoint,
    Deleted,
    DeleteEndpoint,
    EndpointHealth,
    EndpointList,
    Gap,
    GetEndpoint,
    ListEndpoints,
    RegisterEndpoint,
    RotateSecret,
    SendTestEvent,
    TestSent,
    WebhookEndpoint,
)
from libs.common.contracts.notifier.events import (
    EndpointTrouble,
    WebhookEndpointDisabled,
    WebhookEndpointFailing,
)
from libs.common.contracts.notifier.replays import (
    CancelReplay,
    GetReplay,
    Replay,
    StartReplay,
)

__all__ = [
    "TEST_EVENT",
    "TEST_EXAMPLE",
    "CancelReplay",
    "ChangeEndpoint",
    "DeleteEndpoint",
    "Deleted",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryPage",
    "EndpointHealth",
    "EndpointList",
    "EndpointTrouble",
    "Gap",
    "GetEndpoint",
    "GetReplay",
    "ListDeliveries",
    "ListEndpoints",
    "RegisterEndpoint",
    "Replay",
    "RotateSecret",
    "SendTestEvent",
    "StartReplay",
    "TestData",
    "TestSent",
    "WebhookBody",
    "WebhookEndpoint",
    "WebhookEndpointDisabled",
    "WebhookEndpointFailing",
]
