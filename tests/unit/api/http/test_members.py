"""Doubled members and nulls are found at any depth, and nothing else is, by JSON's own reading of the document; ids have one form."""

import json
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Invalid
from services.api.http.bodies import body_id
from services.api.http.members import member_violations
from services.api.http.shapes import Shape

texts = st.text(st.sampled_from('ab":,{}[]\\ \u00e9\n'), max_size=6)
documents = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
        lambda part: st.lists(part, max_size=3) | st.dictionaries(texts, part, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def written(part: Any, twice: list[str]) -> str:
    """Write JSON, the first member of the first object that has one twice; which one is added to `twice`."""
    if isinstance(part, dict):
        members = [f"{json.dumps(name)} : {written(value, twice)}" for name, value in part.items()]
        if members and not twice:
            twice.append(next(iter(part)))
            members.append(members[0])
        return "{" + ",".join(members) + "}"
    if isinstance(part, list):
        return "[" + ", ".join(written(value, twice) for value in part) + "]"
    return json.dumps(part)


@given(documents, st.booleans())
def test_a_document_without_doubled_members_has_no_violation(document: dict[str, Any], ascii_only: bool) -> None:
    raw = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert member_violations(raw, nulls=True) == []


@given(documents)
def test_a_doubled_member_is_named(document: dict[str, Any]) -> None:
    twice: list[str] = []
    raw = written(document, twice).encode()
    found = member_violations(raw, nulls=True)
    assert bool(found) == bool(twice)
    for (pointer, sentence), name in zip(found, twice, strict=True):
        assert sentence == "is there more than once"
        assert pointer.endswith(name.replace("~", "~0").replace("/", "~1"))


@pytest.mark.parametrize(
    ("raw", "pointers"),
    [
        (b'{"amount":"1.00","amount":"99.00"}', ["/amount"]),
        (b'{"amount":1,"am\\u006funt":2}', ["/amount"]),
        (b'{"metadata":{"a":"1","a":"2"}}', ["/metadata/a"]),
        (b'{"lines":[{"x":1},{"x":1,"x":2}]}', ["/lines/1/x"]),
        (b'{"a":":","b":"\\":\\\\"}', []),
        (b'{"a":{"b":[{"c":null}]},"d":"null"}', ["/a/b/0/c"]),
        (b'{"a":' + b"9" * 400 + b',"a":1e99999}', ["/a"]),
        (b'{"a":null,"a":1}', ["/a", "/a"]),
        (b"{}", []),
    ],
)
def test_violations_are_named_by_their_pointers(raw: bytes, pointers: list[str]) -> None:
    assert [pointer for pointer, _ in member_violations(raw, nulls=False)] == pointers


def test_what_bodies_are_read_into_must_be_closed_at_every_depth() -> None:
    class Inner(msgspec.Struct):
        x: int

    class Outer(msgspec.Struct, forbid_unknown_fields=True):
        inner: list[Inner] | None = None

    with pytest.raises(TypeError, match="Inner must forbid unknown fields"):
        Shape(Outer)


@pytest.mark.parametrize(
    "text", ["", "1", "{0190f3a4-5b6c-7d8e-9f01-23456789abce}", f"urn:uuid:{UUID(int=1)}", UUID(int=1).hex]
)
def test_an_id_in_a_body_has_its_usual_form(text: str) -> None:
    assert body_id("/id", str(UUID(int=1))) == UUID(int=1)
    with pytest.raises(Invalid) as refused:
        body_id("/id", text)
    assert refused.value.errors == (("/id", "must be a UUID"),)
