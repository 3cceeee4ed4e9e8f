"""The Stripe accounts of this place: their keys, adapters, readers and webhook secrets, read when they are needed."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from libs.common.db import Database
from services.gateway.accounts.connect import through_platform
from services.gateway.accounts.domain import Config, ProcessorKind, account_name, config_of, kind_of, route
from services.gateway.accounts.guards import saving_turn, statement_turn
from services.gateway.accounts.remembered import Remembered
from services.gateway.accounts.secrets import KeyRing
from services.gateway.accounts.sql import configs as configs_sql
from services.gateway.errors import ProcessorUnavailable
from services.gateway.processors.port import NotTaken
from services.gateway.processors.stripe import (
    StripeAccount,
    StripeConnections,
    StripeProcessor,
    StripeReader,
    StripeVault,
)
from services.gateway.resilience import READING, AccountGuard, AccountGuards

PLATFORM_TENANT = "00000000-0000-0000-0000-000000000001"
"""Whom the platform's own Stripe account belongs to."""
_ACCOUNTS_MAX = 1_000
"""Accounts whose adapters are kept ready; the one that was used longest ago makes room."""
_TENANTS_MAX = 10_000
"""Tenants whose ways are remembered."""


class WebhookAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends webhooks to one address, and how they are verified."""

    tenant_id: str
    """Whose account it is."""
    name: str
    """The account's name in our books."""
    secrets: tuple[str, ...]
    """The secrets in force."""


class StripeAccounts:
    """The Stripe accounts of this place: the platform's own from the settings, those of tenants from their configurations."""

    def __init__(
        self,
        *,
        connections: StripeConnections,
        platform: StripeAccount | None,
        platform_webhook_secrets: Sequence[str],
        database: Database,
        keyring: KeyRing,
        cache_seconds: float,
        guards: AccountGuards,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._platform = platform
        self._platform_webhook_secrets = tuple(platform_webhook_secrets)
        self._database = database
        self._keyring = keyring
        self._guards = guards
        self._adapters: Remembered[str, StripeProcessor] = Remembered(
            size_max=_ACCOUNTS_MAX, seconds=cache_seconds, monotonic=monotonic
        )
        self._ways: Remembered[str, tuple[Config, ...]] = Remembered(
            size_max=_TENANTS_MAX, seconds=cache_seconds, monotonic=monotonic
        )

    async def choose(self, *, tenant_id: str, currency: str, default: str) -> str:
        """Name the processor that serves a tenant's payments in a currency."""
        configs = self._ways.get(tenant_id)
        if configs is None:
            configs = tuple(await configs_sql.of_tenant(self._database, tenant_id))
            self._ways.put(tenant_id, configs)
        return route(configs, currency=currency, default=default)

    async def adapter(self, name: str) -> StripeProcessor:
        """The adapter of an account, with its key as it stands now, give or take the cache.

        Raises:
            ProcessorUnavailable: when this place does not have the account.
            KeyUnreadable: when its key cannot be opened.
        """
        found = self._adapters.get(name)
        if found is None:
            account = await self._account(name)
            found = StripeProcessor(
                account,
                self._connections.client(account),
                partial(self._count, account),
                partial(self._limited, account),
            )
            self._adapters.put(name, found)
        return found

    async def webhooks(self, config_id: UUID | None) -> WebhookAccount | None:
        """Who sends webhooks to an address: the platform's, or the one of a configuration; None when nobody does."""
        if config_id is None:
            return WebhookAccount(
                tenant_id=PLATFORM_TENANT, name=ProcessorKind.STRIPE, secrets=self._platform_webhook_secrets
            )
        config = await configs_sql.find(self._database, config_id)
        if config is None:
            return None
        secrets = tuple(self._unseal(config, sealed) for sealed in config.sealed_webhook_secrets)
        return WebhookAccount(tenant_id=config.tenant_id, name=config.name, secrets=secrets)

    async def movement(self, name: str, transaction_id: str) -> dict[str, Any] | None:
        """Fetch a balance transaction of an account; None where the account has none of it.

        Raises:
            ProcessorUnavailable: when it cannot be had at the moment.
        """
        return await (await self.reader(name)).movement(transaction_id)

    async def customer_way(self, name: str, payment_ref: str) -> tuple[str, str] | None:
        """Fetch the client secret and the address with which a customer goes on, empty where there is none; None for a
        processor that has no secrets.

        Raises:
            ProcessorUnavailable: when it cannot be had at the moment.
        """
        if kind_of(name) is not ProcessorKind.STRIPE:
            return None
        account = await self._account(name)
        # Somebody waits for it: not in the line of the statement.
        guard = self.guard(name, is_live=account.is_live)
        turn = partial(saving_turn, guard, name)
        return await StripeReader(self._connections.client(account), turn, guard.limited).customer_way(payment_ref)

    async def object(self, name: str, kind: str, reference: str) -> dict[str, Any] | None:
        """Read an object of an account in the pinned version; None where the account has none of it.

        Raises:
            ProcessorUnavailable: when it cannot be had at the moment.
        """
        return await (await self.reader(name)).object(kind, reference)

    async def is_live(self, name: str) -> bool | None:
        """Return the mode of an account's key; None where this place has none.

        Raises:
            KeyUnreadable: when its key cannot be opened.
        """
        try:
            return (await self.adapter(name)).is_live
        except ProcessorUnavailable:
            return None

    async def reader(self, name: str) -> StripeReader:
        """Who reads the statement of an account.

        Raises:
            ProcessorUnavailable: when this place does not have the account.
            KeyUnreadable: when its key cannot be opened.
        """
        account = await self._account(name)
        guard = self.guard(name, is_live=account.is_live)
        return StripeReader(self._connections.client(account), partial(statement_turn, guard), guard.limited)

    async def vault(self, name: str) -> StripeVault:
        """What an account keeps of customers.

        Raises:
            ProcessorUnavailable: when this place does not have the account.
            KeyUnreadable: when its key cannot be opened.
        """
        account = await self._account(name)
        guard = self.guard(name, is_live=account.is_live)
        turn = partial(saving_turn, guard, name)
        return StripeVault(account, self._connections.client(account), turn, guard.limited)

    def guard(self, name: str, *, is_live: bool) -> AccountGuard:
        """What protects one account: its pace and its own circuit."""
        return self._guards.of(name, is_live=is_live)

    @property
    def guards(self) -> list[tuple[str, AccountGuard]]:
        """What protects the accounts that were called, by their name."""
        return self._guards.all()

    async def identify(self, secret_key: str) -> str:
        """Call Stripe for the account of a key; returns the id of the account.

        Raises:
            Invalid: when Stripe refuses the key.
            ProcessorAccountUnreadable: when the key may not read its account.
            ProcessorUnavailable: when Stripe does not.
        """
        account = StripeAccount(name=ProcessorKind.STRIPE, secret_key=secret_key)
        return await StripeProcessor(account, self._connections.client(account)).account_id()

    async def knows(self, secret_key: str, payment_ref: str) -> bool:
        """Call Stripe for whether the account and mode of a key have a payment.

        Raises:
            ProcessorAccountUnreadable: when the key may not read payments.
            ProcessorUnavailable: when Stripe does not answer at the moment.
        """
        account = StripeAccount(name=ProcessorKind.STRIPE, secret_key=secret_key)
        return await StripeProcessor(account, self._connections.client(account)).knows(payment_ref)

    def forget(self, tenant_id: str, config_id: UUID) -> None:
        """Read a configuration anew, and where its tenant's payments go: it has changed in this process."""
        name = account_name(config_id)
        self._adapters.forget(name)
        self._ways.forget(tenant_id)
        self._guards.forget(name)

    def _count(self, account: StripeAccount) -> None:
        self.guard(account.name, is_live=account.is_live).bucket.count()

    def _limited(self, account: StripeAccount, met: NotTaken) -> None:
        """Leave an account alone that an operation has read too often beside its own call."""
        self.guard(account.name, is_live=account.is_live).limited(met, endpoint=READING)

    async def _account(self, name: str) -> StripeAccount:
        config_id = config_of(name)
        if config_id is None:
            if self._platform is None or name != self._platform.name:
                raise ProcessorUnavailable(f"there is no processor {name} in this place")
            return self._platform
        config = await configs_sql.find(self._database, config_id)
        if config is None:
            raise ProcessorUnavailable(f"there is no processor {name} in this place")
        if config.connected_account:
            return through_platform(config, self._platform)
        return StripeAccount(
            name=name,
            secret_key=self._unseal(config, config.sealed_key),
            payment_method=config.payment_method,
            return_url=config.return_url,
        )

    def _unseal(self, config: Config, sealed: bytes) -> str:
        return self._keyring.unseal(sealed, tenant_id=config.tenant_id, owner_id=config.id)
