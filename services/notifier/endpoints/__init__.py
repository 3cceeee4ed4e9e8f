"""Where tenants receive their events: registration, secrets, and what an endpoint may be."""

from services.notifier.endpoints.commands import EVENT_NAMES, EndpointRules
from services.notifier.endpoints.consumers import EndpointConsumers
from services.notifier.endpoints.domain import Endpoint
from services.notifier.endpoints.sql import find as find_endpoint
from services.notifier.endpoints.workers import COUNT_EVERY_SECONDS, RESEAL_EVERY_SECONDS, HealthMeter, Resealer

__all__ = [
    "COUNT_EVERY_SECONDS",
    "EVENT_NAMES",
    "RESEAL_EVERY_SECONDS",
    "Endpoint",
    "EndpointConsumers",
    "EndpointRules",
    "HealthMeter",
    "Resealer",
    "find_endpoint",
]
