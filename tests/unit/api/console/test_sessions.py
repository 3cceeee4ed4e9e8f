"""Sessions of the console: sealed, bound to their key, and over when their token is."""

import base64

from services.api.console.entrance import local
from services.api.console.sessions import Session, Sessions

KEY, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
SESSION = Session(token="t.o.k", csrf="c", tenant_id="tenant_a", name="ops@a", ends_at=1_000)


def test_a_sealed_session_is_opened_until_its_token_ends() -> None:
    cookie = Sessions(KEY).seal(SESSION)

    assert Sessions(KEY).open(cookie, now=999) == SESSION
    assert Sessions(KEY).open(cookie, now=1_000) is None
    assert "t.o.k" not in base64.urlsafe_b64decode(cookie).decode("latin-1")


def test_a_session_of_another_key_or_none_is_not_opened() -> None:
    cookie = Sessions(KEY).seal(SESSION)

    assert Sessions(OTHER).open(cookie, now=0) is None
    assert Sessions(OTHER, (KEY,)).open(cookie, now=0) == SESSION
    for wrong in (
        None,
        "",
        "%%%",
        "é",
        cookie[:-8],
        cookie[:40] + ("A" if cookie[40] != "A" else "B") + cookie[41:],
        base64.urlsafe_b64encode(b"{}").decode(),
    ):
        assert Sessions(KEY).open(wrong, now=0) is None


def test_only_addresses_of_the_console_are_returned_to() -> None:
    assert local("/console/payments?status=SETTLED") == "/console/payments?status=SETTLED"
    for other in (
        "https://evil.example/console/x",
        "//evil.example/console/",
        "/console/../v1/me\r\nSet-Cookie: a=b",
        "/console//evil.example",
        "/console/\\evil.example",
        "/v1/me",
        "javascript:alert(1)",
    ):
        assert local(other) == ""
