"""Idempotency keys and fingerprints."""

import pytest

from services.api.commands import NewIntent
from services.api.idempotency import fingerprint, normalise_key


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
    told: dict[str, object] = {
        "amount_minor": 100,
        "currency": "BRL",
        "customer_ref": "c",
        "description": None,
        "metadata": {},
        **changes,
    }
    return NewIntent(**told)  # type: ignore[arg-type]


def test_the_order_of_members_does_not_matter() -> None:
    assert fingerprint("create", wish(metadata={"a": "1", "b": "2"})) == fingerprint(
        "create", wish(metadata={"b": "2", "a": "1"})
    )


def test_every_part_of_the_meaning_matters() -> None:
    every = [
        fingerprint("create", wish()),
        fingerprint("confirm", wish()),
        fingerprint("create", wish(amount_minor=101)),
        fingerprint("create", wish(currency="USD")),
        fingerprint("create", wish(customer_ref="d")),
        fingerprint("create", wish(description="x")),
        fingerprint("create", wish(metadata={"a": "1"})),
        fingerprint("create", None),
    ]
    assert len(set(every)) == len(every)
