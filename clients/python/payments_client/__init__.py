"""The client of the Payments API: `Client` for threads, `AsyncClient` for asyncio, one method for each operation."""

from payments_client import errors, models
from payments_client.authentication import ApiKey, Authentication, Login
from payments_client.clients import AsyncClient, Client
from payments_client.exchange import Retries
from payments_client.webhooks import Event, Webhook, WebhookRejected, read_data

__all__ = [
    "ApiKey",
    "AsyncClient",
    "Authentication",
    "Client",
    "Event",
    "Login",
    "Retries",
    "Webhook",
    "WebhookRejected",
    "errors",
    "models",
    "read_data",
]
