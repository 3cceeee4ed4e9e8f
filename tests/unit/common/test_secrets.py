"""Secrets outside local: what stands in this repository, is short or is easily guessed starts no service."""

import re
import secrets as random_secrets
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from deploy.local import published
from libs.common.secrets import PUBLISHED, address_fault, digest, is_secret, secret_fault
from libs.common.settings import SettingsError, load
from services.api.app import check_settings
from services.api.settings import LOCAL_CONSOLE_KEY
from services.api.settings import Settings as ApiSettings
from services.gateway.settings import Settings as GatewaySettings
from services.ledger.settings import Settings as LedgerSettings
from services.notifier.settings import Settings as NotifierSettings

SAFE = {
    "APP_ENV": "production",
    "JWT_SECRET": random_secrets.token_hex(32),
    "ENCRYPTION_KEY": b64encode(random_secrets.token_bytes(32)).decode(),
    "DATABASE_URL": f"postgresql://api_app:{random_secrets.token_hex(16)}@db/payments",
    "RABBITMQ_URL": f"amqp://api:{random_secrets.token_hex(16)}@mq/payments",
}
KINDS: dict[str, type[msgspec.Struct]] = {
    "api": ApiSettings,
    "gateway": GatewaySettings,
    "ledger": LedgerSettings,
    "notifier": NotifierSettings,
}
SECRETS = sorted(published.secrets())
OPEN = {
    *("api_key_mode", "idempotency_key_lifetime_seconds", "token_expires_seconds"),
    *("jwt_public_keys", "api_public_keys", "ledger_public_keys", "orders_routing_keys", "saas_routing_keys"),
}
"""Settings about keys that are none, or may be known to everybody."""


def _groups(kind: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    return [field.type for field in msgspec.structs.fields(kind)]


def faults(service: str = "api", **changes: str) -> list[str]:
    try:
        load(KINDS[service], service=service, environ=SAFE | changes)
    except SettingsError as refused:
        return refused.faults
    return []


def test_committed_list_has_every_secret_of_this_repository() -> None:
    assert PUBLISHED.read_text() == published.listing(SECRETS), "run `just docs`"


@pytest.mark.parametrize("service", KINDS)
def test_random_secrets_are_taken(service: str) -> None:
    assert faults(service) == []


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_of_this_repository_works_outside_local(secret: str) -> None:
    fault = secret_fault("jwt_secret", secret, setting="JWT_SECRET")
    assert fault is not None
    assert fault.startswith("JWT_SECRET stands in the sources")
    assert address_fault(f"amqp://user:{quote(secret, safe='')}@mq", setting="RABBITMQ_URL")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("JWT_SECRET", "local-development-secret-that-everyone-knows", "JWT_SECRET stands in the sources"),
        ("API_JWT_SECRET", "change-me", "API_JWT_SECRET stands in the sources"),
        ("JWT_SECRET", "Zq4v", "JWT_SECRET must have at least 32 characters"),
        ("JWT_SECRET", "a" * 64, "JWT_SECRET repeats the same few characters"),
        ("JWT_SECRET", "0" * 64, "JWT_SECRET repeats"),
        ("JWT_SECRET_PREVIOUS", "ab" * 32, "JWT_SECRET_PREVIOUS repeats"),
        (
            "DATABASE_URL",
            "postgresql://api_app:api_app@db/payments",
            "DATABASE_URL has a password that equals its user",
        ),
        ("API_DATABASE_URL", "postgresql://x:api_app@db/payments", "the password in API_DATABASE_URL stands in"),
        (
            "MIGRATION_DATABASE_URL",
            "postgresql://own%65r:owner@db/p",
            "MIGRATION_DATABASE_URL has a password that equals",
        ),
        ("RABBITMQ_URL", "", "RABBITMQ_URL has a password that equals its user"),
        ("RABBITMQ_URL", "amqp://me:s3cr3t%21@mq/", "the password in RABBITMQ_URL must have at least 12 characters"),
        ("REDIS_URL", "redis://:hunter2@cache/0", "the password in REDIS_URL must have at least 12 characters"),
        ("SEED_OPS_PASSWORD", "ops123", "SEED_OPS_PASSWORD stands in the sources"),
        ("CONSOLE_KEY", b64encode(bytes(32)).decode(), "CONSOLE_KEY repeats the same few characters"),
        ("CONSOLE_KEYS_PREVIOUS", "Zq4v", "CONSOLE_KEYS_PREVIOUS must have at least 32 characters"),
    ],
)
def test_weak_secret_is_refused_in_one_sentence(name: str, value: str, says: str) -> None:
    (fault,) = faults(**{name: value})
    assert fault.startswith(says)
    assert "openssl rand" in fault


@pytest.mark.parametrize("service", ["gateway", "notifier"])
def test_zeroed_encryption_key_is_refused(service: str) -> None:
    (fault,) = faults(service, ENCRYPTION_KEY=b64encode(bytes(32)).decode())
    assert "ENCRYPTION_KEY repeats" in fault
    assert "openssl rand -base64 32" in fault


def test_missing_signing_secret_is_refused() -> None:
    environ = {name: value for name, value in SAFE.items() if name != "JWT_SECRET"}
    with pytest.raises(SettingsError, match="JWT_SECRET must be set outside APP_ENV=local"):
        load(ApiSettings, service="api", environ=environ, check=check_settings)


def test_the_consoles_local_key_is_refused_elsewhere() -> None:
    key = b64encode(random_secrets.token_bytes(32)).decode()
    for changes in (
        {"CONSOLE_KEY": LOCAL_CONSOLE_KEY},
        {"CONSOLE_KEY": key, "CONSOLE_KEYS_PREVIOUS": LOCAL_CONSOLE_KEY},
    ):
        with pytest.raises(SettingsError, match="CONSOLE_KEY stands in the sources"):
            load(ApiSettings, service="api", environ=SAFE | changes, check=check_settings)
    assert (
        load(ApiSettings, service="api", environ=SAFE | {"CONSOLE_KEY": key}, check=check_settings).console_key == key
    )


def test_everything_is_allowed_locally() -> None:
    assert faults(APP_ENV="local", JWT_SECRET="short", RABBITMQ_URL="amqp://guest:guest@mq") == []


def test_address_without_a_password_is_no_secret() -> None:
    assert address_fault("redis://cache:6379/0", setting="REDIS_URL") is None
    assert address_fault("postgresql://api_app@db/payments", setting="DATABASE_URL") is None


def test_secret_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "jwt"
    secret = random_secrets.token_hex(32)
    file.write_text(f"{secret}\n")
    environ = {name: value for name, value in SAFE.items() if name != "JWT_SECRET"}
    settings = load(ApiSettings, service="api", environ=environ | {"JWT_SECRET_FILE": str(file)})
    assert settings.auth.jwt_secret == secret
    (fault,) = faults(JWT_SECRET_FILE=str(file))
    assert fault == "JWT_SECRET and JWT_SECRET_FILE are both set; keep one of them"
    (fault,) = faults(JWT_SECRET="", JWT_SECRET_FILE=str(tmp_path / "missing"))
    assert fault.startswith("JWT_SECRET_FILE names a file that cannot be read")


def test_fields_that_hold_secrets_are_known() -> None:
    assert all(
        map(is_secret, ("jwt_secret", "stripe_webhook_secrets", "encryption_keys_previous", "seed_ops_password"))
    )
    names = {name for kind in KINDS.values() for group in _groups(kind) for name in group.__struct_fields__}
    named = {name for name in names if re.search(r"(?:^|_)(?:keys?|secrets?|passwords?|tokens?)(?:_|$)", name)}
    assert {name for name in named if not is_secret(name)} == OPEN
    assert not any(map(is_secret, ("log_level", "idempotency_ttl_seconds", "stripe_webhook_tolerance_seconds")))
    assert len(digest("x")) == 64
