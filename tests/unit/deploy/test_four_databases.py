"""A database for each service: what `just up --profile four-databases` makes of the settings, and keeps for later commands."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.local import environment, lifecycle, records
from deploy.local.bootstrap import SERVICES, leave
from deploy.local.errors import LocalFailure
from deploy.local.layout import layout
from deploy.local.records import Record, Server, Servers
from deploy.local.secretkeys import keys

pytestmark = pytest.mark.unit

SERVER = Server(kind="native", url="postgresql://postgres@127.0.0.1:55432/postgres", port=55432)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell without settings."""
    for name in environment.placeholder_environment():
        monkeypatch.delenv(name, raising=False)


def databases(env: dict[str, str]) -> dict[str, str]:
    """The database of each role."""
    found = {}
    for service in SERVICES:
        for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL"):
            address = urlsplit(env[f"{service.upper()}_{name}"])
            found[str(address.username)] = address.path
    return found


def test_each_service_has_a_database_of_its_own_where_chosen(tmp_path: Path) -> None:
    place = layout("dev", tmp_path)
    found = Servers(profile="dev", root=str(tmp_path), postgres=SERVER, redis=SERVER, rabbitmq=SERVER)
    roles = [f"{service}_{kind}" for service in SERVICES for kind in ("app", "owner")]
    for is_split in (False, True, False):
        lifecycle.choose_databases(place, is_split=is_split)
        # A server that starts again leaves it as it is.
        records.remember(place, "postgres", SERVER)
        assert records.read(place) == Record(
            profile="dev",
            root=str(tmp_path),
            servers={"postgres": SERVER},
            ports={"postgres": 55432},
            preferred={"postgres": place.preferred_port("postgres")},
            is_split=is_split,
        )
        expected = {role: f"/payments_{role.partition('_')[0]}" if is_split else "/payments" for role in roles}
        assert databases(environment.full_environment(place, found, keys(place))) == expected


def test_an_address_of_ones_own_is_not_overridden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_DATABASE_URL", "postgresql://ledger_app@db.internal/books")
    with pytest.raises(LocalFailure, match="LEDGER_DATABASE_URL names a database already"):
        lifecycle.choose_databases(layout("dev", tmp_path), is_split=True)


def test_the_others_are_left_out_of_a_services_database() -> None:
    others = "api_owner, api_app, gateway_owner, gateway_app, notifier_owner, notifier_app"
    assert leave("ledger", "payments_ledger") == (
        f'DROP SCHEMA api, gateway, notifier RESTRICT; REVOKE ALL ON DATABASE "payments_ledger" FROM {others};'
    )
