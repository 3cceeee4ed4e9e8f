"""A server answers when it answers in its protocol, not when something listens."""

import pytest

from deploy.local import probes
from tests.unit.deploy.conftest import Speaking

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("scheme", "answer", "is_up"),
    [
        ("postgresql", b"R\x00\x00\x00\x08\x00\x00\x00\x00", True),
        ("postgresql", b"E\x00\x00\x00\x40SFATAL\x00C28P01\x00Mpassword\x00\x00", True),
        ("postgresql", b"E\x00\x00\x00\x40SFATAL\x00C57P03\x00Mstarting up\x00\x00", False),
        ("postgresql", b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        ("redis", b"+PONG\r\n", True),
        ("redis", b"-NOAUTH Authentication required.\r\n", True),
        ("redis", b"-LOADING\r\n", False),
        ("amqp", b"\x01\x00\x00\x00\x00\x01\xfc\x00\x0a\x00\x0a", True),
        ("amqp", b"AMQP\x00\x00\x09\x01", False),
        ("amqps", b"anything", True),
    ],
)
def test_only_the_right_answer_counts(speaking: Speaking, scheme: str, answer: bytes, *, is_up: bool) -> None:
    with speaking(answer) as port:
        assert probes.url_answers(f"{scheme}://user@127.0.0.1:{port}/x", seconds=2) is is_up


def test_nobody_there_is_no_answer() -> None:
    assert not probes.url_answers("redis://127.0.0.1:1/0")
    assert not probes.port_answers("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql+asyncpg://u:p@db/x", ("db", 5432)),
        ("redis://cache:1234/0", ("cache", 1234)),
        ("amqp://mq", ("mq", 5672)),
        ("amqps://mq", ("mq", 5671)),
    ],
)
def test_an_address_has_a_default_port(url: str, expected: tuple[str, int]) -> None:
    assert probes.address(url) == expected
