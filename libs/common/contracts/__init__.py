"""The message contracts of all services: importing this package fills the registry.

`api`, `ledger`, `gateway` and `notifier` are named after the owner of the messages inside; what the gateway is asked while
somebody waits is in `gateway_requests`.
"""

from libs.common.contracts import api, gateway, gateway_requests, ledger, notifier
from libs.common.contracts.base import (
    PUBLIC_EXCHANGE,
    REGISTRY,
    Contract,
    Kind,
    Message,
    PublicEvent,
    heard_by,
    said_by,
)

__all__ = [
    "PUBLIC_EXCHANGE",
    "REGISTRY",
    "Contract",
    "Kind",
    "Message",
    "PublicEvent",
    "api",
    "gateway",
    "gateway_requests",
    "heard_by",
    "ledger",
    "notifier",
    "said_by",
]
