"""Idempotency keys and fingerprints."""

from typing import Any

import msgspec
import pytest

from services.api.idempotency import canonical, earlier_fingerprint, fingerprint, normalise_key
from services.api.payments.commands import NewIntent
from services.api.payments.routes.operations import Meaning


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("pay-create-1b9d6bcd", "pay-create-1b9d6bcd"),
        ('"pay-create-1b9d6bcd"', "pay-create-1b9d6bcd"),
        ('"a\\"b"', 'a"b'),
        (" k ", "k"),
        ("k" * 255, "k" * 255),
        ("k" * 256, None),
        ("", None),
        ('""', None),
        (None, None),
        ("a b", None),
        ("clé", None),
        ("a\tb", None),
        ("a\n", "a"),
    ],
)
def test_keys_are_normalised(header: str | None, key: str | None) -> None:
    assert normalise_key(header) == key


def wish(**changes: object) -> NewIntent:
    stated: dict[str, object] = {
        "amount_minor": 15050,
        "currency": "BRL",
        "customer_ref": "customer@example.com",
        "description": None,
        "metadata": {"b": "2", "a": "1"},
        **changes,
    }
    return NewIntent(**stated)  # type: ignore[arg-type]


INTENT = "01900000-0000-7000-8000-000000000001"
BODY = (
    b'{"amount": 150.50, "currency": "BRL", "customer_ref": "customer@example.com", "metadata": {"b": "2", "a": "1"}}'
)


@pytest.mark.parametrize(
    ("operation", "body", "digest"),
    [
        ("create", BODY, "0213594d868ba38b2a3accbdd42d3060abcd3c47b0c52b47d5efdd6ca583311655"),
        (f"confirm:{INTENT}", b"", "0227c665468f7345ca5ac06e9c984becf9bc4f7cb293436863ab18459b6fa8b485"),
        (
            f"refund:{INTENT}",
            b'{"amount":"40.00","reason":"x"}',
            "0288c4e9491d6ab7511ee6014c94c5626b76e577230cb113f18ad3289d32227319",
        ),
    ],
)
def test_fingerprint_of_a_request_never_changes(operation: str, body: bytes, digest: str) -> None:
    """Keys are stored for a day: whoever changes one of these lets retries across a deployment fail with 422."""
    assert fingerprint(operation, body).hex() == digest


@pytest.mark.parametrize(
    ("operation", "meaning", "digest"),
    [
        ("create", wish().meaning, "7e2aff68ba9ba01193d39cd839333d0a8755f6f2800e6513bdf5053a41a02d47"),
        (f"confirm:{INTENT}", {"body": {}}, "f4c46e3717680f8f65e4b644c34d80f67f2c4769976c39e66a8e3e11b0df99a5"),
        (f"capture:{INTENT}", Meaning(1000), "daf3ee1ce76724706308f686151ecc169b8f9a3fd0270b257915da01d2679cbb"),
        (f"void:{INTENT}", Meaning(), "353669b01938c7e9586f142b7267254e80b31914f215f81aee98ba50f95283f3"),
        (f"refund:{INTENT}", Meaning(4000, "x"), "da824d1e4f3de0600d4062c16cdd4124ea88a6b3be2f089a37c759b17bf1eaa4"),
    ],
)
def test_keys_of_version_0_1_are_known_until_they_expire(operation: str, meaning: Any, digest: str) -> None:
    assert earlier_fingerprint(operation, meaning).hex() == digest


def test_new_field_of_an_intent_changes_no_fingerprint() -> None:
    class Wider(NewIntent, frozen=True, kw_only=True):
        new_field: str = "default"

    before = wish()
    after = Wider(**msgspec.structs.asdict(before))
    assert earlier_fingerprint("create", after.meaning) == earlier_fingerprint("create", before.meaning)


@pytest.mark.parametrize(
    "again",
    [
        b'{"metadata":{"a":"1","b":"2"},"customer_ref":"customer@example.com","currency":"BRL","amount":150.5}',
        BODY.replace(b"150.50", b'"150.50"'),
        b' {"amount":15050e-2,"currency":"\\u0042RL","customer_ref":"customer@example.com","metadata":{"a":"1","b":"2"}}\n',
    ],
)
def test_how_the_json_was_written_does_not_matter(again: bytes) -> None:
    assert fingerprint("create", again) == fingerprint("create", BODY)


def test_every_part_of_the_request_matters() -> None:
    every = [
        fingerprint("create", BODY),
        fingerprint("confirm", BODY),
        fingerprint("create", BODY.replace(b"150.50", b"150.51")),
        fingerprint("create", BODY.replace(b"150.50", b"150.5000000000000000000000000000000001")),
        fingerprint("create", BODY.replace(b'"2"', b"2")),
        fingerprint("create", BODY.replace(b"BRL", b"USD")),
        fingerprint("create", BODY.replace(b'"a": "1"', b'"a": "2"')),
        fingerprint("create", BODY[:-1] + b', "description": null}'),
        fingerprint("create", b""),
        fingerprint("create", b"null"),
        fingerprint("create", b"not json"),
    ]
    assert len(set(every)) == len(every)
    assert fingerprint("create", b"") == fingerprint("create", b" {} ")


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (b"1e2", b"100.00"),
        (b"18446744073709551617", b"18446744073709551617.0"),
        (b"1.5e0", b"150e-2"),
        (b"123456789012345678901234567890.10", b"1234567890123456789012345678901e-1"),
        (b"1e999999999", b"10e999999998"),
    ],
)
def test_equal_numbers_are_equal_however_long(one: bytes, same: bytes) -> None:
    assert canonical(b'{"n":' + one + b"}") == canonical(b'{"n":' + same + b"}")


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b'{"n":1e99999999999999999999}', b"{", b'"\\ud800"'])
def test_what_cannot_be_read_is_still_digested(body: bytes) -> None:
    assert len(fingerprint("void", body)) == 33
