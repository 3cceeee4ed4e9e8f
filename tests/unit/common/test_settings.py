"""Settings are read from the environment, and all faults are named at once."""

from pathlib import Path

import msgspec
import pytest

from libs.common import setting_names
from libs.common.settings import DatabaseSettings, HttpSettings, SettingsError, load, postgres_dsn


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a service that exists only here."""

    http: HttpSettings
    database: DatabaseSettings
    secret: str
    enabled: bool = False
    schedule: tuple[int, ...] = (1, 2)


def test_own_variable_wins_over_the_common_one() -> None:
    settings = load(
        Sample,
        service="api",
        environ={"SECRET": "common", "API_SECRET": "own", "HTTP_PORT": "9000", "API_HTTP_PORT": "9001"},
    )
    assert settings.secret == "own"
    assert settings.http.http_port == 9001


def test_empty_means_default_and_unknown_is_ignored() -> None:
    settings = load(Sample, service="api", environ={"SECRET": "x", "ENABLED": "", "SCHEDULE": "", "NOBODY": "knows"})
    assert settings.enabled is False
    assert settings.schedule == (1, 2)


def test_switches_and_lists_are_read() -> None:
    settings = load(Sample, service="api", environ={"SECRET": "x", "ENABLED": "Yes", "SCHEDULE": "0, 5,60"})
    assert settings.enabled is True
    assert settings.schedule == (0, 5, 60)


def test_all_faults_are_reported_at_once_and_name_the_setting() -> None:
    with pytest.raises(SettingsError) as wrong:
        load(Sample, service="api", environ={"API_HTTP_PORT": "eighty", "ENABLED": "maybe", "DATABASE_POOL_SIZE": "x"})
    faults = wrong.value.faults
    assert len(faults) == 4
    assert any(fault.startswith("API_HTTP_PORT") for fault in faults)
    assert any(fault.startswith("ENABLED") for fault in faults)
    assert any(fault.startswith("DATABASE_POOL_SIZE") for fault in faults)
    assert "SECRET is not set (or API_SECRET)" in faults


def test_check_adds_faults_that_need_several_fields() -> None:
    with pytest.raises(SettingsError, match="JWT_SECRET is too short"):
        load(Sample, service="api", environ={"SECRET": "x"}, check=lambda _: ["JWT_SECRET is too short"])


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:p@h/d", "postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d", "postgresql+asyncpg://u:p@h/d"],
)
def test_database_urls_of_other_libraries_are_understood(url: str) -> None:
    assert postgres_dsn(url) == "postgresql://u:p@h/d"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("JWT_SECRT", "JWT_SECRET"),
        ("JWT_SERCET", "JWT_SECRET"),
        ("JWT_SECRT_FILE", "JWT_SECRET_FILE"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("DATABSE_POOL_SIZE", "DATABASE_POOL_SIZE"),
        ("API_LOG_LEVL", "API_LOG_LEVEL"),
        ("WEBHOK_TIMEOUT_SECOND", "WEBHOOK_TIMEOUT_SECONDS"),
        ("TOKEN_EXPIRE_SECONDS", "TOKEN_EXPIRES_SECONDS"),
        ("GATEWAY_PROVIDR", "GATEWAY_PROVIDER"),
    ],
)
def test_a_misspelled_setting_keeps_every_service_from_starting(written: str, meant: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(Sample, service="ledger", environ={"SECRET": "x", written: "1"})
    assert refused.value.faults == [f"{written} is no setting: it must be called {meant}, or not be set"]


@pytest.mark.parametrize(
    ("written", "nearest"),
    [("JWT_KEY_FOLDER", "JWKS_ISSUER"), ("API_PORT", "API_HTTP_PORT"), ("WEBHOOK_TIMEOUT", "WEBHOOK_TIMEOUT_SECONDS")],
)
def test_a_name_that_begins_like_a_setting_is_a_warning(written: str, nearest: str) -> None:
    environ = {"SECRET": "x", written: "1"}
    load(Sample, service="api", environ=environ)
    (warning,) = setting_names.unknown(environ)
    assert warning.startswith(f"{written} is no setting and nothing reads it; the nearest name of one is ")
    assert warning.endswith(nearest) or written.startswith("JWT")


def test_what_others_set_is_nobodys_business() -> None:
    environ = {
        "PATH": "/bin",
        "HTTP_PROXY": "http://proxy:3128",
        "HTTPS_PROXY": "http://proxy:3128",
        "APP_NAME": "shop",
        "POSTGRES_HOST": "db",
        "API_SERVICE_HOST": "10.0.0.1",
        "API_SERVICE_PORT_HTTP": "80",
        "API_PORT": "tcp://10.0.0.1:80",
        "API_PORT_80_TCP_ADDR": "10.0.0.1",
        "WEBHOOK_TIMEOUT": "",
        "PAYMENTS_ENV_READY": "1",
        "LEDGER_LOG_LEVEL": "INFO",
        "WEBHOOK_RETRY_SCHEDULE_FILE": "/run/schedule",
        "POSTGRES_PORT": "5432",
    }
    assert [*setting_names.misspelled(environ), *setting_names.unknown(environ)] == []


@pytest.mark.parametrize("name", ["DATABASE_PASSWORD", "API_DATABASE_PASSWORD"])
def test_a_password_of_any_characters_goes_into_the_address(name: str, tmp_path: Path) -> None:
    any_characters = " a@b:c/d%41?e#f é$\"'+& "
    url = "postgresql://app:x@db:5432/payments?sslmode=require"
    escaped = "%20a%40b%3Ac%2Fd%2541%3Fe%23f%20%C3%A9%24%22%27%2B%26%20"
    expected = f"postgresql://app:{escaped}@db:5432/payments?sslmode=require"
    assert (
        load(DatabaseSettings, service="api", environ={"DATABASE_URL": url, name: any_characters}).database_url
        == expected
    )
    file = tmp_path / "mounted"
    file.write_text(any_characters + "\n", encoding="utf-8")
    environ = {"API_DATABASE_URL": url, f"{name}_FILE": str(file)}
    assert load(DatabaseSettings, service="api", environ=environ).database_url == expected


@pytest.mark.parametrize("written", ["aB/c+d=", "a?b", "12#34", "1/2@3", "a b/"])
def test_address_with_an_unescaped_password_is_refused_without_showing_it(written: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(
            DatabaseSettings,
            service="api",
            environ={"API_DATABASE_URL": f"postgresql://app:{written}@db:5432/payments"},
        )
    (fault,) = refused.value.faults
    assert fault.startswith("API_DATABASE_URL must be an address such as postgresql://")
    assert "API_DATABASE_PASSWORD" in fault
    assert written not in fault


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app@h1:5432,h2:5433/payments?target_session_attrs=primary",
        "postgresql:///payments?host=/run/postgresql",
        "postgresql+asyncpg://app@[::1]:5432/payments",
    ],
)
def test_addresses_that_postgresql_takes_are_taken(url: str) -> None:
    assert load(DatabaseSettings, service="api", environ={"DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize(
    "url", ["db:5432", "mysql://db/x", "postgresql://db:99999/x", "postgresql://[::1/x", "//", "x"]
)
def test_what_is_no_address_of_postgresql_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL must be an address such as postgresql://"):
        load(DatabaseSettings, service="api", environ={"DATABASE_URL": url})
