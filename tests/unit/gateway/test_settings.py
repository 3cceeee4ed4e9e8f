"""The gateway's settings: the names that operators know, and combinations that must not start."""

import pytest

from libs.common.settings import SettingsError, load
from services.gateway.settings import Settings, check_settings


def read(**environ: str) -> Settings:
    return load(Settings, service="gateway", environ=environ, check=check_settings)


def test_the_defaults_make_sense() -> None:
    settings = read()
    assert settings.http.http_port == 8002
    assert settings.processor.provider == "sandbox"


def test_the_names_that_operators_know_are_read() -> None:
    settings = read(
        GATEWAY_PROVIDER="fake",
        GATEWAY_MAX_RETRIES="5",
        GATEWAY_RETRY_BASE_DELAY="1.0",
        GATEWAY_RETRY_MAX_DELAY="30.0",
        CIRCUIT_BREAKER_FAILURE_THRESHOLD="5",
        CIRCUIT_BREAKER_RECOVERY_TIMEOUT="60",
        UNKNOWN_SCHEDULE_SECONDS="1,2,3",
    )
    assert settings.processor.max_retries == 5
    assert settings.processor.retry_max_delay == 30
    assert settings.processor.circuit_breaker_recovery_timeout == 60
    assert settings.resolution.unknown_schedule_seconds == (1, 2, 3)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GATEWAY_PROVIDER", "paypal", "GATEWAY_PROVIDER must be one of"),
        ("PROCESSOR_DEADLINE_SECONDS", "1", "PROCESSOR_DEADLINE_SECONDS must not be less"),
        ("ATTEMPT_LEASE_SECONDS", "2", "ATTEMPT_LEASE_SECONDS must be a number from 3 to"),
        ("UNKNOWN_SCHEDULE_SECONDS", "5,5", "rising numbers"),
        ("UNKNOWN_SCHEDULE_SECONDS", "5,90000", "a forgotten key charges twice"),
        ("CIRCUIT_BREAKER_FAILURE_THRESHOLD", "0", "must be a whole number from 1 to"),
        ("GATEWAY_MAX_RETRIES", "-1", "must be a whole number from 0 to"),
    ],
)
def test_a_combination_that_cannot_work_is_named(name: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        read(**{name: value})


def test_default_payment_method_is_for_test_mode_alone() -> None:
    read(STRIPE_SECRET_KEY="sk_test_1234", STRIPE_PAYMENT_METHOD="pm_card_visa")
    read(STRIPE_SECRET_KEY="rk_live_1234")
    for key in ("sk_live_1234", "rk_live_1234"):
        with pytest.raises(SettingsError, match="STRIPE_PAYMENT_METHOD must be empty"):
            read(STRIPE_SECRET_KEY=key, STRIPE_PAYMENT_METHOD="pm_card_visa")
