"""The notifier refuses to start with settings that would lose or leak something, in one sentence each."""

import base64
import os

import pytest

from libs.common.settings import SettingsError, load
from services.notifier.settings import LOCAL_ENCRYPTION_KEY, Settings, check_settings


def read(**environ: str) -> Settings:
    return load(Settings, service="notifier", environ=environ, check=check_settings)


def test_local_development_needs_nothing() -> None:
    settings = read()
    assert settings.sealing_key == LOCAL_ENCRYPTION_KEY
    assert settings.http.http_port == 8003


def test_elsewhere_a_key_is_required() -> None:
    with pytest.raises(SettingsError, match=r"ENCRYPTION_KEY.*must be set"):
        read(APP_ENV="production")
    with pytest.raises(SettingsError, match="ENCRYPTION_KEY stands in the sources"):
        read(APP_ENV="production", ENCRYPTION_KEY=LOCAL_ENCRYPTION_KEY)
    key = base64.b64encode(os.urandom(32)).decode()
    broker = f"amqp://notifier:{key[:20].replace('/', 'x')}@mq/"
    assert read(APP_ENV="production", NOTIFIER_ENCRYPTION_KEY=key, RABBITMQ_URL=broker).sealing_key == key


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENCRYPTION_KEY", "short"),
        ("ENCRYPTION_KEYS_PREVIOUS", base64.b64encode(b"x" * 31).decode()),
        ("WEBHOOK_RETRY_SCHEDULE", "0s,5s"),
        ("WEBHOOK_RETRY_SCHEDULE", "0s,5s,later"),
        ("WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/8,here"),
        ("WEBHOOK_DENIED_NETWORKS", "10.0.0.1/8"),
        ("WEBHOOK_LEASE_SECONDS", "20"),
        ("WEBHOOK_RETRY_JITTER", "1"),
        ("WEBHOOK_IN_FLIGHT_MAX", "0"),
        ("WEBHOOK_TIMEOUT_SECONDS", "soon"),
    ],
)
def test_a_faulty_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read(**{name: value})


def test_a_schedule_of_ones_own_is_read() -> None:
    assert read(WEBHOOK_RETRY_SCHEDULE="0s, 10s ,1h").webhooks.webhook_retry_schedule == ("0s", "10s", "1h")
