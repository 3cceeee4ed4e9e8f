"""Processors' keys at rest, and which configuration a payment takes."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.common.ids import new_id
from services.gateway.accounts import KeyRing, ProcessorKind, config_of
from services.gateway.accounts.domain import Config, account_name, kind_of, route
from services.gateway.errors import KeyUnreadable

OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_what_is_sealed_opens_for_its_own_configuration_alone() -> None:
    ring, config_id = KeyRing(OLD), new_id()
    sealed = ring.seal("sk_live_secret", tenant_id="a", owner_id=config_id)
    assert b"sk_live" not in sealed
    assert ring.unseal(sealed, tenant_id="a", owner_id=config_id) == "sk_live_secret"
    for tenant_id, other in [("b", config_id), ("a", new_id())]:
        with pytest.raises(KeyUnreadable):
            ring.unseal(sealed, tenant_id=tenant_id, owner_id=other)


def test_a_master_key_rotates_without_losing_what_it_sealed() -> None:
    config_id = new_id()
    sealed = KeyRing(OLD).seal("sk_live_secret", tenant_id="a", owner_id=config_id)
    rotated = KeyRing(NEW, [OLD])
    assert rotated.unseal(sealed, tenant_id="a", owner_id=config_id) == "sk_live_secret"
    assert not rotated.is_current(sealed)
    assert rotated.is_current(rotated.seal("x", tenant_id="a", owner_id=config_id))
    with pytest.raises(KeyUnreadable):
        KeyRing(NEW).unseal(sealed, tenant_id="a", owner_id=config_id)


def test_what_an_earlier_version_has_sealed_still_opens() -> None:
    sealed = bytes.fromhex(
        "0104fbca135b042fb4a8cd3aa55e2e89e885eb5aeb422fc40730c093581cd76bfe8bc903be04d6d5072d15f8383fe0a011d4b7"
    )
    assert KeyRing(OLD).unseal(sealed, tenant_id="a", owner_id=UUID(int=7)) == "sk_live_secret"
    assert KeyRing(OLD).is_current(sealed)


def a_config(
    *currencies: str, age: int = 0, is_deleted: bool = False, kind: ProcessorKind = ProcessorKind.STRIPE
) -> Config:
    return Config(
        tenant_id="a",
        id=new_id(),
        processor=kind,
        currencies=currencies,
        sealed_key=b"",
        key_last4="",
        sealed_webhook_secrets=(),
        webhook_last4="",
        payment_method="",
        return_url="",
        created_at=AT - timedelta(days=age),
        updated_at=AT,
        deleted_at=AT if is_deleted else None,
    )


def test_newest_route_of_the_currency_wins_over_routes_without_one() -> None:
    newest, euros, older, everything = a_config("BRL"), a_config("EUR", "USD"), a_config("BRL"), a_config()
    configs = [newest, euros, older, everything]
    assert route(configs, currency="BRL", default="sandbox") == newest.name
    assert route(configs, currency="USD", default="sandbox") == euros.name
    assert route(configs, currency="JPY", default="sandbox") == everything.name
    assert route([euros], currency="JPY", default="sandbox") == "sandbox"
    assert route([a_config(is_deleted=True)], currency="JPY", default="stripe") == "stripe"
    assert route([a_config(kind=ProcessorKind.SANDBOX)], currency="JPY", default="stripe") == "sandbox"


def test_a_name_tells_kind_and_account() -> None:
    config_id = UUID("0190f3a4-5b6c-7d8e-9f01-23456789abe1")
    assert config_of(account_name(config_id)) == config_id
    assert kind_of(account_name(config_id)) is ProcessorKind.STRIPE
    assert config_of("stripe") is None
    assert config_of("stripe:nonsense") is None
    assert kind_of("adyen") is None
