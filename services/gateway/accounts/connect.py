"""Accounts that are connected to the platform's own: charged through its key, and reported at one endpoint."""

from collections.abc import Sequence

import msgspec

from libs.common.db import Database
from libs.common.errors import Invalid
from services.gateway.accounts.domain import Config
from services.gateway.accounts.sql import configs as configs_sql
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.stripe import StripeAccount, StripeConnections, StripeProcessor


class ConnectedAccounts:
    """What the platform knows of the accounts that are connected to its own."""

    def __init__(
        self,
        *,
        connections: StripeConnections,
        platform: StripeAccount,
        webhook_secrets: Sequence[str],
        database: Database,
    ) -> None:
        self._connections = connections
        self._platform = platform
        self._database = database
        self.webhook_secrets = tuple(webhook_secrets)
        """What the events of all of them are signed with."""

    @property
    def is_live(self) -> bool:
        """Whether they are charged in live mode: as the platform's own key."""
        return self._platform.is_live

    async def mode_of(self, account_id: str) -> bool:
        """See that an account is connected; returns whether it is charged in live mode.

        Raises:
            Invalid: when it is not connected, or is the platform's own.
            ProcessorUnavailable: when Stripe does not answer at the moment.
        """
        # Stripe lets a platform act for itself: as a tenant's, its own account would show that tenant its whole statement.
        if await StripeProcessor(self._platform, self._connections.client(self._platform)).account_id() == account_id:
            what = "must be an account that is connected to the platform's, not the platform's own"
            raise Invalid(f"connected_account {what}", errors=(("/connected_account", what),))
        account = msgspec.structs.replace(self._platform, connected_account=account_id)
        named = await StripeProcessor(account, self._connections.client(account)).account_id()
        if named != account_id:
            raise ProcessorUnavailable(f"Stripe names {named} for the connected account {account_id}")
        return self.is_live

    async def whose(self, account_id: str) -> list[tuple[str, str]]:
        """Read whose an account is: the tenant and the name in attempts of each of its configurations; none of no account."""
        if not account_id:
            # Stripe names the account in each event of a connected one; configurations with keys of their own have none.
            return []
        # Nothing is remembered: an event of a configuration that was added a moment ago would be lost to it.
        return await configs_sql.connected(self._database, account_id)


def through_platform(config: Config, platform: StripeAccount | None) -> StripeAccount:
    """Return what a configuration of a connected account is charged with: the platform's key, and its own all else.

    Raises:
        ProcessorUnavailable: when this place has no platform of Stripe.
    """
    if platform is None:
        raise ProcessorUnavailable("the platform's own key (STRIPE_SECRET_KEY) is not set")
    return StripeAccount(
        name=config.name,
        secret_key=platform.secret_key,
        payment_method=config.payment_method,
        return_url=config.return_url,
        connected_account=config.connected_account,
        application_fee_bps=config.application_fee_bps,
        application_fee_minor=config.application_fee_minor,
        refund_application_fee=config.refund_application_fee,
    )
