"""A real HTTP receiver on loopback that takes webhooks as a merchant's server would, and remembers them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

BODY_BYTES_MAX = 1_000_000


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One POST that arrived."""

    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def event(self) -> str:
        """The event's type as the header gives it."""
        return self.headers.get("x-webhook-event", "")

    def is_signed_with(self, secret: str) -> bool:
        """Tell whether the official Standard Webhooks library accepts the signature and the timestamp."""
        try:
            Webhook(secret).verify(self.body, self.headers)
        except WebhookVerificationError:
            return False
        return True


class Receiver:
    """The deliveries that have arrived so far, and the address to register."""

    def __init__(self) -> None:
        self._arrived: list[Delivery] = []
        self._changed = threading.Condition()
        self.url = ""

    def take(self, delivery: Delivery) -> None:
        """Remember a delivery and wake whoever waits for one."""
        with self._changed:
            self._arrived.append(delivery)
            self._changed.notify_all()

    def wait_for(self, event: str, about: str, *, seconds: float) -> Delivery | None:
        """Return the delivery of an event whose body names `about`, as soon as it is there; None when it is not in time."""
        needle = about.encode()

        def found() -> Delivery | None:
            return next((one for one in self._arrived if one.event == event and needle in one.body), None)

        with self._changed:
            return self._changed.wait_for(found, timeout=seconds)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve a receiver on a free port of loopback for the time of the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length", "0")), BODY_BYTES_MAX)
            body = self.rfile.read(length)
            receiver.take(Delivery(headers={name.lower(): value for name, value in self.headers.items()}, body=body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - the signature is given
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/webhooks"
    thread = threading.Thread(target=server.serve_forever, name="webhook-receiver", daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5.0)
