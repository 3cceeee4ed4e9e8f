"""Receive webhooks on a port of this machine."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import click

from payments_client import Event, Webhook, WebhookRejected

_BODY_BYTES_MAX = 1 << 20
_SECONDS = 10.0
"""For which one who has connected is waited for."""


def received(webhook: Webhook, *, port: int, count: int | None, seconds: int) -> Iterator[Event]:
    """Yield the events that arrive, so many at most; what is not signed is answered 400, and named on standard error.

    Raises:
        click.ClickException: the port is taken, or no event has arrived for so many seconds where some are counted.
    """
    arrived: list[Event] = []

    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS

        def do_POST(self) -> None:
            size = self.headers.get("Content-Length", "")
            if not (size.isascii() and size.isdigit() and int(size) <= _BODY_BYTES_MAX):
                self._answer(413 if size.isdigit() else 411)
                return
            try:
                event = webhook.verify(self.rfile.read(int(size)), dict(self.headers.items()))
            except WebhookRejected as refused:
                click.echo(f"refused: {refused}", err=True)
                self._answer(400)
                return
            arrived.append(event)
            self._answer(204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: what arrives is printed."""

    try:
        server = HTTPServer(("127.0.0.1", port), Handler)
    except OSError as taken:
        raise click.ClickException(f"Port {port}: {taken.strerror}.") from None
    with server:
        click.echo(f"Listening on http://127.0.0.1:{server.server_port}", err=True)
        seen, ends = 0, time.monotonic() + seconds
        while count is None or seen < count:
            # What is refused does not make it longer.
            server.timeout = None if count is None else max(0.0, ends - time.monotonic())
            server.handle_request()
            while arrived:
                seen += 1
                yield arrived.pop(0)
                ends = time.monotonic() + seconds
            if count is not None and seen < count and time.monotonic() >= ends:
                raise click.ClickException(f"Nothing arrived for {seconds} seconds; {seen} of {count} before.")
