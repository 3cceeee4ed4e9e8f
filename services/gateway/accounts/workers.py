"""What runs on a clock for accounts: finding out whose a Stripe account is, and sealing keys again."""

from libs.common.errors import PlatformError
from libs.common.observability.logging import get_logger
from libs.common.service import Worker
from services.gateway.accounts.commands import Configs
from services.gateway.accounts.stripe_accounts import PLATFORM_TENANT
from services.gateway.settings import StripeSettings

log = get_logger("gateway.workers")

_RESEAL_EVERY_SECONDS = 600.0
"""How often keys are looked for that an earlier master key sealed."""
_LOOK_UP_EVERY_SECONDS = 600.0
"""How often Stripe is called for the accounts of configurations that are not known yet."""


def account_workers(configs: Configs, *, settings: StripeSettings) -> list[Worker]:
    """List what is done about accounts on our own clock."""

    async def look_up() -> None:
        if settings.stripe_secret_key:
            try:
                await configs.own_platform_account(settings.stripe_secret_key, tenant_id=PLATFORM_TENANT)
            except PlatformError as fault:
                log.warning("stripe.platform_account_unknown", reason=fault.detail)
        await configs.look_up_accounts()

    return [
        Worker(
            name="look up stripe accounts",
            every_seconds=_LOOK_UP_EVERY_SECONDS,
            run=look_up,
            is_due_at_start=True,
        ),
        Worker(name="seal keys anew", every_seconds=_RESEAL_EVERY_SECONDS, run=configs.reseal),
    ]
