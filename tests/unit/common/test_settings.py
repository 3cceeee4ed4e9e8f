"""Settings are read from the environment, and all faults are named at once."""

import msgspec
import pytest

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
