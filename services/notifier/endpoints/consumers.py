"""What is handled of webhook endpoints: the requests of the api."""

from libs.common.clock import Clock
from libs.common.contracts.notifier import (
    ChangeEndpoint,
    Deleted,
    DeleteEndpoint,
    EndpointList,
    GetEndpoint,
    ListEndpoints,
    RegisterEndpoint,
    RotateSecret,
    SendTestEvent,
    TestSent,
    WebhookEndpoint,
)
from libs.common.db import Database
from libs.common.messaging import Bus
from services.notifier.deliveries import HealthPolicy
from services.notifier.endpoints import commands, queries
from services.notifier.endpoints.commands import EndpointRules
from services.notifier.sending import EndpointSecrets


class EndpointConsumers:
    """Answers requests about endpoints."""

    def __init__(
        self, database: Database, *, rules: EndpointRules, secrets: EndpointSecrets, health: HealthPolicy, clock: Clock
    ) -> None:
        self._database = database
        self._rules = rules
        self._secrets = secrets
        self._health = health
        self._clock = clock

    def register(self, bus: Bus) -> None:
        """Answer every request of this subject."""
        bus.answer(RegisterEndpoint, self.on_register_endpoint)
        bus.answer(ChangeEndpoint, self.on_change_endpoint)
        bus.answer(RotateSecret, self.on_rotate_secret)
        bus.answer(SendTestEvent, self.on_send_test_event)
        bus.answer(DeleteEndpoint, self.on_delete_endpoint)
        bus.answer(GetEndpoint, self.on_get_endpoint)
        bus.answer(ListEndpoints, self.on_list_endpoints)

    async def on_register_endpoint(self, request: RegisterEndpoint) -> WebhookEndpoint:
        """Register an endpoint."""
        return await commands.register_endpoint(
            self._database, request, rules=self._rules, secrets=self._secrets, clock=self._clock
        )

    async def on_change_endpoint(self, request: ChangeEndpoint) -> WebhookEndpoint:
        """Change an endpoint."""
        return await commands.change_endpoint(
            self._database, request, rules=self._rules, secrets=self._secrets, clock=self._clock
        )

    async def on_rotate_secret(self, request: RotateSecret) -> WebhookEndpoint:
        """Give an endpoint a new secret."""
        return await commands.rotate_secret(self._database, request, secrets=self._secrets, clock=self._clock)

    async def on_send_test_event(self, request: SendTestEvent) -> TestSent:
        """Send an endpoint a test event."""
        return await commands.send_test_event(self._database, request, clock=self._clock)

    async def on_delete_endpoint(self, request: DeleteEndpoint) -> Deleted:
        """Delete an endpoint."""
        return await commands.delete_endpoint(self._database, request, clock=self._clock)

    async def on_get_endpoint(self, request: GetEndpoint) -> WebhookEndpoint:
        """Show an endpoint with its health."""
        return await queries.get_endpoint(self._database, request, policy=self._health, clock=self._clock)

    async def on_list_endpoints(self, request: ListEndpoints) -> EndpointList:
        """List a tenant's endpoints."""
        return await queries.list_endpoints(self._database, request)
