"""Where tenants receive their events: registration, secrets, and what an endpoint may be."""

from services.notifier.endpoints.commands import EVENT_NAMES, EndpointRules
from services.notifier.endpoints.consumers import EndpointConsumers
from services.notifier.endpoints.domain import Endpoint
from services.notifier.endpoints.sql import find as find_endpoint
from services.notifier.endpoints.workers import RESEAL_EVERY_SECONDS, Resealer

__all__ = [
    "EVENT_NAMES",
    "RESEAL_EVERY_SECONDS",
    "Endpoint",
    "EndpointConsumers",
    "EndpointRules",
    "Resealer",
    "find_endpoint",
]
