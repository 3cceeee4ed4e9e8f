"""What runs on a clock for accounts: finding out whose a Stripe account is, sealing keys again, and reporting circuits."""

import os
import socket

from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import PlatformError
from libs.common.observability.logging import get_logger
from libs.common.service import Worker
from services.gateway.accounts.commands import Configs
from services.gateway.accounts.routing import PlaceCircuits
from services.gateway.accounts.sql import circuits
from services.gateway.accounts.stripe_accounts import PLATFORM_TENANT
from services.gateway.settings import StripeSettings

log = get_logger("gateway.workers")

_RESEAL_EVERY_SECONDS = 600.0
"""How often keys are looked for that an earlier master key sealed."""
_LOOK_UP_EVERY_SECONDS = 600.0
"""How often Stripe is called for the accounts of configurations that are not known yet."""


_REPORT_EVERY_SECONDS = 5.0
"""How often a process reports which processors it calls."""


def account_workers(
    configs: Configs, seen: PlaceCircuits, *, database: Database, clock: Clock, settings: StripeSettings
) -> list[Worker]:
    """List what is done about accounts on our own clock."""
    process = f"{socket.gethostname()}:{os.getpid()}"

    async def report() -> None:
        await circuits.report(database, seen.seen(), process=process, at=clock.now())

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
        Worker(name="report circuits", every_seconds=_REPORT_EVERY_SECONDS, run=report, is_due_at_start=True),
    ]
