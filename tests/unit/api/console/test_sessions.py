"""Sessions of the console: sealed, bound to their key, and over when their token is."""

import base64
import secrets

import msgspec
import pytest

from services.api.console.entrance import local
from services.api.console.sessions import COOKIE, Session, Sessions, cookies_of, names_among, sealed_of

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


@pytest.mark.parametrize("size", [10, 2_000, 2_800, 9_000, 18_000])
def test_a_session_of_a_long_token_is_in_several_cookies(size: int) -> None:
    session = msgspec.structs.replace(SESSION, token=secrets.token_urlsafe(size)[:size])
    cookies = cookies_of(Sessions(KEY).seal(session))

    # What browsers take of one, with its name and attributes.
    assert max(len(name) + len(text) for name, text in cookies) < 4_000
    assert (len(cookies) == 1) is (size < 2_500)
    assert Sessions(KEY).open(sealed_of(dict(cookies)), now=0) == session
    for name, _ in cookies:
        rest = {other: text for other, text in cookies if other != name}
        assert Sessions(KEY).open(sealed_of(rest), now=0) is None


def test_cookies_of_an_earlier_session_are_left_out() -> None:
    long = msgspec.structs.replace(SESSION, token=secrets.token_urlsafe(9_000))
    cookies = dict(cookies_of(Sessions(KEY).seal(long))) | dict(cookies_of(Sessions(KEY).seal(SESSION)))

    assert Sessions(KEY).open(sealed_of(cookies), now=0) == SESSION
    assert names_among([*cookies, "console_preferences"]) == list(cookies)


@pytest.mark.parametrize("count", ["x", "0", "9", "99999999999", "-1", "²"])
def test_a_wrong_number_of_cookies_is_no_session(count: str) -> None:
    assert sealed_of({COOKIE: f"{count}.{Sessions(KEY).seal(SESSION)}"}) == ""
