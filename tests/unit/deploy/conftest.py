"""What the tests of the machine room share: a listener that always says the same."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

type Speaking = Callable[[bytes], AbstractContextManager[int]]


@contextmanager
def _speaking(answer: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        server.settimeout(0.05)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(2)
                    connection.recv(1024)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            over.set()
            thread.join()


@pytest.fixture(autouse=True)
def ports_of_the_first_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports are what they are without an offset, whatever the `.env` of this checkout has."""
    monkeypatch.delenv("PORT_OFFSET", raising=False)


@pytest.fixture
def speaking() -> Speaking:
    """Open a port that answers whatever it is sent with the same bytes: `with speaking(b"+PONG") as port`."""
    return _speaking
