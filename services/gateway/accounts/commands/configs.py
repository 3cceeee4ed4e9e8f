"""Through which processor account a tenant charges: added, rotated and taken away; keys are sealed at once."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from libs.common.clock import Clock
from libs.common.contracts.gateway_errors import (
    DefaultPaymentMethodLive,
    GatewayConfigConflict,
    GatewayConfigNotFound,
)
from libs.common.contracts.gateway_requests import (
    AddGatewayConfig,
    DeleteGatewayConfig,
    GatewayConfig,
    GatewayConfigDeleted,
    RotateGatewayKeys,
)
from libs.common.db import Database
from libs.common.errors import Invalid, PlatformError
from libs.common.money import is_currency
from libs.common.observability.logging import get_logger
from services.gateway.accounts.domain import Config, Ownership, ProcessorKind, is_live, of_another_account, shown
from services.gateway.accounts.secrets import KeyRing
from services.gateway.accounts.sql import configs as configs_sql
from services.gateway.errors import KeyUnreadable

log = get_logger("gateway.configs")

_LOOKED_UP_MAX = 50
"""Accounts that one round calls Stripe for."""
_SECRET_KEY = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]{8,240}\Z", re.ASCII)
_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9_+/=-]{8,240}\Z", re.ASCII)
_PAYMENT_METHOD = re.compile(r"pm_[A-Za-z0-9_]{1,250}\Z", re.ASCII)
_WEBHOOK_SECRETS_KEPT = 2
"""The current secret and the one before it, as Stripe signs with both while one is rolled."""
_ACCOUNT = re.compile(r"acct_[A-Za-z0-9]{8,240}\Z", re.ASCII)
_FEE_BPS_MAX = 10_000
"""All of it."""
_FEE_MINOR_MAX = 99_999_999
"""Stripe's largest charge."""
_RETURN_URL_MAX = 2_000


class Configs:
    """Decides about configurations."""

    def __init__(
        self,
        *,
        database: Database,
        keyring: KeyRing,
        clock: Clock,
        identify: Callable[[str], Awaitable[str]] | None = None,
        knows: Callable[[str, str], Awaitable[bool]] | None = None,
        mode_of: Callable[[str], Awaitable[bool]] | None = None,
    ) -> None:
        """`identify` calls Stripe for the account of a key; without it, which account a configuration has is left to be looked up.

        `knows` calls Stripe for whether a key's account has a payment; `mode_of` sees that an account is connected to the
        platform, and returns whether it is charged in live mode.
        """
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._identify = identify
        self._knows = knows
        self._mode_of = mode_of
        self._looked_up = UUID(int=0)

    async def add(self, request: AddGatewayConfig) -> GatewayConfig:
        """Let a tenant charge through an account of its own; the same id and content again is success.

        Raises:
            Invalid: naming what cannot be.
            DefaultPaymentMethodLive: when a payment method is named for live mode.
            GatewayConfigConflict: when the id is taken by other content, or the account by another configuration.
            ProcessorUnavailable: when Stripe does not name the account of the key.
        """
        kind = _checked(request)
        now = self._clock.now()

        def seal(secret: str) -> bytes:
            return (
                self._keyring.seal(secret, tenant_id=request.tenant_id, owner_id=request.config_id) if secret else b""
            )

        config = Config(
            tenant_id=request.tenant_id,
            id=request.config_id,
            processor=kind,
            currencies=tuple(dict.fromkeys(request.currencies)),
            sealed_key=seal(request.secret_key),
            key_last4=request.secret_key[-4:],
            sealed_webhook_secrets=(seal(request.webhook_secret),) if request.webhook_secret else (),
            webhook_last4=request.webhook_secret[-4:],
            payment_method=request.payment_method,
            return_url=request.return_url,
            connected_account=request.connected_account,
            application_fee_bps=request.application_fee_bps,
            application_fee_minor=request.application_fee_minor,
            refund_application_fee=request.refund_application_fee,
            created_at=now,
            updated_at=now,
        )
        owned = await self._owned(config, request.secret_key)
        _check_default(request.payment_method, is_of_live=owned is not None and owned.is_live)
        if await configs_sql.add(self._database, config, owned):
            return shown(config)
        known = await configs_sql.find(self._database, request.config_id)
        if known is None or known.tenant_id != request.tenant_id or shown(known) != _as_of(config, known):
            raise GatewayConfigConflict(f"the gateway configuration {request.config_id} exists with other content")
        return shown(known)

    async def rotate(self, request: RotateGatewayKeys) -> GatewayConfig:
        """Replace the keys of the same account; what is empty stays.

        Raises:
            Invalid: when nothing is replaced, or a key cannot be one.
            GatewayConfigNotFound: when the tenant has no such configuration.
            GatewayConfigConflict: when another configuration has the account of the new key, or the keys were changed at
                the same time.
            ProcessorAccountChanged: when the new key is of another account or mode.
            ProcessorAccountUnreadable: when Stripe does not let the new key read its account.
            ProcessorUnavailable: when Stripe does not name the account of the new key.
        """
        known = await configs_sql.find(self._database, request.config_id)
        if known is None or known.tenant_id != request.tenant_id or known.deleted_at is not None:
            raise GatewayConfigNotFound(f"there is no gateway configuration {request.config_id}")
        violations = _keys_violations(request.secret_key, request.webhook_secret)
        if (
            known.processor is ProcessorKind.SANDBOX
            or known.connected_account
            or not (request.secret_key or request.webhook_secret)
        ):
            violations.append(("/secret_key", "must be given, or webhook_secret, of a configuration that has keys"))
        _refuse(violations)
        changes: dict[str, object] = {"updated_at": self._clock.now()}
        if request.secret_key:
            changes["sealed_key"] = self._keyring.seal(
                request.secret_key, tenant_id=request.tenant_id, owner_id=request.config_id
            )
            changes["key_last4"] = request.secret_key[-4:]
        # The secret that is there already is not its own predecessor: the request came twice.
        if request.webhook_secret and request.webhook_secret != self._current_webhook_secret(known):
            sealed = self._keyring.seal(request.webhook_secret, tenant_id=request.tenant_id, owner_id=request.config_id)
            changes["sealed_webhook_secrets"] = (sealed, *known.sealed_webhook_secrets)[:_WEBHOOK_SECRETS_KEPT]
            changes["webhook_last4"] = request.webhook_secret[-4:]
        owned = await self._owned(known, request.secret_key)
        if owned is not None:
            await self._check_account(known, owned, request.secret_key)
        rotated = await configs_sql.rotate(self._database, msgspec.structs.replace(known, **changes), owned, was=known)
        if rotated is None:
            raise GatewayConfigConflict(
                f"the keys of the gateway configuration {request.config_id} were changed at the same time"
            )
        return shown(rotated)

    async def _check_account(self, config: Config, owned: Ownership, secret_key: str) -> None:
        """See that a new key is of the account of the key before it where that was never known; else the database does.

        By the key before, and where Stripe takes that no more, by a payment that went this way. Without any payment
        there is nothing that a key of another account could lose.
        """
        if await configs_sql.account_of(self._database, config) is not None:
            return
        try:
            before = self._keyring.unseal(config.sealed_key, tenant_id=config.tenant_id, owner_id=config.id)
            earlier = await self._owned(config, before)
        except (Invalid, KeyUnreadable):
            payment = await configs_sql.payment_of(self._database, config)
            if payment and self._knows is not None and not await self._knows(secret_key, payment):
                raise of_another_account() from None
            return
        if earlier != owned:
            raise of_another_account()

    async def _owned(self, config: Config, secret_key: str) -> Ownership | None:
        """Call Stripe for the account of a new key; None where there is none. Never called inside a transaction."""
        if config.connected_account:
            if self._mode_of is None:
                _refuse([("/connected_account", "needs the platform's own key (STRIPE_SECRET_KEY)")])
            assert self._mode_of is not None
            return Ownership(
                account_id=config.connected_account,
                is_live=await self._mode_of(config.connected_account),
                tenant_id=config.tenant_id,
                processor=config.name,
            )
        if self._identify is None or not secret_key or config.processor is not ProcessorKind.STRIPE:
            return None
        return Ownership(
            account_id=await self._identify(secret_key),
            is_live=is_live(secret_key),
            tenant_id=config.tenant_id,
            processor=config.name,
        )

    async def look_up_accounts(self) -> int:
        """Find out the accounts of configurations that are older than the question; returns how many were looked at.

        One that shares its account with another goes on as it is, and is an error in the log: only its tenant can decide
        which of the two is to go.
        """
        configs = await configs_sql.unidentified(self._database, after=self._looked_up, limit=_LOOKED_UP_MAX)
        for config in configs:
            try:
                key = ""
                if config.sealed_key:
                    key = self._keyring.unseal(config.sealed_key, tenant_id=config.tenant_id, owner_id=config.id)
                if (owned := await self._owned(config, key)) is not None:
                    await configs_sql.own(self._database, owned, at=self._clock.now())
            except GatewayConfigConflict as fault:
                log.error(
                    "stripe.account_shared", tenant_id=config.tenant_id, config=str(config.id), reason=fault.detail
                )
            except PlatformError as fault:
                log.warning(
                    "stripe.account_unknown", tenant_id=config.tenant_id, config=str(config.id), reason=fault.detail
                )
        self._looked_up = configs[-1].id if len(configs) == _LOOKED_UP_MAX else UUID(int=0)
        return len(configs)

    async def own_platform_account(self, secret_key: str, *, tenant_id: str) -> None:
        """Note the platform's own account, so that no tenant adds it."""
        assert self._identify is not None
        owned = Ownership(
            account_id=await self._identify(secret_key),
            is_live=is_live(secret_key),
            tenant_id=tenant_id,
            processor=ProcessorKind.STRIPE,
        )
        await configs_sql.own(self._database, owned, at=self._clock.now())

    def _current_webhook_secret(self, config: Config) -> str:
        if not config.sealed_webhook_secrets:
            return ""
        try:
            return self._keyring.unseal(
                config.sealed_webhook_secrets[0], tenant_id=config.tenant_id, owner_id=config.id
            )
        except KeyUnreadable:
            return ""

    async def reseal(self) -> int:
        """Seal with the current master key what an earlier one sealed, so that the earlier one can go; returns how many.

        What no key of the ring opens stays as it is, and is named in the log.
        """
        count = 0
        for config in await configs_sql.everything(self._database):
            sealed = [config.sealed_key, *config.sealed_webhook_secrets]
            try:
                anew = [self._anew(config, each) for each in sealed]
            except KeyUnreadable as fault:
                log.error(
                    "gateway_key.unreadable", tenant_id=config.tenant_id, config_id=str(config.id), reason=fault.detail
                )
                continue
            if anew == sealed:
                continue
            changed = msgspec.structs.replace(config, sealed_key=anew[0], sealed_webhook_secrets=tuple(anew[1:]))
            count += await configs_sql.reseal(self._database, changed, was=config)
        return count

    def _anew(self, config: Config, sealed: bytes) -> bytes:
        return self._keyring.reseal(sealed, tenant_id=config.tenant_id, owner_id=config.id) if sealed else sealed

    async def delete(self, request: DeleteGatewayConfig) -> GatewayConfigDeleted:
        """Send no new payment this way; payments that went it are still captured and refunded by it.

        Raises:
            GatewayConfigNotFound: when the tenant has no such configuration.
        """
        if not await configs_sql.delete(
            self._database, tenant_id=request.tenant_id, config_id=request.config_id, at=self._clock.now()
        ):
            raise GatewayConfigNotFound(f"there is no gateway configuration {request.config_id}")
        return GatewayConfigDeleted(id=request.config_id)


def _as_of(config: Config, known: Config) -> GatewayConfig:
    return shown(msgspec.structs.replace(config, created_at=known.created_at, updated_at=known.updated_at))


def _checked(request: AddGatewayConfig) -> ProcessorKind:
    violations = [
        (f"/currencies/{i}", "must be an active ISO 4217 code in upper case")
        for i, code in enumerate(request.currencies)
        if not is_currency(code)
    ]
    try:
        kind = ProcessorKind(request.processor)
    except ValueError:
        _refuse([("/processor", f"must be one of {', '.join(ProcessorKind)}"), *violations])
        raise
    violations += _keys_violations(request.secret_key, request.webhook_secret)
    if kind is ProcessorKind.SANDBOX and (request.secret_key or request.webhook_secret):
        violations.append(("/secret_key", "must be empty: the sandbox has no keys"))
    violations += _connect_violations(request, kind)
    if request.payment_method and not _PAYMENT_METHOD.match(request.payment_method):
        violations.append(("/payment_method", "must be a payment method of the processor, such as pm_card_visa"))
    if request.return_url and not _is_url(request.return_url):
        violations.append(("/return_url", "must be an absolute http or https URL"))
    _refuse(violations)
    _check_default(request.payment_method, is_of_live=is_live(request.secret_key))
    return kind


def _check_default(payment_method: str, *, is_of_live: bool) -> None:
    """Refuse a payment method that all payments would share: Stripe's test methods do not exist in live mode, and a
    customer's own can be charged once, by that customer (https://docs.stripe.com/payments/payment-methods)."""
    if payment_method and is_of_live:
        what = "must be empty in live mode: name the payment method in each payment intent"
        raise DefaultPaymentMethodLive(f"payment_method {what}", errors=(("/payment_method", what),))


def _connect_violations(request: AddGatewayConfig, kind: ProcessorKind) -> list[tuple[str, str]]:
    violations = []
    if request.connected_account:
        if kind is not ProcessorKind.STRIPE or not _ACCOUNT.match(request.connected_account):
            violations.append(("/connected_account", "must be an account of Stripe: acct_..."))
        if request.secret_key or request.webhook_secret:
            violations.append(("/secret_key", "must be empty, as webhook_secret, where connected_account is given"))
    elif kind is ProcessorKind.STRIPE and not request.secret_key:
        violations.append(("/secret_key", "is required"))
    bps, minor = request.application_fee_bps, request.application_fee_minor
    if (bps or minor) and not request.connected_account:
        violations.append(("/application_fee_bps", "is taken through a connected account only"))
    if request.refund_application_fee and not request.connected_account:
        violations.append(("/refund_application_fee", "is for a connected account only"))
    if not 0 <= bps <= _FEE_BPS_MAX:
        violations.append(("/application_fee_bps", f"must be 0 to {_FEE_BPS_MAX}"))
    if not 0 <= minor <= _FEE_MINOR_MAX:
        violations.append(("/application_fee_minor", f"must be 0 to {_FEE_MINOR_MAX}"))
    return violations


def _keys_violations(secret_key: str, webhook_secret: str) -> list[tuple[str, str]]:
    violations = []
    if secret_key and not _SECRET_KEY.match(secret_key):
        violations.append(("/secret_key", "must be a secret or restricted key of Stripe: sk_..., rk_..."))
    if webhook_secret and not _WEBHOOK_SECRET.match(webhook_secret):
        violations.append(("/webhook_secret", "must be a signing secret of Stripe: whsec_..."))
    return violations


def _refuse(violations: list[tuple[str, str]]) -> None:
    if violations:
        where, what = violations[0]
        detail = f"{where.lstrip('/')} {what}" if len(violations) == 1 else "the gateway configuration is invalid"
        raise Invalid(detail, errors=tuple(violations))


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and len(text) <= _RETURN_URL_MAX
            and text.isprintable()
        )
    except ValueError:
        return False
