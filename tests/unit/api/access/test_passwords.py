"""Passwords: unknown users cost what known ones cost, and never get in."""

from argon2 import extract_parameters

from services.api.access import Passwords


async def test_an_unknown_user_costs_the_same_work_and_is_refused() -> None:
    passwords = Passwords()
    stored = passwords.hash("secret")
    assert extract_parameters(passwords._nobody) == extract_parameters(stored)
    assert await passwords.matches(stored, "secret")
    assert not await passwords.matches(stored, "wrong")
    # Not even by the very password that stands in for nobody's.
    assert not await passwords.matches(None, "a password that nobody has")
    assert not await passwords.matches("not a hash", "secret")
    passwords.close()
