"""Where tenants receive their events: registration, secrets, and what an endpoint may be."""

from services.notifier.endpoints.commands import EVENT_NAMES, EndpointRules
from services.notifier.endpoints.consumers import EndpointConsumers
from services.notifier.endpoints.domain import Endpoint
from services.notifier.endpoints.sql import find as find_endpoint
from services.notifier.endpoints.workers import Resealer, endpoint_workers

__all__ = [
    "EVENT_NAMES",
    "Endpoint",
    "EndpointConsumers",
    "EndpointRules",
    "Resealer",
    "endpoint_workers",
    "find_endpoint",
]
