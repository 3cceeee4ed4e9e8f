"""Every setting of every service: what it may be, the error for anything else, and that it arrives."""

import importlib
import math
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from enum import StrEnum
from secrets import token_bytes, token_hex
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from deploy.local import names
from deploy.local.bootstrap import SERVICES
from deploy.local.layout import ROOT
from libs.common import setting_names
from libs.common.secrets import is_secret
from libs.common.setting_values import convert
from libs.common.settings import SettingsError, load

WRONG_TEXT = "a bell\a and\x9f more"


class Setting(NamedTuple):
    """A setting as it is declared."""

    service: str
    path: tuple[str, ...]
    kind: Any
    default: Any

    @property
    def name(self) -> str:
        """The variable, for this service alone: no service shadows another one's test."""
        return f"{self.service}_{self.path[-1]}".upper()


def declared(service: str) -> Iterator[Setting]:
    def walk(kind: Any, path: tuple[str, ...]) -> Iterator[Setting]:
        for field in msgspec.structs.fields(kind):
            if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
                yield from walk(field.type, (*path, field.name))
            else:
                yield Setting(service, (*path, field.name), field.type, field.default)

    yield from walk(names.settings_of(service), ())


ALL = [setting for service in SERVICES for setting in declared(service)]
BY_SERVICE = pytest.mark.parametrize("service", SERVICES)


def checks(service: str) -> Callable[[Any], list[str]]:
    check: Callable[[Any], list[str]] = importlib.import_module(f"services.{service}.settings").check_settings
    return check


def read(service: str, environ: dict[str, str]) -> Any:
    return load(names.settings_of(service), service=service, environ=environ, check=checks(service))


def value_of(settings: Any, setting: Setting) -> Any:
    for step in setting.path:
        settings = getattr(settings, step)
    return settings


def bare(kind: Any) -> tuple[Any, msgspec.Meta | None]:
    if get_origin(kind) is Annotated:
        base, meta = get_args(kind)
        return base, meta
    return kind, None


def item_of(kind: Any) -> Any:
    """The kind of one part of a list; anything else is its own part."""
    base, _ = bare(kind)
    return get_args(base)[0] if get_origin(base) is tuple else kind


def wrong_values(kind: Any) -> list[str]:
    """Values below, above and beside what a setting may be."""
    base, meta = bare(item_of(kind))
    if base is bool:
        return ["maybe", "2", "-1", "tru"]
    if base in {int, float}:
        assert meta is not None, "a number needs bounds"
        least, most = meta.ge if meta.ge is not None else meta.gt, meta.le
        assert least is not None
        assert most is not None, "a number needs both bounds"
        step = 1 if base is int else 0.001
        below = least - step if meta.gt is None else least
        beside = ["eighty", "1_0", "0x10", "nan", "inf", "-inf", "1e999", "٣", "1,5;", "5 s"]
        return [f"{below:.10f}".rstrip("0").rstrip("."), f"{most + step:.3f}".removesuffix(".000"), *beside]
    if isinstance(base, type) and issubclass(base, StrEnum):
        return ["neither", "0"]
    if get_origin(base) is Literal:
        return ["neither", "LOUD"]
    if meta is None or (base is str and meta.extra and meta.extra["is_usable"]("not such a thing")):
        return [WRONG_TEXT]
    return [WRONG_TEXT, "two\nlines", "not such a thing", "://", "-"]


@BY_SERVICE
def test_a_wrong_value_is_one_sentence_that_names_the_setting(service: str) -> None:
    wrong = {setting.name: wrong_values(setting.kind) for setting in ALL if setting.service == service}
    for turn in range(max(map(len, wrong.values()))):
        environ = {name: values[turn % len(values)] for name, values in wrong.items()}
        with pytest.raises(SettingsError) as refused:
            read(service, environ)
        faults = dict(zip(environ, refused.value.faults, strict=True))
        for name, fault in faults.items():
            assert re.match(rf"{name} must be \S.*\Z", fault), (environ[name], fault)
            if "number" in fault:
                assert re.search(r"number (from \S+ to|above \S+ and at most) \d\S*(,|$)", fault)


@BY_SERVICE
def test_every_number_has_bounds_and_takes_them(service: str) -> None:
    for setting in ALL:
        _, meta = bare(item_of(setting.kind))
        if (
            setting.service == service
            and isinstance(setting.default, (int, float))
            and not isinstance(setting.default, bool)
        ):
            assert meta is not None, f"{setting.name} has no bounds"
            convert(f"{meta.le}", setting.kind)
            convert(f"{meta.ge if meta.gt is None else meta.gt + 0.001}", setting.kind)


@BY_SERVICE
def test_the_defaults_can_be_written_and_an_empty_value_means_them(service: str) -> None:
    settings = [setting for setting in ALL if setting.service == service]
    empty = {setting.name: "" if setting.path[-1].endswith("_password") else "  " for setting in settings}
    full = {setting.name: written(setting.default) for setting in settings}
    assert read(service, empty) == read(service, full) == read(service, {})


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(written, value)) if isinstance(value, tuple) else str(value)


PRIVATE = ec.generate_private_key(ec.SECP256R1())

OTHER: dict[str, str] = {
    "DATABASE_URL": "postgresql://other:secret@db:1/x",
    "MIGRATION_DATABASE_URL": "postgresql://owner:secret@db:1/x",
    "RABBITMQ_URL": "amqp://other:secret@mq:1/x",
    "RABBITMQ_REDRIVE_URL": f"amqp://redrive:{token_hex(16)}@mq:1/x",
    "REDIS_URL": "redis://:secret@cache:1/1",
    "ENCRYPTION_KEY": b64encode(token_bytes(32)).decode(),
    "CONSOLE_KEY": b64encode(token_bytes(32)).decode(),
    "CONSOLE_KEYS_PREVIOUS": b64encode(token_bytes(32)).decode(),
    "ENCRYPTION_KEYS_PREVIOUS": b64encode(token_bytes(32)).decode(),
    "HTTP_HOST": "0.0.0.0",
    "TRUSTED_PROXIES": "10.0.0.0/8,192.0.2.7",
    "JWKS_URI": "https://login.example.com/keys",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example.com:4318",
    "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={token_hex(16)}",
    "OTEL_TRACES_SAMPLER_ARG": "0.5",
    "ORDERS_CANCEL_POLICY": "void",
    "ORDERS_ROUTING_KEYS": "order.*",
    "SAAS_ROUTING_KEYS": "tenant.*",
    "SUPPORTED_CURRENCIES": "BRL,USD",
    "CORS_ORIGINS": "https://shop.example.com",
    "STRIPE_API_BASE": "https://stripe.example.com",
    "STRIPE_RETURN_URL": "https://shop.example.com/back",
    "AUDIT_RETENTION_DAYS": "91",
    "TIMELINE_RETENTION_DAYS": "92",
    "ORDERS_RETENTION_DAYS": "93",
    "HOLD_RETENTION_DAYS": "93",
    "JOURNAL_REQUEST_RETENTION_DAYS": "94",
    "UNKNOWN_SCHEDULE_SECONDS": "6,31",
    "LOOK_UP_SCHEDULE_SECONDS": "901,3601",
    "READING_SCHEDULE_SECONDS": "7,32",
    "WEBHOOK_RETRY_SCHEDULE": "0s,1s,2s",
    "REDIS_SENTINELS": "10.0.0.1:26379,10.0.0.2:26379",
    "WEBHOOK_ALLOWED_PORTS": "444",
    "WEBHOOK_ALLOWED_NETWORKS": "10.1.0.0/16",
    "IDENTITY_PROVIDER_ALLOWED_NETWORKS": "10.2.0.0/16",
    "WEBHOOK_DENIED_NETWORKS": "10.2.0.0/16",
    "CARD_NUMBERS": "mask",
    "JWT_PRIVATE_KEY": PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().strip(),
    "JWT_PUBLIC_KEYS": PRIVATE.public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
    .strip(),
    "PROVIDER": "fake",
    "LOG_LEVEL": "ERROR",
    "API_KEY_MODE": "live",
    "STRIPE_WEBHOOK_SECRETS": f"{token_hex(16)},{token_hex(16)}",
    "STRIPE_CONNECT_WEBHOOK_SECRETS": f"{token_hex(16)},{token_hex(16)}",
}
"""Values that are not the default, where one more than the default will not do."""


def other(setting: Setting) -> str:
    name = setting.path[-1].upper()
    base, _ = bare(setting.kind)
    if name in OTHER:
        return OTHER[name]
    if base is str and is_secret(setting.path[-1]):
        return token_hex(32)
    if base is bool:
        return written(not setting.default)
    if base is int:
        return str(setting.default + 1)
    if base is float:
        return str(setting.default + 0.125)
    assert base is str, f"name a value of {name} that is not the default"
    return f"another-{name.lower()}"


@BY_SERVICE
@pytest.mark.parametrize("prefixed", [False, True], ids=["common", "own"])
def test_every_setting_arrives(service: str, prefixed: bool) -> None:
    settings = [setting for setting in ALL if setting.service == service]
    values = {setting: other(setting) for setting in settings}
    environ = {setting.name if prefixed else setting.path[-1].upper(): value for setting, value in values.items()}
    loaded = read(service, environ)
    beside = {name.removesuffix("_PASSWORD") for name in names.names_of(service) if name.endswith("_PASSWORD")}
    for setting, value in values.items():
        found, name = value_of(loaded, setting), setting.path[-1].upper()
        assert found != setting.default, name
        if name.endswith("_URL") and name.removesuffix("_URL") in beside:
            beside_it = f"{(setting.name if prefixed else name).removesuffix('_URL')}_PASSWORD"
            assert found == value.replace("secret", environ[beside_it])
            continue
        if isinstance(found, float):
            assert math.isclose(found, float(value))
        else:
            assert written(found) == value, name


@BY_SERVICE
def test_nothing_is_kept_for_longer_than_subscribers_remember_it(service: str) -> None:
    read(service, {"OUTBOX_KEPT_DAYS": "13"})
    with pytest.raises(SettingsError, match="OUTBOX_KEPT_DAYS must be below INBOX_RETENTION_DAYS"):
        read(service, {"OUTBOX_KEPT_DAYS": "14"})


BY_WAY_OF = {"ENCRYPTION_KEY": "sealing_key"}
"""Settings that are read through a property of their struct."""


@BY_SERVICE
def test_every_setting_is_used(service: str) -> None:
    files = [*(ROOT / "libs").rglob("*.py"), *(ROOT / "services" / service).rglob("*.py")]
    code = "\n".join(file.read_text() for file in files if file != ROOT / "services" / service / "settings.py")
    for name in names.names_of(service):
        field = name.lower()
        used = BY_WAY_OF.get(name, field)
        if field.endswith("_password") and f"{field.removesuffix('_password').upper()}_URL" in names.names_of(service):
            used = f"{field.removesuffix('_password')}_url"
        assert re.search(rf"\.{used}\b", code), f"nothing uses {name}"


def test_the_list_of_names_is_up_to_date() -> None:
    assert setting_names.LIST.read_text() == names.listing(), "run `just docs`"


def test_no_two_settings_are_taken_for_one_another() -> None:
    documented = names.DOCUMENTED.findall((ROOT / ".env.example").read_text())
    assert [*setting_names.misspelled(dict.fromkeys(documented, "x"))] == []
    assert [*setting_names.unknown(dict.fromkeys(documented, "x"))] == []
