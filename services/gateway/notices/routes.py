"""What the gateway receives over HTTP: Stripe's webhooks. Everything else comes over the broker."""

from collections.abc import Awaitable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from litestar import Request, Response, post
from litestar.exceptions import ClientException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from libs.common.errors import NotFound
from libs.common.ids import parse_id
from libs.common.observability.logging import get_logger
from libs.common.web.errors import HttpProblem
from services.gateway import metrics
from services.gateway.accounts import ConnectedAccounts, StripeAccounts
from services.gateway.errors import WebhookForged, WebhookMalformed, WebhookStale, WebhookTooLarge
from services.gateway.notices.commands.events import StripeInbox, named_account
from services.gateway.processors.stripe import NotGenuine, verify

log = get_logger("gateway.webhooks")

_REFUSALS: Mapping[str, tuple[type[HttpProblem], str]] = MappingProxyType(
    {
        "malformed": (WebhookMalformed, "this is not an event of Stripe's"),
        "forged": (WebhookForged, "the signature does not match"),
        "stale": (WebhookStale, "the signature or the event is too old, or of a time to come"),
        "too_large": (WebhookTooLarge, "the body is too large"),
    }
)
"""What a webhook that is not genuine is answered, by the reason, which is a label of a metric."""


def webhook_routes(
    accounts: StripeAccounts,
    inbox: StripeInbox,
    *,
    connected: ConnectedAccounts | None,
    body_bytes_max: int,
    tolerance_seconds: int,
) -> list[HTTPRouteHandler]:
    """Build the two addresses of the platform's own account, those of connected accounts, and those of tenants' accounts."""

    async def text_of(request: Request[Any, Any, Any], secrets: Sequence[str]) -> str:
        body = await _body(request, body_bytes_max)
        header = request.headers.get("Stripe-Signature", "")
        return verify(body, header, secrets, tolerance_seconds=tolerance_seconds)

    async def keep(request: Request[Any, Any, Any], config_id: UUID | None) -> bool:
        """Keep an event of the platform's own account, or of a tenant's configuration."""
        account = await accounts.webhooks(config_id)
        if account is None:
            raise NotFound("there is no such gateway configuration")
        await inbox.keep(await text_of(request, account.secrets), tenant_id=account.tenant_id, processor=account.name)
        return True

    async def keep_connected(request: Request[Any, Any, Any]) -> bool:
        """Keep an event for each configuration of the account that it names; of an account of nobody it is ignored."""
        if connected is None:
            raise NotFound("this place has no platform of Stripe")
        text = await text_of(request, connected.webhook_secrets)
        account, is_live = named_account(text)
        if is_live is not connected.is_live:
            # A live endpoint for connected accounts gets their events of test mode too; a test endpoint gets none of live mode.
            metrics.STRIPE_ENVELOPES.labels("wrong_mode" if is_live else "test_mode").inc()
            log.warning("webhook.of_another_mode", account=account, is_live=is_live)
            return False
        whose = await connected.whose(account)
        for tenant_id, processor in whose:
            await inbox.keep(text, tenant_id=tenant_id, processor=processor)
        if not whose:
            metrics.STRIPE_ENVELOPES.labels("unknown_account").inc()
            log.warning("webhook.of_nobody", account=account, is_live=is_live)
        return bool(whose)

    async def take(keeping: Awaitable[bool], *, address: str) -> Response[bytes]:
        try:
            is_kept = await keeping
        except NotGenuine as refused:
            metrics.WEBHOOKS_REFUSED.labels(refused.reason).inc()
            log.warning("webhook.refused", reason=refused.reason, address=address)
            kind, detail = _REFUSALS[refused.reason]
            raise kind(detail) from refused
        if is_kept:
            metrics.WEBHOOKS_KEPT.inc()
        return Response(b'{"received":true}', media_type="application/json")

    @post(
        ["/webhooks/stripe", "/v1/webhooks/stripe"],
        status_code=200,
        operation_id="stripeWebhook",
        summary="Events of the platform's Stripe account",
        tags=["webhooks"],
    )
    async def stripe_webhook(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await take(keep(request, None), address="platform")

    @post(
        ["/webhooks/stripe/connect", "/v1/webhooks/stripe/connect"],
        status_code=200,
        operation_id="stripeConnectWebhook",
        summary="Events of the Stripe accounts that are connected to the platform's",
        tags=["webhooks"],
    )
    async def stripe_connect_webhook(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await take(keep_connected(request), address="connect")

    @post(
        ["/webhooks/stripe/{config_id:str}", "/v1/webhooks/stripe/{config_id:str}"],
        status_code=200,
        operation_id="stripeAccountWebhook",
        summary="Events of a tenant's Stripe account",
        tags=["webhooks"],
    )
    async def stripe_account_webhook(request: Request[Any, Any, Any], config_id: FromPath[str]) -> Response[bytes]:
        found = parse_id(config_id)
        if found is None:
            raise NotFound("there is no such gateway configuration")
        return await take(keep(request, found), address=config_id)

    handlers: list[Any] = [stripe_webhook, stripe_connect_webhook, stripe_account_webhook]
    return handlers


async def _body(request: Request[Any, Any, Any], bytes_max: int) -> bytes:
    """Read the raw body, and no more than so much of it.

    Raises:
        NotGenuine: `too_large`.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > bytes_max:
                raise NotGenuine("too_large")
            parts.append(part)
    except ClientException as fault:
        raise NotGenuine("too_large") from fault
    return b"".join(parts)
